"""Bidirectional copy-paste: boxes of unlabelled patches in labelled ones, and of labelled in unlabelled (METHODS 4.4).

Bai et al., CVPR 2023. The network learns from mixtures alone: where a voxel comes from a labelled patch, its label;
elsewhere what a teacher says of the whole unlabelled patch. In a first stage labelled patches are mixed with each
other.

Differences from the reference code: the box lies anywhere in the patch (there within limits of its own data set); the
losses are on every resolution with nnU-Net's weights; the optimiser goes on from one stage to the next, as does the
last network (there the best of several); voxels whose label is uncertain teach nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from LiverSegSSLLib.components import largest_component
from LiverSegSSLLib.learn.semi.losses import cross_entropy, dice_loss, over_heads, taught
from LiverSegSSLLib.learn.semi.mixing import halves, pasted, proportional_box, require_pairs, resized
from LiverSegSSLLib.learn.semi.two_stream import Step, TaughtTrainer

_SMOOTH = 1e-5


@dataclass(frozen=True)
class Patches:
    """Patches with what is said of their voxels.

    :param image: (n, c, z, y, x).
    :param label: (n, z, y, x), integers.
    :param certain: (n, z, y, x); false where the label says nothing.
    """

    image: Tensor
    label: Tensor
    certain: Tensor

    def around(self, inside: Patches, box: Tensor) -> Patches:
        """These with the others in the box (z, y, x): images, labels and certainty by one mask."""
        return Patches(
            pasted(self.image, inside.image, box),
            pasted(self.label, inside.label, box),
            pasted(self.certain, inside.certain, box),
        )

    def in_halves(self) -> tuple[Patches, Patches]:
        """The first and the last half of the samples."""
        images, labels, certain = halves(self.image), halves(self.label), halves(self.certain)
        return Patches(images[0], labels[0], certain[0]), Patches(images[1], labels[1], certain[1])


class BcpTrainer(TaughtTrainer):
    """The student is the model. A batch is four halves: two labelled (a, b), two unlabelled (a, b)."""

    def losses(self, step: Step) -> dict[str, Tensor]:
        """L_l + L_u of the paper, summed by what teaches: labels (weight 1) and pseudo labels.

        Stage 1 has labels alone.

        :raises RecipeError: there are not as many unlabelled patches as labelled ones.
        """
        require_pairs(len(step.image), len(step.unlabelled), "BCP")
        box = proportional_box(step.image.shape[2:], self.options.bcp.box, self.draw).to(step.image.device)
        label_a, label_b = self._labelled(step)
        if self._first_stage(step):
            (supervised,) = self._terms(label_a.around(label_b, box), torch.ones_like(box))
            return {"total": supervised, "supervised_loss": supervised.detach()}
        pseudo_a, pseudo_b = self._pseudo_labelled(step)
        outward = self._terms(label_a.around(pseudo_a, box), ~box, box)
        inward = self._terms(pseudo_b.around(label_b, box), box, ~box)
        supervised, unsupervised = (one + other for one, other in zip(outward, inward, strict=True))
        return {
            "total": supervised + self.options.bcp.unlabelled_weight * unsupervised,
            "supervised_loss": supervised.detach(),
            "unsupervised_loss": unsupervised.detach(),
        }

    def after_step(self, step: Step) -> None:
        """The teacher is the student to the end of the first stage; then it follows."""
        decay = 0.0 if self._first_stage(step) else self.options.bcp.decay
        self.teacher.update(self._module(), decay)

    def _first_stage(self, step: Step) -> bool:
        return step.progress < self.options.bcp.pretrain

    def _labelled(self, step: Step) -> tuple[Patches, Patches]:
        label, certain = taught(step.target[0], self.label_manager.ignore_label)
        return Patches(step.image, label, certain).in_halves()

    def _pseudo_labelled(self, step: Step) -> tuple[Patches, Patches]:
        label = pseudo_label(self.teacher(step.unlabelled), self.options.bcp.largest_part)
        return Patches(step.unlabelled, label, torch.ones_like(label, dtype=torch.bool)).in_halves()

    def _terms(self, mixture: Patches, *regions: Tensor) -> list[Tensor]:
        """The loss of the student on a mixture, on all resolutions, within each of some regions (z, y, x)."""
        heads, weights = self.network(mixture.image), self.loss.weight_factors

        def within(mask: Tensor) -> Tensor:
            return over_heads(heads, weights, lambda head: region_loss(head, mixture.label, mask))

        return [within(mixture.certain & region) for region in regions]


def pseudo_label(logits: Tensor, largest_part: bool) -> Tensor:
    """1 where the probability of class 1 is at least one half, (n, z, y, x).

    :param largest_part: of each sample only the largest part (26 neighbours); this is done on the processor.
    """
    liver = logits.float().softmax(1)[:, 1] >= 0.5
    if largest_part:
        parts = [torch.from_numpy(largest_component(sample)) for sample in liver.cpu().numpy()]
        liver = torch.stack(parts).to(liver.device)
    return liver.long()


def region_loss(logits: Tensor, label: Tensor, mask: Tensor) -> Tensor:
    """½ (Dice + cross entropy) within a mask: one term of the reference's ``mix_loss`` (before its weight).

    :param label: (n, z, y, x), reduced to the logits' resolution like the mask, if that is lower.
    """
    shape = logits.shape[2:]
    label, mask = resized(label, shape), resized(mask, shape)
    dice = dice_loss(logits, label, mask, over_batch=False, squared=False, smooth=_SMOOTH)
    entropy = (cross_entropy(logits, label) * mask).sum() / (mask.sum() + 1e-16)
    return (dice + entropy) / 2
