"""Boxes that are cut out of one patch and pasted into another. Patches are (…, z, y, x), boxes masks (z, y, x)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from LiverSegSSLLib.errors import RecipeError

_ASPECT = 0.3, 1 / 0.3
_TRIES = 10_000


def proportional_box(patch: Sequence[int], share: float, draw: np.random.Generator) -> Tensor:
    """A box of int(share · n) of the n voxels of each side (one at least), anywhere in the patch.

    BCP's ``context_mask``, which keeps to positions of its own data set.

    :return: boolean mask (z, y, x), true in the box.
    """
    return _placed(patch, [max(1, int(side * share)) for side in patch], draw)


def random_box(patch: Sequence[int], shares: tuple[float, float], draw: np.random.Generator) -> Tensor:
    """A box of a share of the patch's volume drawn between two, anywhere in the patch.

    MiDSS' box with a third side: of its sides, as shares of the patch's, one is drawn against each of the other two as
    0.3 … 1/0.3, until the box fits and its whole voxels keep to the two shares.

    :param shares: least and largest.
    :return: boolean mask (z, y, x), true in the box.
    :raises RecipeError: whole voxels of the patch cannot keep to the shares.
    """
    share, voxels = draw.uniform(*shares), np.prod(patch)
    for _ in range(_TRIES):
        aspect = draw.permutation([1.0, *draw.uniform(*_ASPECT, 2)])
        relative = aspect * (share / aspect.prod()) ** (1 / 3)
        sides = np.maximum(np.rint(relative * np.asarray(patch)), 1).astype(int)
        if (relative <= 1).all() and shares[0] * voxels <= sides.prod() <= shares[1] * voxels:
            return _placed(patch, sides.tolist(), draw)
    raise RecipeError(
        f"found no box of {shares[0]:g} to {shares[1]:g} of a patch of {' x '.join(map(str, patch))} voxels",
        "midss.box",
        "let the two lie further apart, or enlarge the patch",
    )


def pasted(outside: Tensor, inside: Tensor, box: Tensor) -> Tensor:
    """``outside`` with ``inside`` in the box; images and labels alike, boxes (z, y, x) or one for each sample."""
    return torch.where(box, inside, outside)


def halves(samples: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last ⌊n/2⌋ samples (of an odd number the middle one is left out); one alone is both."""
    half = max(1, len(samples) // 2)
    return samples[:half], samples[-half:]


def resized(voxels: Tensor, shape: Sequence[int]) -> Tensor:
    """Masks or labels (…, z, y, x) of any type in another resolution, nearest voxel: as nnU-Net reduces its targets.

    (``nearest-exact`` of torch, which knows no integers and not every device.)
    """
    for axis, wanted in zip((-3, -2, -1), shape, strict=True):
        given = voxels.shape[axis]
        if given != wanted:
            middle = (2 * torch.arange(wanted, device=voxels.device) + 1) * given
            voxels = voxels.index_select(axis, middle // (2 * wanted))
    return voxels


def require_pairs(labelled: int, unlabelled: int, method: str) -> None:
    """Stop unless there are as many of both.

    :raises RecipeError: a batch holds more of the one than of the other, so that not each patch finds another.
    """
    if labelled != unlabelled:
        raise RecipeError(
            f"{method} mixes each labelled patch with an unlabelled one, but a batch has {labelled} and {unlabelled}",
            "unlabelled_batch",
            f"set it to {labelled}, or to 0 (as many as labelled ones), or change configuration.batch_size",
        )


def _placed(patch: Sequence[int], sides: Sequence[int], draw: np.random.Generator) -> Tensor:
    box = torch.zeros(tuple(patch), dtype=torch.bool)
    corner = [int(draw.integers(0, whole - side + 1)) for whole, side in zip(patch, sides, strict=True)]
    box[tuple(slice(first, first + side) for first, side in zip(corner, sides, strict=True))] = True
    return box
