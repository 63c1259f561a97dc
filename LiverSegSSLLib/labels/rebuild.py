"""A ledger that is lost or damaged is made again from the sidecars that lie beside the labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import URL, select
from sqlalchemy.orm import Session

from LiverSegSSLLib.cohort.names import safe_key
from LiverSegSSLLib.cohort.study import split_case_id
from LiverSegSSLLib.errors import LabelError, WorkspaceError
from LiverSegSSLLib.labels.files import LabelFiles
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.ledger import LEDGER, Base, DecisionRow, LabelRow, Ledger, ReviewRow, ScoreRow, sqlite_url
from LiverSegSSLLib.labels.marker import Marker, read_marker, write_marker
from LiverSegSSLLib.labels.rows import from_plain_grid
from LiverSegSSLLib.labels.sidecar import LABELS, label_path, mask_path, probability_path, read_rows

_NEW = "ledger.rebuilt.sqlite"
_BESIDE = ("-wal", "-shm", "-journal")
"""Ends of the names of the files that SQLite keeps beside a database."""


@dataclass(frozen=True)
class Rebuilt:
    """What was found beside the labels; ``left_out``: sidecars that could not be used, and why.

    ``old``: where the damaged ledger lies now, if there was one.
    """

    labels: int
    decisions: int
    left_out: tuple[str, ...]
    old: Path | None


def rebuild(workspace: Path, url: str | URL | None = None) -> Rebuilt:
    """Make the ledger of a workspace again. No other process may have the workspace open.

    The new ledger is made aside and takes the place of the damaged one, which is moved to ``lost+found``. A kill at any
    moment leaves the one or the other, or none; then the next call does all of it again.

    :param url: of an empty database; ``None``: the file in the workspace.
    :raises WorkspaceError: there are no sidecars to make it from, or the database is not empty.
    """
    files = LabelFiles(workspace)
    found = _Found(workspace)
    for path in sorted((workspace / LABELS).glob("*/*.json")):
        found.take(path)
    if not found.labels:
        what = "the ledger cannot be made again: there is no sidecar of a label"
        raise WorkspaceError(what, workspace / LABELS, "restore the workspace from a backup")
    if len(found.workspaces) > 1:
        raise WorkspaceError("holds labels of several workspaces", workspace / LABELS, "take them apart")
    owner = found.workspaces.pop()
    new = workspace / _NEW
    _remove(new)
    ledger = Ledger(url if url is not None else sqlite_url(new))
    try:
        if ledger.owner() is None:
            ledger.create(owner, partial(_fill, ledger, found))
        else:
            with ledger.writing() as session:
                _fill(ledger, found, session)
    finally:
        ledger.close()
    old = None
    if url is None:
        old = _take_place(files, new, workspace / LEDGER)
    try:
        marked = read_marker(workspace) == Marker(owner, ledger.url.get_backend_name())
    except WorkspaceError:
        marked = False
    if not marked:
        write_marker(workspace, Marker(owner, ledger.url.get_backend_name()))
    decisions = sum(isinstance(row, DecisionRow) for row in found.verdicts.values())
    return Rebuilt(len(found.labels), decisions, tuple(found.left_out), old)


class _Found:
    """The rows of all sidecars that can be used."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.labels: dict[str, LabelRow] = {}
        self.reviews: dict[int, ReviewRow] = {}
        self.verdicts: dict[tuple[type, int], DecisionRow | ScoreRow] = {}
        self.workspaces: set[str] = set()
        self.left_out: list[str] = []

    def take(self, path: Path) -> None:
        """Keep the rows of a sidecar, or note why not."""
        try:
            rows, workspace = read_rows(path)
            for row in rows:
                _check(row, path, self.workspace)
        except LabelError as error:
            self.left_out.append(str(error))
            return
        self.workspaces.update({workspace} - {""})
        for row in rows:
            if isinstance(row, LabelRow):
                self.labels[row.id] = row
            elif isinstance(row, ReviewRow):
                # A number twice: the older is of a process that was killed before it was counted.
                known = self.reviews.get(row.number, row)
                self.reviews[row.number] = max(known, row, key=lambda review: review.time)
            elif isinstance(row, DecisionRow | ScoreRow):
                self.verdicts[type(row), row.number] = row


def _check(row: Base, path: Path, workspace: Path) -> None:
    """Raise :class:`LabelError` unless a row is as the program writes it: a label names its own files and no others."""
    try:
        if isinstance(row, LabelRow | ReviewRow):
            LabelState(row.state)
        if isinstance(row, LabelRow):
            study, phase = split_case_id(row.case_id)
            from_plain_grid(row.grid)
            right = (
                path.relative_to(workspace).as_posix() == label_path(row.case_id, row.id)
                and row.id == f"{row.case_id}.v{row.version}"
                and (row.study, row.phase, row.state) == (safe_key(study), phase.value, row.made_as)
                and row.path == mask_path(row.case_id, row.id)
                and row.probability_path in (None, probability_path(row.case_id, row.id))
            )
            if not right:
                raise ValueError("is about another label than its name says")
    except (ValueError, TypeError) as error:
        raise LabelError(f"is no sidecar of ours ({error})", path) from None


def _fill(ledger: Ledger, found: _Found, session: Session) -> None:
    if session.scalars(select(LabelRow.id).limit(1)).first() is not None:
        raise WorkspaceError("the database has labels already", ledger.where, "give the URL of an empty one")
    # A label that was set aside leaves verdicts behind.
    reviews = [row for _, row in sorted(found.reviews.items()) if row.label_id in found.labels]
    for review in reviews:
        found.labels[review.label_id].state = review.state
    session.add_all(found.labels.values())
    session.flush()
    session.add_all(reviews)
    verdicts = [row for row in found.verdicts.values() if row.label_id in found.labels]
    session.add_all(row for row in verdicts if isinstance(row, DecisionRow))
    session.flush()
    session.add_all(row for row in verdicts if isinstance(row, ScoreRow))
    session.flush()
    ledger.go_on_counting(session)


def _take_place(files: LabelFiles, new: Path, ledger: Path) -> Path | None:
    """Put a finished ledger in place of the damaged one; where that lies now."""
    aside = None
    for path in _with_beside(ledger):
        if path.exists():
            moved = files.set_aside(path)
            aside = moved if path == ledger else aside
    new.rename(ledger)
    return aside


def _remove(database: Path) -> None:
    for path in _with_beside(database):
        path.unlink(missing_ok=True)


def _with_beside(database: Path) -> Iterable[Path]:
    return (database, *(database.with_name(database.name + end) for end in _BESIDE))
