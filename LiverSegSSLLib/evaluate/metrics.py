"""How well a mask agrees with the truth: Dice, Hausdorff distance, HD95, ASSD, surface Dice.

Masks are arrays ``[z, y, x]`` on one grid, non-zero is foreground; distances in mm.
The Hausdorff distance is the full one (maximum, both directions), as CARE-Liver ranks by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib import overlap
from LiverSegSSLLib.components import bounding_box
from LiverSegSSLLib.errors import GeometryError
from LiverSegSSLLib.evaluate.surfaces import SpacingZYX, surface, surface_distances

LIVER_TOLERANCE_MM = 5.0
"""Surface Dice tolerance for the liver, FLARE24's; the other organs' stand in ``Resources/metrics.yaml``."""

ROBUST_PERCENT = 95.0


@dataclass(frozen=True)
class Measures:
    """One mask against one truth. Distances are NaN where exactly one mask is empty, 0 where both are."""

    dice: float
    hd_mm: float
    hd95_mm: float
    assd_mm: float
    nsd: float
    truth_empty: bool
    mask_empty: bool


def dice(truth: NDArray[Any], mask: NDArray[Any]) -> float:
    """:func:`LiverSegSSLLib.overlap.dice`.

    :raises GeometryError: the arrays have different shapes.
    """
    _require_same_shape(truth, mask)
    return overlap.dice(truth, mask)


def measure(
    truth: NDArray[Any],
    mask: NDArray[Any],
    spacing_zyx: SpacingZYX,
    tolerance_mm: float = LIVER_TOLERANCE_MM,
    empty_is_diagonal: bool = False,
) -> Measures:
    """All measures of one mask at once.

    :param tolerance_mm: for the surface Dice.
    :param empty_is_diagonal: where exactly one mask is empty the distances are undefined; ``True`` gives the
        diagonal of the image in mm instead of NaN, a penalty that can be averaged.
    :raises GeometryError: the arrays have different shapes.
    """
    _require_same_shape(truth, mask)
    truth_box, mask_box = bounding_box(truth), bounding_box(mask)
    if truth_box is None and mask_box is None:
        return Measures(1.0, 0.0, 0.0, 0.0, 1.0, True, True)
    if truth_box is None or mask_box is None:
        gone = image_diagonal_mm(truth.shape, spacing_zyx) if empty_is_diagonal else float("nan")
        return Measures(0.0, gone, gone, gone, 0.0, truth_box is None, mask_box is None)
    box = tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(truth_box, mask_box, strict=True))
    truth, mask = truth[box], mask[box]
    distances = surface_distances(surface(truth, spacing_zyx), surface(mask, spacing_zyx))
    return Measures(
        dice=dice(truth, mask),
        hd_mm=distances.hausdorff(),
        hd95_mm=distances.hausdorff(ROBUST_PERCENT),
        assd_mm=distances.average(),
        nsd=distances.surface_dice(tolerance_mm),
        truth_empty=False,
        mask_empty=False,
    )


def image_diagonal_mm(shape: tuple[int, ...], spacing_zyx: SpacingZYX) -> float:
    """Length of the diagonal between the outer corners of an image."""
    return float(np.linalg.norm(np.asarray(shape) * np.asarray(spacing_zyx)))


def _require_same_shape(truth: NDArray[Any], mask: NDArray[Any]) -> None:
    if truth.shape != mask.shape:
        raise GeometryError(
            f"the mask has {mask.shape} voxels (z, y, x) and its truth {truth.shape}",
            remedy="resample the mask onto the truth's grid (nearest neighbour)",
        )
