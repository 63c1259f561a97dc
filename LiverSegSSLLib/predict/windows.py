"""The sliding window's step rule of FLARE24_he (METHODS 6.6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Steps = tuple[float, float, float]

FULL_STEPS = 20
"""More windows than this at the usual step, and the coarse one is used."""

COARSE_STEP: Steps = (1.0, 1.0, 0.5)
"""(z, y, x) as in the reference code. The paper writes the same numbers beside a window in (x, y, z) order, which
would be (0.5, 1, 1) here; the code ran in the challenge."""

Order = Literal["code", "paper"]


def window_counts(image: Sequence[int], window: Sequence[int], step: float | Sequence[float]) -> tuple[int, ...]:
    """Windows along each axis (z, y, x): ``ceil((S - P) / (P f)) + 1`` where the image is larger, else 1."""
    steps = (step,) * len(window) if isinstance(step, int | float) else step
    return tuple(
        math.ceil((side - tile) / (tile * fraction)) + 1 if side > tile else 1
        for side, tile, fraction in zip(image, window, steps, strict=True)
    )


def adaptive_step(image: Sequence[int], window: Sequence[int], step: float = 0.5, order: Order = "code") -> Steps:
    """The step per axis (z, y, x), as fractions of the window.

    ``step`` everywhere, unless that needs more than :data:`FULL_STEPS` windows.

    :param image: size on the network's grid.
    """
    if math.prod(window_counts(image, window, step)) <= FULL_STEPS:
        return (step, step, step)
    return COARSE_STEP if order == "code" else (COARSE_STEP[2], COARSE_STEP[1], COARSE_STEP[0])


def window_starts(image: Sequence[int], window: Sequence[int], step: Sequence[float]) -> list[list[int]]:
    """First index of the windows along each axis, evenly spread as nnU-Net does it."""
    starts = []
    for side, tile, count in zip(image, window, window_counts(image, window, step), strict=True):
        distance = (side - tile) / (count - 1) if count > 1 else 0.0
        starts.append([round(distance * number) for number in range(count)])
    return starts
