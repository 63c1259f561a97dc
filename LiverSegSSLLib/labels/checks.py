"""Whether an array is what a label file may hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.volume import Geometry, Volume, require_same_grid

Grid = tuple[Geometry, bool]
"""A grid, and whether image files on it are 4-D with a singleton."""


def checked_mask(
    mask: Volume, probability: Volume | None, grid: Grid | None, where: str
) -> tuple[Volume, Volume | None]:
    """A mask as uint8 0/1 and its probability map, both shaped like the earlier labels of the case.

    :param grid: of those labels, if there are any.
    :raises LabelError: the mask holds other values than 0 and 1, or the map leaves [0, 1].
    :raises GeometryError: the grids differ.
    """
    liver = mask.array != 0
    if not np.array_equal(mask.array, liver):
        raise LabelError("the mask holds other values than 0 and 1", where, "give 1 for liver, 0 for the rest")
    singleton = mask.trailing_singleton
    if grid is not None:
        require_same_grid(mask.geometry, grid[0], where)
        singleton = grid[1]
    if probability is not None:
        require_same_grid(probability.geometry, mask.geometry, where)
        # Written so that not-a-number fails too.
        if not (probability.array.min() >= 0 and probability.array.max() <= 1):
            raise LabelError("the probability map leaves [0, 1]", where, "give probabilities, not scores")
        probability = replace(probability, geometry=mask.geometry, trailing_singleton=singleton)
    return replace(mask, array=liver.astype(np.uint8), trailing_singleton=singleton), probability
