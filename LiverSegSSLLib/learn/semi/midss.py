"""MiDSS: labelled patches in the style of unlabelled ones, pasted into each other, with an ensemble of pseudo labels.

Ma et al., CVPR 2024, brought to three dimensions (METHODS 4.5). A teacher looks at each unlabelled patch three times:
as it is, with a box of a labelled patch in it (ul), and in a box of a labelled patch (lu). The student sees strongly
augmented patches: both mixtures, whose labelled part has taken on low frequencies of the unlabelled patch, and the
unlabelled patch alone, for which the teacher's two views of mixtures must agree with the third.

Differences from the reference code: the supervised loss is nnU-Net's, with deep supervision (the others are of the full
resolution); labelled patches are augmented as nnU-Net does; confidence masks the Dice of the background too (there only
that of the foreground); the ramp is continuous; voxels whose label is uncertain teach nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from LiverSegSSLLib.learn.semi.frequency import restyled
from LiverSegSSLLib.learn.semi.losses import cross_entropy, dice_loss, taught
from LiverSegSSLLib.learn.semi.mixing import pasted, random_box, require_pairs
from LiverSegSSLLib.learn.semi.ramps import ramped
from LiverSegSSLLib.learn.semi.teacher import ema_decay
from LiverSegSSLLib.learn.semi.two_stream import Step, TaughtTrainer

_SMOOTH = 1e-10


class MidssTrainer(TaughtTrainer):
    """The student is the model. Each labelled patch of a batch belongs to one unlabelled patch."""

    two_views = True

    def losses(self, step: Step) -> dict[str, Tensor]:
        """sup + w (ul + lu + w · alone).

        :raises RecipeError: there are not as many unlabelled patches as labelled ones.
        """
        require_pairs(len(step.image), len(step.unlabelled), "MiDSS")
        assert step.strong is not None
        options = self.options.midss
        boxes = self._boxes(step)
        plain, agreed = self._pseudo_labels(step, boxes)
        labelled = Said(*taught(step.target[0], self.label_manager.ignore_label))
        share = torch.from_numpy(self.draw.uniform(0, step.progress, len(step.image)).astype(np.float32))
        moved = restyled(step.image, step.unlabelled, share.to(step.image.device), options.half_width, options.in_plane)

        supervised = self.loss(self.network(step.image), step.target)
        ul = self._loss(pasted(step.strong, moved, boxes[:, None]), plain.around(labelled, boxes))
        lu = self._loss(pasted(moved, step.strong, boxes[:, None]), labelled.around(plain, boxes))
        weight = ramped(options.weight, step.progress, options.ramp)
        unsupervised = ul + lu + weight * self._loss(step.strong, agreed)
        return {
            "total": supervised + weight * unsupervised,
            "supervised_loss": supervised.detach(),
            "unsupervised_loss": unsupervised.detach(),
            "confident": plain.mask.float().mean(),
        }

    def after_step(self, step: Step) -> None:
        """The teacher follows."""
        self.teacher.update(self._module(), ema_decay(step.number, self.options.midss.decay))

    def _boxes(self, step: Step) -> Tensor:
        """One for each pair, (n, z, y, x)."""
        patch, shares = step.image.shape[2:], self.options.midss.box
        return torch.stack([random_box(patch, shares, self.draw) for _ in step.image]).to(step.image.device)

    def _pseudo_labels(self, step: Step, boxes: Tensor) -> tuple[Said, Said]:
        """Of the unlabelled patches themselves, and what the teacher's views of mixtures agree on with it."""
        image, unlabelled, box = step.image, step.unlabelled, boxes[:, None]
        views = unlabelled, pasted(unlabelled, image, box), pasted(image, unlabelled, box)
        plain, ul, lu = (confident_label(self.teacher(v), self.options.midss.confidence) for v in views)
        return plain, ensembled(plain, ul, lu, boxes)

    def _loss(self, image: Tensor, said: Said) -> Tensor:
        return masked_loss(self.network(image)[0], said)


@dataclass(frozen=True)
class Said:
    """What is said of voxels, and of which: ``label`` integers, ``mask`` booleans, both (n, z, y, x)."""

    label: Tensor
    mask: Tensor

    def around(self, inside: Said, boxes: Tensor) -> Said:
        """This, with the other in the boxes (n, z, y, x)."""
        return Said(pasted(self.label, inside.label, boxes), pasted(self.mask, inside.mask, boxes))


def confident_label(logits: Tensor, confidence: float) -> Said:
    """The most probable class, said where its probability exceeds ``confidence``."""
    probability, label = logits.float().softmax(1).max(1)
    return Said(label, probability > confidence)


def ensembled(plain: Said, ul: Said, lu: Said, boxes: Tensor) -> Said:
    """The label of the mixtures, each where it shows the unlabelled patch; said where all are confident and agree.

    :param plain: of the unlabelled patch itself.
    :param ul: of the unlabelled patch with a labelled one in the box.
    :param lu: of the labelled patch with the unlabelled one in the box.
    """
    mixed = ul.around(lu, boxes)
    return Said(mixed.label, mixed.mask & plain.mask & (mixed.label == plain.label))


def masked_loss(logits: Tensor, said: Said) -> Tensor:
    """Cross entropy, averaged over all voxels though only those of the mask count, and squared Dice of the batch."""
    entropy = (cross_entropy(logits, said.label) * said.mask).mean()
    return entropy + dice_loss(logits, said.label, said.mask, over_batch=True, squared=True, smooth=_SMOOTH)
