"""Self-consistency of a propagated mask: carried back onto its supports, does it meet their own masks?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from LiverSegSSLLib.score.evidence import Evidence
from LiverSegSSLLib.types import Score

CONSISTENCY = "consistency"
"""Name of the measurement: the Dice that came back."""

CEILING = "consistency_ceiling"
"""Name of the measurement: the Dice that the supports return to themselves, in the image space that judged."""


@dataclass(frozen=True)
class ConsistencyScore:
    """Share of its ceiling that came back, at least ``least_share``. Value: that share.

    Few-shot propagation measures it (:mod:`LiverSegSSLLib.propose.few_shot.consistency`); the support's truth is known,
    the case's is not needed. Labels of versions that measured no ceiling are judged by the Dice itself, at least
    ``least_dice``.
    """

    name: ClassVar[str] = "consistency"
    least_share: float = 0.7
    least_dice: float = 0.7

    def __call__(self, evidence: Evidence) -> Score | None:
        """Applies where ``consistency`` was measured."""
        if CONSISTENCY not in evidence.measurements:
            return None
        returned = float(evidence.measurements[CONSISTENCY])
        ceiling = float(evidence.measurements.get(CEILING, 0.0))
        known = ceiling > 0
        share = returned / ceiling if known else returned
        passed = share >= (self.least_share if known else self.least_dice)
        quality = min(max(share, 0.0), 1.0) if share == share else 0.0
        verdict = "finds the labelled livers again" if passed else "loses the labelled livers"
        most = f"; they find themselves with {ceiling:.2f}" if known else ""
        return Score(self.name, quality, passed, f"propagated back it {verdict} (Dice {returned:.2f}{most})")
