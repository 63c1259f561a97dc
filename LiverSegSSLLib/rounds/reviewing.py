"""The review without a window: what to look at first, and a person's verdict on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.study import Cohort
from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.session import FIXED
from LiverSegSSLLib.score.review_order import ReviewItem, doubtful_slices, review_order
from LiverSegSSLLib.spelling import advice
from LiverSegSSLLib.types import Decision
from LiverSegSSLLib.volume import read_mask


def review_queue(store: LabelStore, limit: int | None = None) -> list[ReviewItem]:
    """Cases whose newest label nobody has looked at, most needed first, with their reasons and doubtful slices.

    :param limit: how many; the slices are worked out for these only (each takes one probability map).
    """
    decisions: dict[str, Decision] = {}
    for label in _waiting(store):
        decision = store.decision(label.id)
        if decision is not None:
            decisions[label.case_id] = decision
    first = review_order(decisions.values())[:limit]
    slices = {}
    for item in first:
        probability = store.read_probability(store.label(item.label_id))
        if probability is not None:
            slices[item.case_id] = doubtful_slices(probability.array)
    return list(review_order([decisions[item.case_id] for item in first], slices))


def give_verdict(
    store: LabelStore, case_id: str, state: LabelState, author: str, seconds: float = 0.0, comment: str = ""
) -> Label:
    """Accept or reject the newest label of a case.

    :raises LabelError: the case has no label, or its label is an expert's.
    """
    label = _newest(store, case_id)
    store.review(label.id, state, author=author, seconds=seconds, comment=comment)
    return store.label(label.id)


def correct_with_file(
    store: LabelStore, cohort: Cohort, case_id: str, mask: Path, author: str, seconds: float = 0.0, comment: str = ""
) -> Label:
    """Take a corrected mask from a file: a new version of the case's newest label.

    :raises LabelError: the case has no label, or its label is an expert's.
    :raises GeometryError: the mask is not on the grid of the case's image.
    """
    from LiverSegSSLLib.volume import read_geometry

    label = _newest(store, case_id)
    corrected = read_mask(mask, read_geometry(cohort.case(case_id).image))
    return store.correct(label.id, corrected, author=author, seconds=seconds, comment=comment)


def history_rows(store: LabelStore, case_id: str) -> list[list[Any]]:
    """Every version of a case's label, oldest first: round, source, state, author, mL."""
    return [
        [label.round, label.source, label.state.value, label.author, f"{label.volume_ml:.0f}"]
        for label in store.labels(case_id=case_id)
    ]


def _newest(store: LabelStore, case_id: str) -> Label:
    labels = store.labels(case_id=case_id)
    if not labels:
        known = {label.case_id for label in store.labels()}
        raise LabelError("has no label", case_id, advice(case_id, known) if known else "propose labels first")
    if any(label.state == LabelState.EXPERT for label in labels):
        raise LabelError("has an expert's mask, which stays as it is", case_id)
    return labels[-1]


def _waiting(store: LabelStore) -> list[Label]:
    """The newest label of every case that no person has vouched for."""
    newest: dict[str, Label] = {}
    vouched: set[str] = set()
    for label in store.labels():
        if label.state in FIXED:
            vouched.add(label.case_id)
        newest[label.case_id] = label
    return [label for case_id, label in newest.items() if case_id not in vouched]
