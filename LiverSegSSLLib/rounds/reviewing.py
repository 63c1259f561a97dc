"""The review without a window: what to look at first, and a person's verdict on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.study import Cohort
from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.score.review_order import ReviewItem, doubtful_slices, review_order
from LiverSegSSLLib.spelling import advice
from LiverSegSSLLib.volume import read_mask


def review_queue(store: LabelStore, limit: int | None = None, slices: bool = True) -> list[ReviewItem]:
    """Cases whose label nobody has looked at, most needed first, with their reasons and doubtful slices.

    :param limit: how many; the slices are worked out for these only.
    :param slices: work out the doubtful slices, which takes reading one probability map a case.
    """
    known = store.decisions()
    waiting = [label.id for label in store.current_all().values() if label.state is LabelState.PROPOSED]
    decisions = {known[label_id].case_id: known[label_id] for label_id in waiting if label_id in known}
    first = review_order(decisions.values())[:limit]
    doubtful = {}
    for item in first if slices else ():
        probability = store.read_probability(store.label(item.label_id))
        if probability is not None:
            doubtful[item.case_id] = doubtful_slices(probability.array)
    return list(review_order([decisions[item.case_id] for item in first], doubtful))


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

    :raises LabelError: the case has no label or no image, or its label is an expert's.
    :raises GeometryError: the mask is not on the grid of the case's image.
    """
    from LiverSegSSLLib.volume import read_geometry

    label = _newest(store, case_id)
    case = next((case for case in cohort.cases() if case.id == case_id), None)
    if case is None:
        raise LabelError("is not in the cohort", case_id, "look whether its image was moved, or cannot be read")
    corrected = read_mask(mask, read_geometry(case.image))
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
