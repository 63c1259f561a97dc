"""What the store asks of the ledger, and how a new row is filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from LiverSegSSLLib.cohort.study import split_case_id
from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.labels.files import Staged, owner_of
from LiverSegSSLLib.labels.label import RANK, Label, LabelState
from LiverSegSSLLib.labels.ledger import DecisionRow, LabelRow, ReviewRow, now
from LiverSegSSLLib.labels.rows import from_plain_grid, plain_grid
from LiverSegSSLLib.labels.sidecar import (
    decisions_path,
    label_path,
    mask_path,
    of_label,
    of_review,
    probability_path,
    review_path,
)
from LiverSegSSLLib.volume import Volume, require_same_grid


def complete(row: LabelRow, session: Session, staged: Staged, mask: Volume) -> None:
    """Fill in what depends on the other labels of the case, and on the files."""
    newest = newest_row(session, row.case_id)
    if newest is not None:
        require_same_grid(mask.geometry, from_plain_grid(newest.grid)[0], row.case_id)
    study, phase = split_case_id(row.case_id)
    row.study, row.phase = study, phase.value
    row.version = 1 if newest is None else newest.version + 1
    row.id = f"{row.case_id}.v{row.version}"
    row.path = mask_path(row.case_id, row.id)
    row.probability_path = None if staged.probability is None else probability_path(row.case_id, row.id)
    row.sha256 = staged.sha256
    row.created = now()
    row.volume_ml = mask.volume_ml()
    row.grid = plain_grid(mask)


def find_row(session: Session, label_id: str) -> LabelRow:
    """The row of a label.

    :raises LabelError: there is none.
    """
    row = session.get(LabelRow, label_id)
    if row is None:
        raise LabelError("there is no such label", label_id)
    return row


def row_with_key(session: Session, key: str | None, case_id: str) -> LabelRow | None:
    """The row that was added under a key.

    :raises LabelError: it is of another case.
    """
    if key is None:
        return None
    row = session.scalars(select(LabelRow).where(LabelRow.key == key)).first()
    if row is not None and row.case_id != case_id:
        raise LabelError(f"the key {key!r} belongs to {row.case_id}", case_id, "use another key for each case")
    return row


def newest_row(session: Session, case_id: str) -> LabelRow | None:
    """The row of the highest version of a case."""
    query = select(LabelRow).where(LabelRow.case_id == case_id).order_by(LabelRow.version.desc()).limit(1)
    return session.scalars(query).first()


def review_row(row: LabelRow, author: str, seconds: float, comment: str) -> ReviewRow:
    """The line of history for the state that a label is in now."""
    return ReviewRow(label_id=row.id, state=row.state, author=author, seconds=seconds, comment=comment, time=now())


def known_files(session: Session, label_ids: Collection[str] | None = None) -> tuple[set[str], set[str]]:
    """What a workspace must hold besides the ledger: masks and probability maps; sidecars of labels and verdicts.

    :param label_ids: ask for these labels only, not for all.
    """
    query = select(LabelRow.case_id, LabelRow.id, LabelRow.path, LabelRow.probability_path)
    labels = session.execute(_of(query, LabelRow.id, label_ids)).all()
    images = {path for row in labels for path in (row.path, row.probability_path) if path is not None}
    sidecars = {label_path(row.case_id, row.id) for row in labels}
    of_case = {row.id: row.case_id for row in labels}
    verdicts = _of(_verdicts(ReviewRow.label_id, ReviewRow.number), ReviewRow.label_id, label_ids)
    sidecars |= {review_path(of_case[row.label_id], row.label_id, row.number) for row in session.execute(verdicts)}
    return images, sidecars


def unknown_labels(session: Session, files: Iterable[str]) -> set[str]:
    """Ids of labels that have a sidecar among the files, and no row."""
    owners = {owner_of(name) for name in files if name.endswith(".json")}
    ids = {owner for owner in owners if isinstance(owner, str)}
    return ids - set(session.scalars(select(LabelRow.id))) if ids else ids


def contents(session: Session, workspace: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The sidecars of all labels and verdicts, by where they lie, as the ledger has them.

    :param workspace: its id.
    """
    query = select(LabelRow, ReviewRow).join(ReviewRow, ReviewRow.label_id == LabelRow.id)
    for row, added in session.execute(query.where(ReviewRow.number.in_(_firsts()))):
        yield label_path(row.case_id, row.id), of_label(row, added, workspace)
    verdicts = _verdicts(LabelRow.case_id, ReviewRow).join(LabelRow, LabelRow.id == ReviewRow.label_id)
    for case_id, review in session.execute(verdicts):
        yield review_path(case_id, review.label_id, review.number), of_review(review)


def possible_decisions(session: Session, numbers: Collection[int] | None = None) -> set[str]:
    """Names that a sidecar of decisions may have: that of the first of them.

    :param numbers: ask for these only, not for all.
    """
    query = _of(select(DecisionRow.number), DecisionRow.number, numbers)
    return {decisions_path(number) for number in session.scalars(query)}


def _firsts() -> Select[int]:
    """Numbers of the line that each label's history begins with."""
    return select(func.min(ReviewRow.number)).group_by(ReviewRow.label_id)


def _verdicts(*what: Any) -> Select[Any]:
    """Every line of history but each label's first, which its own sidecar holds."""
    first = aliased(ReviewRow)
    earlier = select(first.number).where(first.label_id == ReviewRow.label_id, first.number < ReviewRow.number)
    return select(*what).where(earlier.exists()).order_by(ReviewRow.number)


def _of(query: Any, column: Any, values: Collection[Any] | None) -> Any:
    """The query for some values of a column only, or for all."""
    return query if values is None else query.where(column.in_(values))


def standing(labels: Iterable[Label]) -> dict[str, Label]:
    """The label that stands for each case; ``labels`` are in order of version."""
    best: dict[str, Label] = {}
    for label in labels:
        if label.state is LabelState.REJECTED:
            continue
        known = best.get(label.case_id)
        if known is None or RANK[label.state] >= RANK[known.state]:
            best[label.case_id] = label
    return best
