"""Resampling and orientation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.volume.grid import Geometry, Volume, from_sitk, tidy_direction, to_sitk

if TYPE_CHECKING:
    import SimpleITK as sitk

Interpolation = Literal["linear", "nearest", "bspline"]


def resample(
    volume: Volume,
    geometry: Geometry,
    interpolation: Interpolation = "linear",
    transform: sitk.Transform | None = None,
    outside: float = 0.0,
) -> Volume:
    """Sample a volume on another grid.

    :param transform: maps points of ``geometry`` (fixed) to points of ``volume`` (moving), LPS mm, as ITK's
        registrations return it; ``None``: identity.
    :param outside: value where the volume does not reach.
    """
    import SimpleITK as sitk

    kinds = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor, "bspline": sitk.sitkBSpline}
    # ITK cuts off what lies behind the point of whole numbers; their nearest is meant.
    rounded = volume.array.dtype.kind in "iu" and interpolation != "nearest"
    image = to_sitk(volume.with_array(volume.array.astype(np.float32)) if rounded else volume)
    result = sitk.Resample(
        image,
        geometry.size,
        transform if transform is not None else sitk.Transform(3, sitk.sitkIdentity),
        kinds[interpolation],
        geometry.origin,
        geometry.spacing,
        tidy_direction(geometry.direction),
        outside,
        image.GetPixelID(),
    )
    array = sitk.GetArrayFromImage(result)
    if rounded:
        limits = np.iinfo(volume.array.dtype)
        array = np.clip(np.rint(array), limits.min, limits.max).astype(volume.array.dtype)
    return Volume(array, geometry, volume.trailing_singleton)


def with_spacing(geometry: Geometry, spacing: tuple[float, float, float]) -> Geometry:
    """A grid over the same box with another voxel size (mm, x y z); the box may grow by under a voxel."""
    extent = np.asarray(geometry.size) * np.asarray(geometry.spacing)
    size = np.maximum(np.ceil(extent / np.asarray(spacing) - 1e-6), 1).astype(int)
    # The corner of the first voxel, not its centre, stays where it is.
    shift = (np.asarray(spacing) - np.asarray(geometry.spacing)) / 2.0
    origin = np.asarray(geometry.origin) + np.reshape(geometry.direction, (3, 3)) @ shift
    return Geometry(
        (int(size[0]), int(size[1]), int(size[2])),
        spacing,
        (float(origin[0]), float(origin[1]), float(origin[2])),
        geometry.direction,
    )


def orient(volume: Volume, axes: str = "LPS") -> Volume:
    """Flip and permute the axes so that they run towards the named directions; no voxel is interpolated.

    ``orient(mask, axes_of(image.geometry))`` brings a result back to the frame of its image.
    """
    import SimpleITK as sitk

    return replace(from_sitk(sitk.DICOMOrient(to_sitk(volume), axes)), trailing_singleton=volume.trailing_singleton)


def resize_nearest(array: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Nearest-neighbour resize between grids over the same box: the element that holds the new one's centre.

    :param array: of any number of axes.
    :param shape: the new length of each.
    """
    index = [
        np.minimum(((np.arange(new) + 0.5) * old / new).astype(int), old - 1)
        for old, new in zip(array.shape, shape, strict=True)
    ]
    return array[np.ix_(*index)]


def axes_of(geometry: Geometry) -> str:
    """The directions that the axes (x, y, z) run towards, for example ``"LPS"`` or ``"RAS"``."""
    import SimpleITK as sitk

    name: str = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(geometry.direction)
    return name
