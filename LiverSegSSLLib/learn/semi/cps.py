"""Cross pseudo supervision: two networks, each taught by what the other sees (Chen et al., CVPR 2021; METHODS 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LiverSegSSLLib.learn.methods import SECOND_NETWORK
from LiverSegSSLLib.learn.semi.ramps import ramped
from LiverSegSSLLib.learn.semi.two_stream import Step, TwoStreamTrainer

Outputs = list[Tensor]
"""Logits (n, classes, z, y, x) of each output of a network, full resolution first."""


def cross_pseudo_loss(one: Tensor, other: Tensor) -> Tensor:
    """CE(p1, y2) + CE(p2, y1), mean over voxels and images (eqs. 5 and 6).

    :param one, other: logits (n, classes, z, y, x) of two networks for the same images. The pseudo labels y are their
        arg max, through which no gradient flows.
    """
    return F.cross_entropy(one.float(), other.detach().argmax(1)) + F.cross_entropy(
        other.float(), one.detach().argmax(1)
    )


def disagreement(one: Tensor, other: Tensor) -> Tensor:
    """Fraction of the voxels that two networks label differently; logits as :func:`cross_pseudo_loss`."""
    return (one.detach().argmax(1) != other.detach().argmax(1)).float().mean()


class CpsTrainer(TwoStreamTrainer):
    """Eq. 7: the supervised losses of both networks, and λ times the cross pseudo loss.

    The networks differ by construction: weights drawn apart, and with weights that exist to begin with, output layers
    drawn apart. If they come to agree everywhere the method teaches nothing; that is said.
    """

    def add_networks(self) -> None:
        """The second network."""
        self.partners[SECOND_NETWORK] = self.another_network()

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Supervised, cross pseudo (weighted), and the rate at which the networks disagree on unlabelled images."""
        how = self.options.cps
        first, second = self.network, self.partners[SECOND_NETWORK]
        labelled = _outputs(first, step.image), _outputs(second, step.image)
        unlabelled = _outputs(first, step.unlabelled), _outputs(second, step.unlabelled)
        supervised = self._supervised(labelled[0], step.target) + self._supervised(labelled[1], step.target)
        cross = self._cross(*unlabelled)
        if how.on_labelled:
            cross = cross + self._cross(*labelled)
        weight = ramped(how.weight, step.progress, how.ramp)
        return {
            "total": supervised + weight * cross,
            "supervised_loss": supervised.detach() / 2,
            "unsupervised_loss": cross.detach(),
            "disagreement": disagreement(unlabelled[0][0], unlabelled[1][0]),
        }

    def on_train_epoch_end(self, train_outputs: list[dict[str, Any]]) -> None:
        """Warn when the networks are one."""
        super().on_train_epoch_end(train_outputs)
        if all(output["disagreement"] == 0 for output in train_outputs):
            self.warn(
                f"epoch {self.current_epoch + 1}: the two networks agree on every voxel, so neither learns from the "
                "other; let them begin apart (another seed, --init without its output layers)"
            )

    def _supervised(self, outputs: Outputs, target: Sequence[Tensor]) -> Tensor:
        if self.options.cps.supervised_loss == "ce":
            ignored = self.label_manager.ignore_label
            labels = target[0][:, 0].long()
            return F.cross_entropy(outputs[0].float(), labels, ignore_index=-100 if ignored is None else ignored)
        several = self.enable_deep_supervision
        loss: Tensor = self.loss(outputs if several else outputs[0], list(target) if several else target[0])
        return loss

    def _cross(self, one: Outputs, other: Outputs) -> Tensor:
        if not self.options.cps.deep_supervision:
            return cross_pseudo_loss(one[0], other[0])
        # As nnU-Net weighs outputs: half as much each time, the coarsest nothing.
        weights = [2.0**-level for level in range(max(1, len(one) - 1))]
        parts = [w * cross_pseudo_loss(a, b) for w, a, b in zip(weights, one, other, strict=False)]
        return torch.stack(parts).sum() / sum(weights)


def _outputs(network: nn.Module, image: Tensor) -> Outputs:
    found = network(image)
    return list(found) if isinstance(found, list | tuple) else [found]
