"""The versions of a case's label: what there is, and going back to an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from LiverSegSSLLib.errors import LabelError

if TYPE_CHECKING:
    from LiverSegSSLLib.labels.label import Label
    from LiverSegSSLLib.labels.store import LabelStore


@dataclass(frozen=True)
class Version:
    """One version of a case's label; ``stands``: it is the one that counts. ``seconds`` of a person's work on it."""

    label_id: str
    version: int
    source: str
    round: int
    state: str
    author: str
    created: datetime
    volume_ml: float
    seconds: float
    stands: bool


def label_versions(store: LabelStore, case_id: str) -> list[Version]:
    """Every version of a case's label, oldest first."""
    current = store.current(case_id)
    reviewed: dict[str, tuple[str, float]] = {}
    for review in store.history(case_id):
        author, seconds = reviewed.get(review.label_id, ("", 0.0))
        reviewed[review.label_id] = (review.author or author, seconds + review.seconds)
    return [
        Version(
            label.id,
            label.version,
            label.source,
            label.round,
            label.state.value,
            reviewed.get(label.id, (label.author, 0.0))[0],
            label.created,
            label.volume_ml,
            reviewed.get(label.id, ("", 0.0))[1],
            current is not None and label.id == current.id,
        )
        for label in store.labels(case_id=case_id)
    ]


def take_back(store: LabelStore, label_id: str, author: str) -> Label:
    """Make an earlier version the one that stands, as it was; those that stood before it become rejected.

    Nothing is lost: the same can be done with each of those.

    :raises LabelError: there is no such label, or an expert's mask stands.
    """
    from LiverSegSSLLib.labels.label import LabelState
    from LiverSegSSLLib.labels.queries import standing

    wanted = store.label(label_id)
    versions = store.labels(case_id=wanted.case_id)
    if any(label.state is LabelState.EXPERT for label in versions):
        raise LabelError("has an expert's mask, which stays as it is", wanted.case_id)
    if wanted.state is LabelState.REJECTED:
        made_as = next(review.state for review in store.history(wanted.case_id) if review.label_id == label_id)
        wanted = store.review(label_id, made_as, author=author, comment="taken back")
    comment = f"went back to version {wanted.version}"
    while (label := standing(store.labels(case_id=wanted.case_id))[wanted.case_id]).id != label_id:
        store.review(label.id, LabelState.REJECTED, author=author, comment=comment)
    return store.label(label_id)
