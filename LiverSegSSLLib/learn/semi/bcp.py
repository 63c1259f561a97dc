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
from LiverSegSSLLib.learn.semi.losses import cross_entropy, dice_loss
from LiverSegSSLLib.learn.semi.mixing import pasted, resized

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
