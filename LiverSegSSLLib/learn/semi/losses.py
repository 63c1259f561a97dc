"""Losses on a part of the voxels. Logits (n, classes, z, y, x); labels (n, z, y, x), integers; masks (n, z, y, x),
booleans.

All of them compute in 32 bits, also under autocast: sums over a patch and the smoothing terms do not fit into 16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross entropy of each voxel, (n, z, y, x)."""
    return functional.cross_entropy(logits.float(), label, reduction="none")


def dice_loss(logits: Tensor, label: Tensor, mask: Tensor, *, over_batch: bool, squared: bool, smooth: float) -> Tensor:
    """1 − the mean soft Dice of the classes, the background among them, over the voxels of the mask.

    With p the softmax and g the label as 0 and 1: (2 Σ p g + smooth) / (Σ p + Σ g + smooth).

    :param over_batch: one Dice of all samples together (MiDSS), or one of each (BCP).
    :param squared: Σ p² + Σ g² below the line (MiDSS).
    """
    probability, mask = logits.float().softmax(1), mask.unsqueeze(1)
    classes = torch.arange(logits.shape[1], device=label.device).view(1, -1, 1, 1, 1)
    truth = ((label.unsqueeze(1) == classes) & mask).float()
    axes = (0, 2, 3, 4) if over_batch else (2, 3, 4)
    size = (probability.square() if squared else probability) * mask + truth
    dice = (2 * (probability * truth).sum(axes) + smooth) / (size.sum(axes) + smooth)
    return 1 - dice.mean()


def over_heads(heads: Sequence[Tensor], weights: Sequence[float], loss: Callable[[Tensor], Tensor]) -> Tensor:
    """The weighted sum of a loss over the outputs of a network, full resolution first (deep supervision)."""
    parts = [weight * loss(head) for head, weight in zip(heads, weights, strict=True) if weight]
    return torch.stack(parts).sum()


def taught(target: Tensor, ignored: int | None) -> tuple[Tensor, Tensor]:
    """A target of nnU-Net's and where it says something.

    :param target: (n, 1, z, y, x).
    :param ignored: the value of voxels that teach nothing, or ``None``.
    :return: labels (n, z, y, x), 0 where nothing is said, and the mask of what is.
    """
    label = target[:, 0].long()
    certain = torch.ones_like(label, dtype=torch.bool) if ignored is None else label != ignored
    return label * certain, certain
