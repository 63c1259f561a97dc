"""Carrying the correction of a few slices through an earlier label of the whole volume.

A correction moves outlines. In a corrected slice k it is the field c_k = s_given − s_previous of signed distances (mm);
between two corrected slices it is interpolated linearly, beyond the outermost it fades out, and

    s_new(z) = s_previous(z) + Σ w_k(z) c_k,    w of the nearest corrected slice on either side, Σ w ≤ 1.

In a corrected slice that is the given outline exactly; where nothing was changed, c = 0 and nothing changes: such a
slice is an anchor. Growing a shape by δ in one slice grows it by w δ in its neighbours, whatever its own size there. An
erased false piece vanishes from the neighbours soon (w > r / (r + distance)); a piece added by hand is carried as long
as both sides have it, and shrinks away where only one has.

Where an object is in the given slice or in the previous one only, there is no outline to move; see :func:`carried`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from LiverSegSSLLib.propose.slices.distance import Field, Mask, Spacing, Window, signed_distance, window
from LiverSegSSLLib.propose.slices.interpolation import between, closing

REMAINDER = 0.25
"""A part that an erased slice cuts off goes with it up to this share of the object: the end of a label that runs on
past the organ, or a false piece; a larger one stays, because one erased slice says too little about it."""

Masks = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Carried:
    """One object in all slices. ``bridged``: slices filled between shapes; ``dropped``: slices of parts cut off."""

    masks: Masks
    bridged: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()


def carried(previous: Masks, given: Mapping[int, Mask], spacing: Spacing, step_mm: float, fade_mm: float) -> Carried:
    """One object, corrected in a few slices, in all slices.

    :param previous: booleans (slices, rows, columns); all ``False`` when there is no earlier label.
    :param given: the object in the slices that were given; an empty mask says that it is not there.
    :param spacing: of rows and columns, mm. ``step_mm``: from slice to slice.
    :param fade_mm: beyond the outermost given slices a correction fades to nothing over this way.

    *Given but not there before*: the slices between it and the nearest slice with the object are filled with shapes in
    between; up to a given slice without the object it closes. Beyond, nothing is invented. *There before but erased*:
    its neighbours stay, but what the slice cut off goes (see :data:`REMAINDER`) unless a given slice vouches for it.
    """
    masks = previous.copy()
    if previous.any():
        _move_outlines(masks, previous, given, spacing, step_mm, fade_mm)
    for index, mask in given.items():
        masks[index] = mask
    dropped = _drop_remainders(masks, previous, given)
    bridged = _bridge(masks, previous, given, spacing)
    return Carried(masks, bridged, dropped)


def weights(index: int, given: list[int], step_mm: float, fade_mm: float) -> dict[int, float]:
    """How much of each given slice's correction reaches a slice. ``given``: sorted, at least one."""
    below = [other for other in given if other <= index]
    above = [other for other in given if other >= index]
    if below and above:
        low, high = below[-1], above[0]
        if low == high:
            return {low: 1.0}
        part = (index - low) / (high - low)
        return {low: 1 - part, high: part}
    nearest = below[-1] if below else above[0]
    return {nearest: max(0.0, 1 - abs(index - nearest) * step_mm / fade_mm)}


def _move_outlines(
    masks: Masks, previous: Masks, given: Mapping[int, Mask], spacing: Spacing, step_mm: float, fade_mm: float
) -> None:
    """s_new = s_previous + Σ w c, for the slices that a correction reaches."""
    order = sorted(given)
    changed = [k for k in order if previous[k].any() and given[k].any() and not np.array_equal(previous[k], given[k])]
    if not changed:
        return
    extent: Mask = np.logical_or.reduce(previous)
    shapes = [extent, *(given[k] for k in changed)]
    place = window(shapes, spacing)
    corrections = _corrections(previous, given, changed, place, spacing)
    # A correction is nowhere larger than within the shapes: further out no outline can be moved to.
    farthest = max(0.0, *(float(field.max()) for field in corrections.values()))
    wider = window(shapes, spacing, farthest)
    if wider != place:
        place, corrections = wider, _corrections(previous, given, changed, wider, spacing)
    for index in range(len(previous)):
        shares = {k: w for k, w in weights(index, order, step_mm, fade_mm).items() if w > 0 and k in corrections}
        if index in given or not shares or not previous[index].any():
            continue
        distance = signed_distance(previous[index][place], spacing)
        for k, share in shares.items():
            distance += np.float32(share) * corrections[k]
        masks[index] = False
        masks[index][place] = distance >= 0  # not > 0: between touching objects no pixel is left to nobody


def _corrections(
    previous: Masks, given: Mapping[int, Mask], changed: list[int], place: Window, spacing: Spacing
) -> dict[int, Field]:
    return {
        k: signed_distance(given[k][place], spacing) - signed_distance(previous[k][place], spacing) for k in changed
    }


def _drop_remainders(masks: Masks, previous: Masks, given: Mapping[int, Mask]) -> tuple[int, ...]:
    """Remove what an erased slice cut off; returns the slices in which something went."""
    erased = [k for k, mask in given.items() if previous[k].any() and not mask.any()]
    if not erased:
        return ()
    before = np.count_nonzero(previous)
    parts, count = ndimage.label(masks, np.ones((3, 3, 3), bool))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    vouched = {int(part) for k in given for part in np.unique(parts[k])}
    went: set[int] = set()
    largest = int(np.argmax(sizes[1:])) + 1 if count else 0
    for k in erased:
        for neighbour in (k - 1, k + 1):
            if not 0 <= neighbour < len(masks):
                continue
            # Only what hung together with the erased piece, pixel upon pixel.
            for part in np.unique(parts[neighbour][previous[k]]):
                if part == 0 or int(part) in vouched or part == largest or sizes[part] > REMAINDER * before:
                    continue
                gone = parts == part
                went.update(int(index) for index in np.flatnonzero(gone.any(axis=(1, 2))))
                masks[gone] = False
    return tuple(sorted(went))


def _bridge(masks: Masks, previous: Masks, given: Mapping[int, Mask], spacing: Spacing) -> tuple[int, ...]:
    """Fill the gaps beside slices in which the object is new; returns the slices filled."""
    new = {k for k, mask in given.items() if mask.any() and not previous[k].any()}
    if not new:
        return ()
    stops = sorted(set(np.flatnonzero(masks.any(axis=(1, 2))).tolist()) | set(given))
    filled: list[int] = []
    for low, high in pairwise(stops):
        count = high - low - 1
        if not count or not {low, high} & new:
            continue
        first, last = masks[low], masks[high]
        if first.any() and last.any():
            shapes = between(first, last, count, spacing)
        elif first.any():
            shapes = closing(first, count, spacing)
        else:
            shapes = closing(last, count, spacing)[::-1]
        masks[low + 1 : high] = shapes
        filled.extend(low + 1 + int(index) for index in np.flatnonzero(shapes.any(axis=(1, 2))))
    return tuple(filled)
