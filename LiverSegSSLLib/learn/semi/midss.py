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

from torch import Tensor

from LiverSegSSLLib.learn.semi.losses import cross_entropy, dice_loss
from LiverSegSSLLib.learn.semi.mixing import pasted

_SMOOTH = 1e-10


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
