"""LabelStore: one workspace folder with label files and the ledger that tells where each came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import select

from LiverSegSSLLib.checksum import sha256_of
from LiverSegSSLLib.cohort.names import safe_key
from LiverSegSSLLib.cohort.study import Case, Phase, split_case_id
from LiverSegSSLLib.errors import LabelError, WorkspaceError
from LiverSegSSLLib.events import SILENT, Reporter
from LiverSegSSLLib.labels.checks import Grid, checked_mask
from LiverSegSSLLib.labels.files import LabelFiles, read_probability
from LiverSegSSLLib.labels.label import NO_PARAMETERS, Label, LabelState, Review, may_become
from LiverSegSSLLib.labels.ledger import LabelRow, Ledger, ReviewRow
from LiverSegSSLLib.labels.marker import read_marker
from LiverSegSSLLib.labels.queries import complete, find_row, newest_row, review_row, row_with_key, standing
from LiverSegSSLLib.labels.rows import from_plain_grid, label_of, plain_parameters, review_of
from LiverSegSSLLib.labels.sidecar import label_path, of_label, of_review, review_path
from LiverSegSSLLib.labels.upkeep import Upkeep, ledger_of
from LiverSegSSLLib.labels.verdicts import Verdicts
from LiverSegSSLLib.types import Decision, Score
from LiverSegSSLLib.volume import Volume, read_header, read_mask


class LabelStore:
    """All labels of a workspace. Open it with :meth:`open`; it is a context manager.

    Everything that is added stays: a correction is a new version, a review a new line of history. Several processes
    may write at once. A file and its row appear together or not at all, whenever a process is killed: the file is
    written aside and renamed into place inside the transaction that makes the row; what a killed process left
    without a row is moved to ``lost+found`` by the next :meth:`open`.
    """

    def __init__(self, workspace: Path, ledger: Ledger) -> None:
        self.workspace = workspace
        self._ledger = ledger
        self._files = LabelFiles(workspace)
        self._verdicts = Verdicts(ledger, self._files)
        self._upkeep = Upkeep(workspace, ledger, self._files, self._verdicts)
        self._owner = ""

    @classmethod
    def open(cls, workspace: Path, url: str | None = None, report: Reporter = SILENT) -> Self:
        """Open a workspace, making it if need be, and tidy up after processes that were killed.

        :param url: of the ledger, as SQLAlchemy writes it; ``None``: the file ``ledger.sqlite`` in the workspace, or
            the database that ``LIVERSEGSSL_LEDGER`` names if the workspace is new or its ledger is no file.
            A database holds the ledger of one workspace.
        :raises WorkspaceError: the folder or the ledger cannot be used, or they do not belong together.
        """
        workspace = workspace.absolute()
        try:
            workspace.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"cannot be made ({error.strerror})", workspace, "choose another folder") from None
        marker = read_marker(workspace)
        store = cls(workspace, ledger_of(workspace, url, marker))
        store._owner = store._upkeep.claim(marker)
        store._upkeep.recover(store._owner, report)
        return store

    def close(self) -> None:
        """Let go of the workspace."""
        self._files.close()
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- adding -------------------------------------------------------------------------------------------------

    def add(
        self,
        case_id: str,
        mask: Volume,
        *,
        source: str,
        round: int,
        state: LabelState = LabelState.PROPOSED,
        parents: Iterable[str] = (),
        parameters: Mapping[str, Any] = NO_PARAMETERS,
        seed: int = 0,
        author: str = "",
        seconds: float = 0.0,
        probability: Volume | None = None,
        key: str | None = None,
    ) -> Label:
        """Add a version of a case's mask.

        :param mask: 0/1, on the native grid of the case.
        :param source: the method, or the kind of person, that made it.
        :param probability: in [0, 1] on the same grid; kept in steps of 1/255.
        :param key: names this piece of work; adding it again returns the label that is there already.
        :raises LabelError: the mask is none, or the case id or the parameters cannot be used.
        :raises GeometryError: earlier labels of this case lie on another grid.
        """
        draft = LabelRow(
            case_id=case_id,
            source=source,
            round=round,
            made_as=state.value,
            state=state.value,
            parents=list(parents),
            parameters=plain_parameters(parameters),
            seed=seed,
            author=author,
            seconds=seconds,
            key=key,
        )
        return self._add(draft, mask, probability)

    def add_expert(self, case: Case, author: str = "") -> Label:
        """Register the mask that came with a case: a checked 0/1 copy; the user's file is only read.

        The same file again returns the label that is there already.

        :raises LabelError: the case has no mask, or an empty one.
        :raises ImageError: the mask or the image cannot be read.
        :raises GeometryError: the mask is not on the grid of its image.
        """
        if case.expert is None:
            raise LabelError("the case has no mask of its own", case.id)
        checksum = sha256_of(case.expert) if case.expert.is_file() else ""
        key = f"expert/{case.id}/{case.liver_value or 'all'}/{checksum}"
        with self._ledger.reading() as session:
            known = row_with_key(session, key, case.id)
            if known is not None:
                return label_of(known)
        image = read_header(case.image)
        mask = read_mask(case.expert, image.geometry, case.liver_value)
        if not mask.array.any():
            raise LabelError("the mask is empty", case.expert, "draw the liver or take the file away")
        mask = replace(mask, geometry=image.geometry, trailing_singleton=image.trailing_singleton)
        parameters = {"file": case.expert.name, "file_sha256": checksum, "liver_value": case.liver_value}
        return self.add(
            case.id,
            mask,
            source="expert",
            round=0,
            state=LabelState.EXPERT,
            parameters=parameters,
            author=author,
            key=key,
        )

    # --- reviewing ----------------------------------------------------------------------------------------------

    def review(
        self, label_id: str, state: LabelState, *, author: str, seconds: float = 0.0, comment: str = ""
    ) -> Label:
        """A person's verdict on a label.

        :param seconds: how long the person took.
        :raises LabelError: there is no such label, or it cannot take this state.
        """
        with self._ledger.writing() as session:
            row = find_row(session, label_id)
            if not may_become(LabelState(row.made_as), state):
                what = f"a label that was added as {row.made_as} cannot become {state.value}"
                raise LabelError(what, label_id, "accept or reject proposals, reject corrections, leave expert masks")
            row.state = state.value
            entry = review_row(row, author, seconds, comment)
            session.add(entry)
            session.flush()  # numbers it
            self._files.write_sidecar(review_path(row.case_id, row.id, entry.number), of_review(entry))
        return label_of(row)

    def correct(self, label_id: str, mask: Volume, *, author: str, seconds: float = 0.0, comment: str = "") -> Label:
        """Add a person's correction of a label as a new version of it; the label itself stays as it is.

        :raises LabelError: there is no such label, it is an expert mask, or the mask is none.
        :raises GeometryError: the mask is not on the label's grid.
        """
        label = self.label(label_id)
        if label.state is LabelState.EXPERT:
            raise LabelError("an expert mask is never replaced", label_id, "change the file that it came from")
        draft = LabelRow(
            case_id=label.case_id,
            source="correction",
            round=label.round,
            made_as=LabelState.CORRECTED.value,
            state=LabelState.CORRECTED.value,
            parents=[label.id],
            parameters={},
            seed=0,
            author=author,
            seconds=seconds,
        )
        return self._add(draft, mask, None, comment)

    def record(self, *decisions: Decision) -> None:
        """Keep decisions and their scores; the newest of a label counts, none is forgotten.

        :raises LabelError: a decision is on no label of its case.
        """
        self._verdicts.record(decisions)

    # --- looking up ---------------------------------------------------------------------------------------------

    def label(self, label_id: str) -> Label:
        """The label with this id.

        :raises LabelError: there is none.
        """
        with self._ledger.reading() as session:
            return label_of(find_row(session, label_id))

    def find(self, key: str) -> Label | None:
        """The label that was added under a key, if there is one."""
        with self._ledger.reading() as session:
            row = session.scalars(select(LabelRow).where(LabelRow.key == key)).first()
            return None if row is None else label_of(row)

    def labels(
        self,
        *,
        case_id: str | None = None,
        study: str | None = None,
        phase: Phase | None = None,
        state: LabelState | None = None,
        source: str | None = None,
        round: int | None = None,
    ) -> list[Label]:
        """The labels that fit all that is given, by case and version."""
        wanted = {"case_id": case_id, "study": study, "phase": phase, "state": state, "source": source, "round": round}
        query = select(LabelRow).order_by(LabelRow.case_id, LabelRow.version)
        query = query.filter_by(**{name: value for name, value in wanted.items() if value is not None})
        with self._ledger.reading() as session:
            return [label_of(row) for row in session.scalars(query)]

    def current(self, case_id: str) -> Label | None:
        """The label that stands for a case: expert, else corrected, accepted, proposed; the newest of those."""
        return standing(self.labels(case_id=case_id)).get(case_id)

    def current_all(self) -> dict[str, Label]:
        """The label that stands for every case that has one, by case id."""
        return standing(self.labels())

    def history(self, case_id: str) -> list[Review]:
        """Everything that happened to the labels of a case, in order."""
        query = select(ReviewRow).join(LabelRow, LabelRow.id == ReviewRow.label_id).where(LabelRow.case_id == case_id)
        with self._ledger.reading() as session:
            return [review_of(row) for row in session.scalars(query.order_by(ReviewRow.number))]

    def reviews(self, author: str, since: datetime) -> list[Review]:
        """What a person has done to labels since a moment, in order."""
        query = select(ReviewRow).where(ReviewRow.author == author, ReviewRow.time >= since)
        with self._ledger.reading() as session:
            return [review_of(row) for row in session.scalars(query.order_by(ReviewRow.number))]

    def decision(self, label_id: str) -> Decision | None:
        """The newest decision on a label."""
        return self._verdicts.newest([label_id]).get(label_id)

    def decisions(self) -> dict[str, Decision]:
        """The newest decision of every label that has one, by label id."""
        return self._verdicts.newest()

    def scores(self, label_id: str) -> tuple[Score, ...]:
        """The scores of the newest decision on a label."""
        decision = self.decision(label_id)
        return () if decision is None else decision.scores

    # --- files --------------------------------------------------------------------------------------------------

    def mask_path(self, label: Label) -> Path:
        """Where the mask of a label lies."""
        return self.workspace / label.path

    def read_mask(self, label: Label) -> Volume:
        """The mask of a label, uint8 0/1."""
        return read_mask(self.mask_path(label))

    def probability_path(self, label: Label) -> Path | None:
        """Where the probability map of a label lies (bytes, p · 255), if it has one."""
        return None if label.probability_path is None else self.workspace / label.probability_path

    def read_probability(self, label: Label) -> Volume | None:
        """The probability map of a label as float32 in steps of 1/255, if it has one."""
        path = self.probability_path(label)
        return None if path is None else read_probability(path)

    def verify(self, label: Label) -> bool:
        """Whether the mask file is there and unchanged."""
        path = self.mask_path(label)
        return path.is_file() and sha256_of(path) == label.sha256

    def repair_sidecars(self) -> list[str]:
        """Write the sidecars again that do not say what the ledger says; the old ones are set aside. Their paths."""
        return self._upkeep.repair_sidecars(self._owner)

    # --- within -------------------------------------------------------------------------------------------------

    def _add(self, draft: LabelRow, mask: Volume, probability: Volume | None, comment: str = "") -> Label:
        """Add the label of a row that lacks what only the files and the ledger can tell."""
        _check_case_id(draft.case_id)
        known, grid = self._known(draft)
        if known is not None:
            return known
        mask, probability = checked_mask(mask, probability, grid, draft.case_id)
        if draft.made_as == LabelState.EXPERT.value and not mask.array.any():
            raise LabelError("an expert mask is empty", draft.case_id, "draw the liver")
        staged = self._files.stage(mask, probability)
        try:
            with self._ledger.writing() as session:
                row = row_with_key(session, draft.key, draft.case_id)
                if row is None:  # otherwise another process was faster
                    row = draft
                    complete(row, session, staged, mask)
                    session.add(row)
                    session.flush()
                    added = review_row(row, row.author, row.seconds, comment)
                    session.add(added)
                    session.flush()
                    self._files.publish(staged, row.path, row.probability_path)
                    self._files.write_sidecar(label_path(row.case_id, row.id), of_label(row, added, self._owner))
            return label_of(row)
        finally:
            self._files.discard(staged)

    def _known(self, draft: LabelRow) -> tuple[Label | None, Grid | None]:
        """The label that has the draft's key, and the grid of the case's labels."""
        with self._ledger.reading() as session:
            row = row_with_key(session, draft.key, draft.case_id)
            newest = newest_row(session, draft.case_id)
            grid = None if newest is None else from_plain_grid(newest.grid)
            return (None if row is None else label_of(row)), grid


def _check_case_id(case_id: str) -> None:
    try:
        study, _ = split_case_id(case_id)
    except ValueError as error:
        raise LabelError(str(error)) from None
    if study != safe_key(study):
        raise LabelError(f"the study key {study!r} cannot be part of a file name", None, f"use {safe_key(study)!r}")
