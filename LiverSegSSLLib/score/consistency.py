"""Self-consistency of a propagated mask: carried back onto its supports, does it meet their own masks?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from LiverSegSSLLib.score.evidence import Evidence
from LiverSegSSLLib.types import Score

CONSISTENCY = "consistency"
"""Name of the measurement."""


@dataclass(frozen=True)
class ConsistencyScore:
    """Dice that came back, at least ``least_dice``. Value: that Dice.

    Few-shot propagation measures it (:mod:`LiverSegSSLLib.propose.few_shot.consistency`); the support's truth is known,
    the case's is not needed.
    """

    name: ClassVar[str] = "consistency"
    least_dice: float = 0.7

    def __call__(self, evidence: Evidence) -> Score | None:
        """Applies where ``consistency`` was measured."""
        if CONSISTENCY not in evidence.measurements:
            return None
        returned = float(evidence.measurements[CONSISTENCY])
        passed = returned >= self.least_dice
        quality = min(max(returned, 0.0), 1.0) if returned == returned else 0.0
        verdict = "finds the labelled livers again" if passed else "loses the labelled livers"
        return Score(self.name, quality, passed, f"propagated back it {verdict} (Dice {returned:.2f})")
