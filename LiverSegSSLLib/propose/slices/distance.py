"""Signed distance of a mask's outline within one slice, in mm. Masks are 2-D booleans, spacing is (row, column)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Field = NDArray[np.float32]
Spacing = tuple[float, float]
Window = tuple[slice, slice]


def signed_distance(mask: Mask, spacing: Spacing) -> Field:
    """Distance to the outline in mm, positive inside. The outline runs half a pixel outside the outermost pixels.

    The border of the image is no outline: what lies beyond is not known. Only a mask that fills the whole slice has no
    other. An empty mask is -inf everywhere.

    Notes: exact Euclidean distances (Maurer et al., TPAMI 2003; scipy) to pixel centres, less half a pixel, so that
    differences between two masks have no step at the outline.
    """
    if not mask.any():
        return np.full(mask.shape, -np.inf, np.float32)
    half = min(spacing) / 2
    if mask.all():
        inside = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1]
        return (inside - half).astype(np.float32)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return np.where(mask, inside - half, half - outside).astype(np.float32)


def window(masks: Iterable[Mask], spacing: Spacing, margin_mm: float = 0.0) -> Window:
    """The smallest window around the masks (at least one is not empty), grown by a margin and at least one pixel.

    Distances within a window are those of the whole slice: the nearest pixel beyond an outline is never further out
    than one pixel beyond the masks' box.
    """
    together = np.logical_or.reduce(list(masks))
    sides = []
    for axis, step in enumerate(spacing):
        found = np.flatnonzero(together.any(axis=1 - axis))
        margin = 1 + math.ceil(margin_mm / step)
        sides.append(slice(max(int(found[0]) - margin, 0), int(found[-1]) + 1 + margin))
    return sides[0], sides[1]
