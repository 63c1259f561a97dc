"""Self-consistency: what was found in the case is propagated back onto the support, whose truth is known.

A mask that went astray does not find its way back: the prompts it makes on the case's slices show something else than
liver, and on the support that something else is found again. The Dice that comes back needs no truth of the case. It
weighs every (support, image space), and its weighted mean is the proposal's score.

Even a right mask does not come back whole: a network follows some image spaces less well than others. What a support
returns to *itself* is the ceiling, and the share of it that came back is what a limit can be set on in any space.
Arrays are (slices, rows, columns) in the canonical frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.components import largest_component
from LiverSegSSLLib.overlap import dice
from LiverSegSSLLib.propose.few_shot.frames import Frames
from LiverSegSSLLib.propose.few_shot.uncertainty import THRESHOLD

Carry = Callable[[Frames, NDArray[np.bool_], Frames], NDArray[np.float32]]
"""Propagates a mask: labelled slices, their mask, other slices → the probability of the latter."""

POWER = 8.0
"""Exponent of the weights; see docs/few_shot.md for the measurement."""

FLOOR = 0.05
"""Dice below it count as it does: when nothing comes back from anywhere, all members weigh the same."""

LEAST_CEILING = 0.25
"""Ceilings below it count as it does: where not even a support finds itself, little that came back proves nothing."""


@dataclass(frozen=True)
class Member:
    """One (support, image space) of a proposal.

    :param returned: the Dice that came back; ``None``: not asked.
    :param ceiling: the Dice that the support returns to itself where it was asked, above 0.
    """

    support: str
    space: str
    returned: float | None = None
    ceiling: float = 1.0

    @property
    def weight(self) -> float:
        """``max(Dice, 0.05) ** 8``; 1 where it was not asked. Only ratios matter.

        Not the share of the ceiling: a support that finds itself badly is the worse guide too (docs/few_shot.md).
        """
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


def case_score(members: Sequence[Member]) -> tuple[float, float] | None:
    """The Dice that came back and its ceiling, means over the members by their weights: how far the proposal can be
    trusted. ``None``: no member was asked."""
    asked = [(member.returned, member.ceiling) for member in members if member.returned is not None]
    if not asked:
        return None
    weights = [member.weight for member in members if member.returned is not None]
    returned, ceiling = np.average(asked, axis=0, weights=weights)
    return float(returned), float(ceiling)
