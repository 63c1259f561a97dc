"""Acceptance gates of label transfer by registration (METHODS 6.4): liver-only, and by organ Dice.

They read what the registration measured (:attr:`Proposal.measurements`); a missing measurement is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.score.evidence import Evidence, failed
from LiverSegSSLLib.types import Score

CONTRAST_PHASES = frozenset({Phase.T1, Phase.GED1, Phase.GED2, Phase.GED3, Phase.GED4})
"""T1-weighted phases that look alike to a registration: the lenient rule of the organ gate (EAP, PVP, DP there)."""


@dataclass(frozen=True)
class GateScore:
    """Liver-only gate: is the transferred mask where the image has a liver? Value: mean of how well each test is met.

    :param most_inverse_mm: registering back must return the liver to within this, ``inverse_consistency_mm``.
    :param least_alignment: gradient of the image across the mask's boundary relative to a shifted boundary,
        ``boundary_alignment``; 1 is chance.
    :param least_agreement: Dice with an independent opinion (other source, present network), ``agreement``.
    :param least_mi_gain: gain of mutual information over not registering, ``mi_gain``; verdict only, it does not rank.
    """

    name: ClassVar[str] = "gate"
    most_inverse_mm: float = 3.0
    least_alignment: float = 1.0
    least_agreement: float = 0.7
    least_mi_gain: float = 0.0

    def __call__(self, evidence: Evidence) -> Score | None:
        """Applies where at least one of the four was measured."""
        return self.judge(evidence.measurements)

    def judge(self, measured: Mapping[str, float]) -> Score | None:
        """Score from measurements by name; NaN counts as a failed measurement."""
        qualities: list[float] = []
        good: list[str] = []
        wrong: list[str] = []

        def test(passed: bool, quality: float, what: str) -> None:
            qualities.append(min(max(quality, 0.0), 1.0) if quality == quality else 0.0)
            (good if passed else wrong).append(what)

        if "inverse_consistency_mm" in measured:
            error = measured["inverse_consistency_mm"]
            limit = self.most_inverse_mm
            test(error < limit, limit / (limit + error), f"registering there and back misses by {error:.1f} mm")
        if "boundary_alignment" in measured:
            ratio = measured["boundary_alignment"]
            what = "the outline follows" if ratio > self.least_alignment else "the outline does not follow"
            test(ratio > self.least_alignment, ratio / (ratio + 1.0), f"{what} an edge in the image (×{ratio:.1f})")
        if "agreement" in measured:
            overlap = measured["agreement"]
            what = "agrees" if overlap >= self.least_agreement else "disagrees"
            test(overlap >= self.least_agreement, overlap, f"{what} with a second opinion (Dice {overlap:.2f})")
        if "mi_gain" in measured:
            gain = measured["mi_gain"]
            # Images that matched from the start gain little, and nothing is wrong with them: a verdict, not a rank.
            kept = gain >= self.least_mi_gain
            what = "did not worsen" if kept else "worsened"
            test(kept, float(kept), f"registration {what} the match ({gain:+.2f})")
        if not qualities:
            return None
        value = sum(qualities) / len(qualities)
        return Score(self.name, value, not wrong, "; ".join(wrong or good))


@dataclass(frozen=True)
class OrganGateScore:
    """Kidney gate: do the kidneys found in the image lie where the transferred kidneys are?

    Contrast phases pass unless **both** Dice are below ``usual``; DWI, T2 and in-phase fail if **any** is below
    ``least`` or both are below ``usual``. Opposed phase shares in-phase's transform and its verdict: its measurements
    are in-phase's. Value: mean of the two Dice.
    """

    name: ClassVar[str] = "organ_gate"
    usual: float = 0.85
    least: float = 0.80

    def __call__(self, evidence: Evidence) -> Score | None:
        """Applies where ``right_kidney_dice`` and ``left_kidney_dice`` were measured."""
        return self.judge(evidence.case.phase, evidence.measurements)

    def judge(self, phase: Phase, measured: Mapping[str, float]) -> Score | None:
        """Score of one phase; ``None`` when no kidney was measured."""
        if not {"right_kidney_dice", "left_kidney_dice"} <= set(measured):
            return None
        dice = (measured["right_kidney_dice"], measured["left_kidney_dice"])
        one_usual = any(value >= self.usual for value in dice)
        passed = one_usual if phase in CONTRAST_PHASES else one_usual and all(value >= self.least for value in dice)
        verdict = "kidneys match" if passed else "kidneys do not match"
        return Score(self.name, sum(dice) / 2, passed, f"{verdict} (Dice right {dice[0]:.2f}, left {dice[1]:.2f})")

    def judge_study(
        self, measured: Mapping[Phase, Mapping[str, float]], all_or_nothing: bool = True
    ) -> dict[Phase, Score]:
        """Scores of the phases of one study, opposed phase after in-phase.

        :param measured: by phase; opposed phase needs none of its own.
        :param all_or_nothing: a study of which no phase passes loses its T1 too, as in the code of the paper.
        """
        scores = {}
        for phase, values in measured.items():
            score = self.judge(phase, measured.get(Phase.IP, values) if phase == Phase.OP else values)
            if score is not None:
                scores[phase] = score
        others = [score for phase, score in scores.items() if phase != Phase.T1]
        if all_or_nothing and others and not any(score.ok for score in others):
            scores[Phase.T1] = failed(self.name, "no other phase of the study could be matched")
        return scores
