"""What a reviewer should look at first: cases by need, and in each case the slices in most doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.cohort.study import split_case_id
from LiverSegSSLLib.doubt import slice_entropy
from LiverSegSSLLib.score.selection import weakest
from LiverSegSSLLib.types import Decision, Score

SLICES = 3
APART = 3


@dataclass(frozen=True)
class ReviewItem:
    """One line of the review queue. ``rank`` counts from 1; ``slices`` are array indices along z, most doubtful first.

    ``reason`` in words: ``T2: in doubt in 14 % of the volume; 2 separate parts, the second of 14 mL``.
    """

    rank: int
    case_id: str
    label_id: str
    need: float
    reason: str
    slices: tuple[int, ...] = ()


def review_order(
    decisions: Iterable[Decision], slices: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[ReviewItem, ...]:
    """The queue, most needed first; equal needs by case id.

    :param slices: by case id, the doubtful slices where a probability is known (:func:`doubtful_slices`).
    """
    known = slices or {}
    ordered = sorted(decisions, key=lambda decision: (-decision.need, decision.case_id, decision.label_id))
    return tuple(
        ReviewItem(
            rank, decision.case_id, decision.label_id, decision.need, _reason(decision), known.get(decision.case_id, ())
        )
        for rank, decision in enumerate(ordered, start=1)
    )


def doubtful_slices(probability: NDArray[Any], count: int = SLICES, apart: int = APART) -> tuple[int, ...]:
    """The slices of a probability ``[z, y, x]`` with most doubt, most doubtful first, as indices along z.

    :param count: how many at most; slices without any doubt are never named.
    :param apart: least distance in slices between two of them; neighbours show the same problem.
    """
    doubt = slice_entropy(probability)
    chosen: list[int] = []
    for index in np.argsort(-doubt, kind="stable"):
        if len(chosen) == count or doubt[index] <= 0:
            break
        if all(abs(int(index) - other) >= apart for other in chosen):
            chosen.append(int(index))
    return tuple(chosen)


def _reason(decision: Decision) -> str:
    phase = split_case_id(decision.case_id)[1].value
    reasons = [score.reason for score in decision.scores if not score.ok]
    if not reasons:
        least = weakest(decision.scores)
        reasons = [least.reason] if least is not None else [decision.reason]
    doubt = _named(decision.scores, "entropy")
    if doubt is not None and doubt.reason not in reasons and not any(score.value == 0 for score in decision.scores):
        reasons.append(doubt.reason)
    return f"{phase}: {'; '.join(reasons)}"


def _named(scores: tuple[Score, ...], name: str) -> Score | None:
    return next((score for score in scores if score.name == name), None)
