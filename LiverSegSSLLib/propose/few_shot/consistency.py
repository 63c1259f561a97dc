"""Self-consistency: what was found in the case is propagated back onto the support, whose truth is known.

A mask that went astray does not find its way back: the prompts it makes on the case's slices show something else than
liver, and on the support that something else is found again. The Dice that comes back needs no truth of the case. It
weighs every (support, image space), and its weighted mean is the proposal's score. Arrays are (slices, rows, columns)
in the canonical frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.components import largest_component
from LiverSegSSLLib.propose.few_shot.frames import Frames
from LiverSegSSLLib.propose.few_shot.uncertainty import THRESHOLD

Carry = Callable[[Frames, NDArray[np.bool_], Frames], NDArray[np.float32]]
"""Propagates a mask: labelled slices, their mask, other slices → the probability of the latter."""

POWER = 8.0
"""Exponent of the weights; see docs/few_shot.md for the measurement."""

FLOOR = 0.05
"""Dice below it count as it does: when nothing comes back from anywhere, all members weigh the same."""


@dataclass(frozen=True)
class Member:
    """One (support, image space) of a proposal. ``returned``: the Dice that came back; ``None``: not asked."""

    support: str
    space: str
    returned: float | None = None

    @property
    def weight(self) -> float:
        """``max(Dice, 0.05) ** 8``; 1 where it was not asked. Only ratios matter."""
        return 1.0 if self.returned is None else weight_of(self.returned)


def weight_of(returned: float, power: float = POWER) -> float:
    """Weight of a member in the mean, above 0 and rising with the Dice that came back.

    A power, not the Dice itself: of two spaces with 0.9 and 0.6 the second is nearly always wrong, and would still
    have two fifths of the say.
    """
    return float(max(returned, FLOOR) ** power)


def returned_dice(
    carry: Carry, support: Frames, truth: NDArray[np.bool_], case: Frames, found: NDArray[np.floating]
) -> float:
    """Dice of the support's truth with what comes back from the case; 0 where nothing was found there.

    :param truth: the support's mask.
    :param case: the case's slices, in the same image space as the support's.
    :param found: the case's probability. Its largest part at ½ goes back, as it would be kept.
    """
    mask = largest_component(np.asarray(found) >= THRESHOLD)
    if not mask.any():
        return 0.0
    back = carry(case, mask, support) >= THRESHOLD
    return dice(back, truth)


def dice(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    """Twice the overlap by the sum; 1 where both are empty."""
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(two))
    return 2.0 * int(np.count_nonzero(one & two)) / total if total else 1.0


def case_score(members: list[Member]) -> float | None:
    """The Dice that came back, mean over the members by their weights: how far the proposal can be trusted."""
    asked = [member for member in members if member.returned is not None]
    if not asked:
        return None
    weights = [member.weight for member in asked]
    return float(np.average([member.returned or 0.0 for member in asked], weights=weights))
