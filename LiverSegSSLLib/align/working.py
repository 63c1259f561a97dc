"""Working copies of images for registration: coarser, finite, in the patient's frame. The originals stay untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from LiverSegSSLLib.volume import Geometry, Volume, from_sitk, to_sitk, with_spacing

if TYPE_CHECKING:
    import SimpleITK as sitk

SMOOTHING = 0.5
"""Gaussian sigma in output voxels before an axis is made coarser: enough against aliasing, mild on small vessels."""


def coarser(volume: Volume, spacing_mm: float) -> Volume:
    """The image with no axis finer than ``spacing_mm``, smoothed against aliasing; float32, NaN and infinities 0.

    Axes that are already coarser keep their spacing.
    """
    array = np.nan_to_num(volume.array.astype(np.float32), posinf=0.0, neginf=0.0)
    spacing = volume.geometry.spacing
    wanted = (max(spacing[0], spacing_mm), max(spacing[1], spacing_mm), max(spacing[2], spacing_mm))
    if wanted == spacing:
        return volume.with_array(array)
    return sampled(smoothed(volume.with_array(array), spacing_mm), with_spacing(volume.geometry, wanted))


def isotropic(volume: Volume, spacing_mm: float) -> Volume:
    """The image on a grid of cubes along the patient's axes (LPS), whatever its own axes are; float32."""
    import SimpleITK as sitk

    array = np.nan_to_num(volume.array.astype(np.float32), posinf=0.0, neginf=0.0)
    upright = from_sitk(sitk.DICOMOrient(to_sitk(volume.with_array(array)), "LPS"))
    grid = with_spacing(upright.geometry, (spacing_mm, spacing_mm, spacing_mm))
    return sampled(smoothed(upright, spacing_mm), grid)


def smoothed(volume: Volume, spacing_mm: float) -> Volume:
    """Gaussian smoothing along the axes that are finer than ``spacing_mm``."""
    from scipy import ndimage

    sigma = [SMOOTHING * spacing_mm / own if own < spacing_mm else 0.0 for own in volume.geometry.spacing_zyx]
    return volume.with_array(ndimage.gaussian_filter(volume.array, sigma, mode="nearest"))


def sampled(volume: Volume, grid: Geometry, transform: sitk.Transform | None = None) -> Volume:
    """Linear sampling on a grid; beyond the image the nearest voxel's value within half a voxel, then 0."""
    from LiverSegSSLLib.volume import resample

    return resample(volume, grid, "linear", transform)
