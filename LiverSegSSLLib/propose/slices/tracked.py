"""A network's answer between given slices, giving way to an earlier label beyond them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.propose.slices.correction import weights
from LiverSegSSLLib.propose.slices.distance import Mask, Spacing, signed_distance

SURE = 0.5
"""Probability from which a voxel counts as part of the object."""


def tracked(
    probability: NDArray[np.float32],
    previous: NDArray[np.bool_],
    given: Mapping[int, Mask],
    spacing: Spacing,
    step_mm: float,
    fade_mm: float | None,
) -> NDArray[np.bool_]:
    """One object in all slices, booleans (slices, rows, columns); the given slices exactly as given.

    :param probability: the network's, (slices, rows, columns).
    :param fade_mm: beyond the outermost given slices the outline goes over from the network's to the previous one's
        over this way; ``None``: the network decides everywhere.
    """
    masks: NDArray[np.bool_] = probability >= SURE
    order = sorted(given)
    for index in range(len(masks)):
        if index in given:
            masks[index] = given[index]
        elif fade_mm is not None:
            share = sum(weights(index, order, step_mm, fade_mm).values())
            masks[index] = _blend(masks[index], previous[index], share, spacing)
    return masks


def _blend(ours: Mask, theirs: Mask, share: float, spacing: Spacing) -> Mask:
    """The outline that lies ``share`` of the way from theirs to ours; where one has none, the nearer one decides."""
    if share >= 1 or np.array_equal(ours, theirs):
        return ours
    if share <= 0 or not ours.any() or not theirs.any():
        return ours if share > 0.5 else theirs
    blend: Mask = share * signed_distance(ours, spacing) + (1 - share) * signed_distance(theirs, spacing) >= 0
    return blend
