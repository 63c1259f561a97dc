"""What a score may look at, and the protocol of a score.

Values of scores are qualities: 1 is best, 0 is a failure, whatever the raw quantity is; so they can be ranked and
combined. The raw quantity, with its unit, stands in the reason, and the limits in the options are raw quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.types import NOTHING, Score
from LiverSegSSLLib.volume import Volume


@dataclass(frozen=True, eq=False)
class Evidence:
    """One pseudo label and what is known about it, all on the case's native grid.

    ``mask``: 0/1 liver. ``probability``: the proposal's, if it is kept. ``earlier``: masks of the rounds before,
    oldest first. ``measurements``: :attr:`Proposal.measurements`. ``failure``: why the proposal failed; then ``mask``
    may be ``None``.
    """

    case: Case
    mask: Volume | None
    probability: Volume | None = None
    earlier: tuple[Volume, ...] = ()
    measurements: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    failure: str = ""


class Scorer(Protocol):
    """Judges one pseudo label. Its options are the fields of a frozen dataclass."""

    name: ClassVar[str]
    """Its name in a recipe and in :attr:`Score.name`."""

    def __call__(self, evidence: Evidence) -> Score | None:
        """The score; ``None`` when it does not apply (stability in the first round, a gate without registration)."""
        ...


def failed(name: str, reason: str) -> Score:
    """The score of what cannot be used: value 0 and the reason."""
    return Score(name, 0.0, False, reason)


def millilitres(volume_ml: float) -> str:
    """A volume as a person writes it: ``0.3 mL``, ``14 mL``, ``1530 mL``."""
    return f"{volume_ml:.0f} mL" if volume_ml >= 10 else f"{volume_ml:.2g} mL"


def percent(share: float) -> str:
    """A share as a person writes it: ``14 %``, ``0.4 %``."""
    value = 100.0 * share
    return f"{value:.0f} %" if value >= 1 or value == 0 else f"{value:.1g} %"
