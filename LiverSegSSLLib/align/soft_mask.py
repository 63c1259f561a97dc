"""Masks as smooth functions of place, so that they can be carried to other grids without steps at their border."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.components import bounding_box
from LiverSegSSLLib.volume import Geometry, Volume, resample

if TYPE_CHECKING:
    import SimpleITK as sitk

FAR_MM = 60.0
"""Distances are cut off here; beyond, only the sign matters."""


def signed_distance_mm(mask: Volume) -> Volume:
    """Distance of every voxel's centre to the border in mm, positive inside; float32, cut off at :data:`FAR_MM`.

    The border runs half a voxel beyond the outermost centres of the mask.
    """
    from scipy import ndimage

    inside = mask.array > 0
    result = np.full(inside.shape, -FAR_MM, np.float32)
    spacing = mask.geometry.spacing_zyx
    box = bounding_box(inside, int(np.ceil(FAR_MM / min(spacing))))
    if box is None:
        return mask.with_array(result)
    if inside.all():
        return mask.with_array(np.full(inside.shape, FAR_MM, np.float32))
    part = inside[box]
    if part.all():
        distance = np.full(part.shape, FAR_MM)
    else:
        distance = ndimage.distance_transform_edt(part, spacing) - ndimage.distance_transform_edt(~part, spacing)
    result[box] = np.clip(distance, -FAR_MM, FAR_MM)
    return mask.with_array(result)


def soft(distance_mm: NDArray[np.floating], softness_mm: float) -> NDArray[np.float32]:
    """Probability from signed distance: ½ on the border, 0.12 and 0.88 at ``softness_mm`` from it (logistic)."""
    scaled = np.clip(2.0 * np.asarray(distance_mm, np.float64) / softness_mm, -30, 30)
    return (1.0 / (1.0 + np.exp(-scaled))).astype(np.float32)


def carried_distance(mask: Volume, grid: Geometry, to_mask: sitk.Transform) -> Volume:
    """Signed distance to a mask, sampled on another grid (mm of the mask's frame).

    :param to_mask: maps points of ``grid`` to points of the mask, LPS mm.
    """
    return resample(signed_distance_mm(mask), grid, "linear", to_mask, outside=-FAR_MM)


def within(mask: Volume, margin_mm: float) -> Volume:
    """The mask grown by ``margin_mm`` (shrunk where negative), 0/1."""
    return mask.with_array((signed_distance_mm(mask).array > -margin_mm).astype(np.uint8))
