"""How well a transferred mask fits its image: the numbers that the acceptance gates judge (METHODS 6.4).

All functions are pure; masks and images share one grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.align.soft_mask import signed_distance_mm, within
from LiverSegSSLLib.components import largest_component
from LiverSegSSLLib.overlap import dice
from LiverSegSSLLib.volume import Volume

SHIFT_MM = 12.0
"""How far the surface is moved for comparison: clearly off the border, still in the same region."""

GRADIENT_SIGMA_MM = 1.5
"""Scale at which the image's gradient is taken."""

BAND = 2.5
"""Half-width of the liver's intensity band in robust standard deviations."""

CORE_MM = 6.0
"""Depth from which a transferred mask is trusted to hold liver only."""

REACH_MM = 10.0
"""How far around the transferred mask a liver is looked for."""

KIDNEY_REACH_MM = 7.0
"""Six dilations at 1.2 mm, as the code of paper 003 does them."""


def boundary_alignment(image: Volume, mask: Volume) -> float:
    """Mean of ``|∇I · n|`` on the mask's surface, relative to its mean over six shifted copies; 1 is chance.

    NaN when the mask has no surface in the image or the image no gradient.
    """
    from scipy import ndimage

    spacing = image.geometry.spacing_zyx
    sigma = [GRADIENT_SIGMA_MM / own for own in spacing]
    array = image.array.astype(np.float32)
    # Masks are steps in x, y and z at once; their smoothed distance has a stable normal.
    distance = ndimage.gaussian_filter(signed_distance_mm(mask).array, [2.0 / own for own in spacing])
    gradient = [
        ndimage.gaussian_filter(array, sigma, order=[int(axis == own) for own in range(3)]) / spacing[axis]
        for axis in range(3)
    ]
    surface = np.argwhere((distance > 0) & ndimage.binary_dilation(distance <= 0))
    if not len(surface):
        return float("nan")
    normal = np.stack([np.gradient(distance, spacing[axis], axis=axis)[tuple(surface.T)] for axis in range(3)])
    normal /= np.maximum(np.linalg.norm(normal, axis=0), 1e-6)

    def mean_at(shift_mm: tuple[float, float, float]) -> float:
        moved = surface + np.rint(np.asarray(shift_mm) / spacing).astype(int)
        inside = ((moved >= 0) & (moved < array.shape)).all(axis=1)
        if not inside.any():
            return float("nan")
        at = tuple(moved[inside].T)
        along = sum(gradient[axis][at] * normal[axis][inside] for axis in range(3))
        return float(np.abs(along).mean())

    shifts = [tuple(sign * SHIFT_MM * (axis == own) for own in range(3)) for axis in range(3) for sign in (-1, 1)]
    elsewhere = np.array([mean_at((float(s[0]), float(s[1]), float(s[2]))) for s in shifts])
    elsewhere = elsewhere[np.isfinite(elsewhere)]
    if not len(elsewhere) or elsewhere.mean() <= 0:
        return float("nan")
    return mean_at((0.0, 0.0, 0.0)) / float(elsewhere.mean())


def coarse_liver(image: Volume, mask: Volume) -> NDArray[np.bool_]:
    """What looks like the core of the mask, in and just around it: an opinion from intensities alone."""
    from scipy import ndimage

    spacing = image.geometry.spacing_zyx
    array = ndimage.gaussian_filter(image.array.astype(np.float32), [1.5 / own for own in spacing])
    core = within(mask, -CORE_MM).array > 0
    if core.sum() < 20:
        core = mask.array > 0
    if not core.any():
        return np.zeros(core.shape, bool)
    middle = np.median(array[core])
    spread = max(1.4826 * float(np.median(np.abs(array[core] - middle))), 1e-6)
    band = (np.abs(array - middle) <= BAND * spread) & (within(mask, REACH_MM).array > 0)
    opened = ndimage.binary_opening(band, _ball(3.0, spacing))
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in largest_component(opened)])
    return filled


def agreement(image: Volume, mask: Volume) -> float:
    """Dice of the mask with :func:`coarse_liver`."""
    return dice(coarse_liver(image, mask), mask.array > 0)


def kidney_agreement(image: Volume, kidney: Volume, others: NDArray[np.bool_], dark: bool = False) -> float:
    """Dice of a transferred kidney with the bright (or dark) side of Otsu's threshold around it.

    :param others: other transferred organs, which are left out.
    :param dark: the kidney is the dark side (in phase), background 0 left out.
    """
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    region = (within(kidney, KIDNEY_REACH_MM).array > 0) & ~others
    values = image.array[region]
    if values.size < 2 or values.min() == values.max():
        return 0.0
    threshold = threshold_otsu(values)
    found = region & ((image.array < threshold) & (image.array > 0) if dark else image.array > threshold)
    spacing = image.geometry.spacing_zyx
    cleaned = ndimage.binary_opening(found, _ball(2.0, spacing))
    cleaned = ndimage.binary_closing(largest_component(cleaned), _ball(4.0, spacing)) & region
    return dice(np.stack([ndimage.binary_fill_holes(plane) for plane in cleaned]), kidney.array > 0)


def _ball(radius_mm: float, spacing_zyx: tuple[float, float, float]) -> NDArray[np.bool_]:
    """A structuring element of a radius in mm; one voxel thick along axes coarser than that."""
    reach = [int(radius_mm / own) for own in spacing_zyx]
    grid = np.ogrid[tuple(slice(-r, r + 1) for r in reach)]
    squares = sum((axis * own / radius_mm) ** 2 for axis, own in zip(grid, spacing_zyx, strict=True))
    ball: NDArray[np.bool_] = np.asarray(squares) <= 1.0
    return ball
