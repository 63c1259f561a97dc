"""The shape of an object between two of its slices. No weights, no image: geometry alone.

Signed distances are interpolated (Raya & Udupa, "Shape-based interpolation of multidimensional objects", IEEE TMI
1990). Parts are matched by overlap, laid over each other when they moved sideways, and closed where they end, as in
Zukić et al. ("nD morphological contour interpolation", Insight Journal 2016).

Their ITK filter is the reference in the tests, and not what runs: loading it took 6 to 24 s; with several slices and
more than one thread it corrupted the heap (itk-morphologicalcontourinterpolation 2.1.2, 5 of 8 runs ended with
"malloc_consolidate(): unaligned fastbin chunk"), which would end the application and the reviewer's work with it; and
on shapes whose truth is known it is further off (Dice 0.929 to 0.981 against 0.978 to 0.999 here).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from LiverSegSSLLib.propose.slices.distance import Mask, Spacing, signed_distance, window

_AROUND = np.zeros((3, 3, 3), bool)
"""Neighbours that are one part: the eight around in the slice, and the same pixel in the other slice."""
_AROUND[1] = True
_AROUND[:, 1, 1] = True


def between(first: Mask, last: Mask, count: int, spacing: Spacing) -> NDArray[np.bool_]:
    """The ``count`` slices that lie evenly between two slices in which an object is.

    Parts that overlap go over into each other. A part without a partner ends on the way (:func:`closing`), unless both
    slices have one part only: then it has moved, and is carried along a straight line.

    :returns: booleans (count, rows, columns).
    """
    result = np.zeros((count, *first.shape), bool)
    if not count:
        return result
    for one, other in _pairs(first, last):
        if not other.any():
            result |= closing(one, count, spacing)
        elif not one.any():
            result |= closing(other, count, spacing)[::-1]
        else:
            result |= _morph(one, other, count, spacing)
    return result


def closing(mask: Mask, count: int, spacing: Spacing) -> NDArray[np.bool_]:
    """An object that is in a slice and no longer in the one ``count + 1`` further on: the ``count`` slices between.

    Its half-width falls as the root of the way left, like a paraboloid's. That has half the volume of the straight
    prism: right on average, when all is known is that the end lies somewhere on the way.
    """
    result = np.zeros((count, *mask.shape), bool)
    place = window([mask], spacing)
    distance = signed_distance(mask[place], spacing)
    thickest = float(distance.max())
    for index in range(count):
        left = 1 - (index + 1) / (count + 1)
        result[index][place] = distance > thickest * (1 - left**0.5)
    return result


def _pairs(first: Mask, last: Mask) -> Iterator[tuple[Mask, Mask]]:
    """Parts that go over into each other: those joined by overlaps; a part alone is paired with nothing."""
    if all(ndimage.label(mask, _AROUND[1])[1] == 1 for mask in (first, last)):
        yield first, last
        return
    joined, count = ndimage.label(np.stack([first, last]), _AROUND)
    for part in range(1, count + 1):
        yield joined[0] == part, joined[1] == part


def _morph(first: Mask, last: Mask, count: int, spacing: Spacing) -> NDArray[np.bool_]:
    result = np.zeros((count, *first.shape), bool)
    shift = _shift(first, last)
    reach = float(np.hypot(*(shift * np.asarray(spacing))))
    place = window([first, last], spacing, reach)
    start, end = (signed_distance(mask[place], spacing) for mask in (first, last))
    for index in range(count):
        way = (index + 1) / (count + 1)
        one, other = start, end
        if shift.any():
            one = ndimage.shift(start, shift * way, order=1, mode="nearest")
            other = ndimage.shift(end, shift * (way - 1), order=1, mode="nearest")
        result[index][place] = (1 - way) * one + way * other >= 0
    return result


def _shift(first: Mask, last: Mask) -> NDArray[np.float64]:
    """How the object has moved, in pixels: from centre to centre if that makes both overlap more, else not at all.

    Where a part of the object ends, the centre moves and the rest does not; then nothing is moved.
    """
    centres = [np.argwhere(mask).mean(axis=0) for mask in (first, last)]
    shift: NDArray[np.float64] = centres[1] - centres[0]
    whole = np.round(shift).astype(int)
    if not whole.any():
        return np.zeros(2)
    moved = _rolled(first, whole)
    if np.count_nonzero(moved & last) > np.count_nonzero(first & last):
        return shift
    return np.zeros(2)


def _rolled(mask: Mask, by: NDArray[np.int_]) -> Mask:
    """The mask moved by whole pixels; what leaves the slice is lost."""
    moved = np.zeros_like(mask)
    source, target = [], []
    for size, step in zip(mask.shape, by, strict=True):
        source.append(slice(max(-step, 0), size - max(step, 0)))
        target.append(slice(max(step, 0), size - max(-step, 0)))
    moved[tuple(target)] = mask[tuple(source)]
    return moved
