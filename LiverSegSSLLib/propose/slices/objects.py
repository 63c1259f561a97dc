"""Several objects at once: which one a voxel belongs to, in a way that does not depend on their label values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.propose.slices.distance import Spacing, signed_distance


def object_values(given: Sequence[NDArray[Any]], previous: NDArray[Any] | None) -> list[int]:
    """The label values there are, in the order in which the objects first appear: in the given slices, then elsewhere.

    Not by value: what is decided by this order must not change with the names of the objects.
    """
    values: list[int] = []
    for labels in (*given, *(() if previous is None else (previous,))):
        flat = labels.ravel()
        new = set(np.flatnonzero(np.bincount(flat)).tolist()) - {0, *values}
        values.extend(sorted(new, key=lambda value: int(np.argmax(flat == value))))
    return values


def together(masks: Mapping[int, NDArray[np.bool_]], labels: NDArray[Any], spacing: Spacing) -> None:
    """Write objects into a label map (slices, rows, columns), in the order of ``masks``.

    A voxel that several objects claim goes to the one whose outline in that slice it lies deepest within; at equal
    depth to the one that comes first.
    """
    claims = np.zeros(labels.shape, np.uint8)
    for value, mask in masks.items():
        labels[mask & (claims == 0)] = value
        claims += mask
    for index in np.flatnonzero((claims > 1).any(axis=(1, 2))).tolist():
        contested = claims[index] > 1
        deepest = np.full(labels.shape[1:], -np.inf, np.float32)
        for value, mask in masks.items():
            depth = signed_distance(mask[index], spacing)
            wins = contested & mask[index] & (depth > deepest)
            labels[index][wins] = value
            deepest[wins] = depth[wins]
