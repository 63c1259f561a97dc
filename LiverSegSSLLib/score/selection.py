"""Which pseudo labels are trained on: those that pass every score, and of these the best of each phase and vendor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, prod
from typing import Literal

from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.score.evidence import percent
from LiverSegSSLLib.types import Decision, Score

Grouping = Literal["phase", "vendor"]


@dataclass(frozen=True)
class Judged:
    """A pseudo label and its scores."""

    case: Case
    label_id: str
    scores: tuple[Score, ...]

    @property
    def passed(self) -> bool:
        """Every score says so."""
        return all(score.ok for score in self.scores)

    @property
    def quality(self) -> float:
        """Geometric mean of the scores' values, 0 … 1: one failure makes it 0. 1 without any score."""
        values = [min(max(score.value, 0.0), 1.0) for score in self.scores]
        return float(prod(values) ** (1 / len(values))) if values else 1.0


@dataclass(frozen=True)
class Selection:
    """How to choose.

    :param keep: best fraction kept of the labels of a group that pass, 0 … 1; FLARE22 kept 96 %, paper 002 a fraction
        it does not explain; 85 % is METHODS' default. Rounded half up.
    :param minimum: kept of each group at least, if as many pass.
    :param least_quality: a fixed threshold instead of the rank (with ``keep=1``), or in addition to it.
    :param by: what makes a group. A phase that all methods find hard (T2) must not lose all its cases to an easy one.
    """

    keep: float = 0.85
    minimum: int = 1
    least_quality: float = 0.0
    by: tuple[Grouping, ...] = ("phase", "vendor")

    def __post_init__(self) -> None:
        if not (0.0 <= self.keep <= 1.0 and 0.0 <= self.least_quality <= 1.0 and self.minimum >= 0):
            raise RecipeError(
                f"cannot be keep {self.keep}, minimum {self.minimum}, least_quality {self.least_quality}",
                "select",
                "keep and least_quality lie between 0 and 1, minimum is 0 or more",
            )


def select(judged: Iterable[Judged], how: Selection | None = None) -> tuple[Decision, ...]:
    """Decide on every pseudo label; the order of the input does not matter, the result is sorted by case id.

    :param how: ``None``: the defaults of :class:`Selection`.
    """
    how = how or Selection()
    groups: dict[tuple[str, ...], list[Judged]] = {}
    for one in judged:
        groups.setdefault(_group(one.case, how.by), []).append(one)
    decisions = [decision for group in groups.values() for decision in _select_group(group, how)]
    return tuple(sorted(decisions, key=lambda decision: (decision.case_id, decision.label_id)))


def weakest(scores: Sequence[Score]) -> Score | None:
    """The score that speaks most against a label: a failed one first, then the lowest value."""
    return min(scores, key=lambda score: (score.ok, score.value), default=None)


def _select_group(group: Sequence[Judged], how: Selection) -> list[Decision]:
    passed = [one for one in group if one.passed and one.quality >= how.least_quality]
    passed.sort(key=lambda one: (-one.quality, one.case.id, one.label_id))
    places = min(len(passed), max(how.minimum, floor(how.keep * len(passed) + 0.5)))
    kept = {id(one) for one in passed[:places]}
    return [_decide(one, id(one) in kept, how) for one in group]


def _decide(one: Judged, keep: bool, how: Selection) -> Decision:
    # Correcting a label that is not trained on adds one to the training; checking one that is only mends it.
    need = 0.5 * (1.0 - one.quality) + (0.0 if keep else 0.5)
    return Decision(one.case.id, one.label_id, one.scores, keep, _reason(one, keep, how), need)


def _reason(one: Judged, keep: bool, how: Selection) -> str:
    against = weakest(one.scores)
    if keep or against is None:
        return "passes every score"
    if not one.passed:
        return "; ".join(score.reason for score in one.scores if not score.ok)
    if one.quality < how.least_quality:
        return f"quality {one.quality:.2f} is below {how.least_quality:.2f}: {against.reason}"
    group = " ".join(_group(one.case, how.by)) or "cohort"
    return f"not among the best {percent(how.keep)} of {group}: {against.reason}"


def _group(case: Case, by: tuple[Grouping, ...]) -> tuple[str, ...]:
    names = {"phase": case.phase.value, "vendor": f"vendor {case.vendor}" if case.vendor else ""}
    return tuple(names[key] for key in by if names[key])
