"""Which labelled cases a case is segmented from: its own study and vendor first, else those that look most alike.

METHODS 7.1: the published code takes the ten labelled cases of the same vendor and has no answer for a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.align.body_mask import body_array
from LiverSegSSLLib.align.working import coarser
from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.propose.few_shot.frames import LPS, TOP, published_grey
from LiverSegSSLLib.types import Support
from LiverSegSSLLib.volume import Volume, orient, read_volume

LOOKING_SPACING_MM = 6.0
"""Voxel size at which images are compared."""

RANKS = np.linspace(0.02, 0.98, 49)
"""Of the body's grey values that are compared; the ends are noise and single bright vessels."""

GREY_SCALE = 0.05
"""Difference of grey values (mean over the ranks, black 0 to white 1) that counts as 1."""

AREA_SCALE = 0.2
"""Difference of the logarithm of the body's cross-section that counts as 1."""

FEWEST = 3
"""With fewer supports of the case's own vendor, the next best of other vendors fill up to this number (or to the most
that are allowed): one support alone has nobody to disagree with."""


@dataclass(frozen=True, eq=False)
class Looks:
    """What an image looks like.

    :param grey: the body's grey values (0 … 1) at :data:`RANKS`.
    :param area_cm2: the body's mean cross-section, which does not depend on how many slices were taken.
    """

    grey: NDArray[np.float64]
    area_cm2: float


def looks_of(volume: Volume) -> Looks:
    """Histogram and size of the body."""
    rough = coarser(orient(volume, LPS), LOOKING_SPACING_MM)
    grey = published_grey(rough.array)[0] / TOP
    body = body_array(grey)
    if not body.any():
        body = np.ones(grey.shape, bool)
    columns_mm, rows_mm = rough.geometry.spacing[:2]
    pixels = np.count_nonzero(body, axis=(1, 2))
    return Looks(np.quantile(grey[body], RANKS), float(pixels[pixels > 0].mean()) * columns_mm * rows_mm / 100.0)


def unlikeness(a: Looks, b: Looks) -> float:
    """0 for the same image; histograms (their Wasserstein distance) and body sizes count alike."""
    grey = float(np.abs(a.grey - b.grey).mean()) / GREY_SCALE
    return grey + abs(float(np.log(a.area_cm2 / b.area_cm2))) / AREA_SCALE


def looks_of_case(case: Case) -> Looks:
    """:func:`looks_of` the case's image; kept while the file stays as it is.

    :raises ImageError: it cannot be read.
    """
    return _looks_of_file(case.image, case.image.stat().st_mtime_ns)


def choose_supports(
    target: Case,
    available: Sequence[Support],
    most: int,
    fewest: int = FEWEST,
    looks: Callable[[Case], Looks] = looks_of_case,
) -> list[Support]:
    """At most ``most`` supports, best first.

    In this order: the target's own study, its own phase, its own vendor, expert labels, likeness, name. Once the
    supports of the target's own study and vendor number ``fewest``, no other vendor's is taken (the published rule);
    for a vendor that nobody labelled likeness alone decides.
    """
    others = [support for support in available if support.case.id != target.id]
    if not others:
        return []

    def group(support: Support) -> tuple[bool, bool, bool, bool]:
        case = support.case
        foreign = not target.vendor or case.vendor != target.vendor
        return case.study != target.study, case.phase != target.phase, foreign, not support.expert

    # Nothing is read where every support is taken and only one could come first anyway.
    own = None if len(others) == 1 else looks(target)

    def rank(support: Support) -> tuple[tuple[bool, bool, bool, bool], float, str]:
        unlike = 0.0 if own is None else unlikeness(own, looks(support.case))
        return group(support), unlike, support.case.id

    ranked = sorted(others, key=rank)
    near = [
        support
        for support in ranked
        if support.case.study == target.study or (target.vendor and support.case.vendor == target.vendor)
    ]
    if not near:
        return ranked[:most]
    if len(near) < fewest:
        far = [support for support in ranked if support not in near]
        near += far[: fewest - len(near)]
    return near[:most]


@lru_cache(maxsize=4096)
def _looks_of_file(image: Path, _modified: int) -> Looks:
    return looks_of(read_volume(image))
