"""Looking after a workspace: whose its ledger is, what killed processes have left, sidecars that are missing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.labels.address import VARIABLE, url_of
from LiverSegSSLLib.labels.files import LabelFiles, owner_of
from LiverSegSSLLib.labels.ledger import LEDGER, REBUILD, SCHEMA_VERSION, LabelRow, Ledger, WorkspaceRow, sqlite_url
from LiverSegSSLLib.labels.marker import Marker, read_marker, write_marker
from LiverSegSSLLib.labels.queries import contents, known_files, possible_decisions, unknown_labels
from LiverSegSSLLib.labels.verdicts import Verdicts

MOST_KILLED = 20
"""Labels that killed processes may have left without a row (one each, if any). More, and the ledger is an old one
put in place of theirs: the labels must not be moved away."""

_PIECE = 200
"""Stray files that are set aside while the ledger is held once."""


def ledger_of(workspace: Path, url: str | None, marker: Marker | None) -> Ledger:
    """The ledger that is given, or that the marker means, or that the environment names for a new workspace."""
    beside = workspace / LEDGER
    url = url or url_of(workspace, marker)
    if url is not None:
        ledger = Ledger(url)
        if marker is None or marker.ledger == ledger.url.get_backend_name():
            return ledger
    if marker is not None and (url is not None or marker.ledger != "sqlite"):
        remedy = f"set {VARIABLE} to the URL of its database" if marker.ledger != "sqlite" else f"unset {VARIABLE}"
        raise WorkspaceError(f"the ledger of this workspace is in {marker.ledger}", workspace, remedy)
    if marker is not None and not beside.is_file():
        raise WorkspaceError("the ledger is missing", beside, REBUILD)
    return Ledger(sqlite_url(beside))


class Upkeep:
    """What is done when a workspace is opened or looked through."""

    def __init__(self, workspace: Path, ledger: Ledger, files: LabelFiles, verdicts: Verdicts) -> None:
        self._workspace = workspace
        self._ledger = ledger
        self._files = files
        self._verdicts = verdicts

    def claim(self, marker: Marker | None) -> str:
        """The id of the workspace, which ledger and folder agree on. Both are marked where they are new.

        :raises WorkspaceError: they do not belong together.
        """
        kind = self._ledger.url.get_backend_name()
        beside = self._ledger.url == sqlite_url(self._workspace / LEDGER)
        remedy = f"give the URL of this workspace's own ledger ({VARIABLE}); a database holds one"
        owner = self._ledger.owner()
        marker = marker or read_marker(self._workspace)  # another process may have made both meanwhile
        if owner is None:
            if marker is not None and self._files.listing():
                what = "the ledger is empty, though labels were written before"
                raise WorkspaceError(
                    what, self._ledger.where, REBUILD if beside else f"{remedy}; if it is lost: {REBUILD}"
                )
            name = marker.workspace if marker else uuid.uuid4().hex
            owner = self._ledger.create(name, lambda _: write_marker(self._workspace, Marker(name, kind)))
            marker = read_marker(self._workspace)
        if marker is not None and marker.workspace != owner:
            raise WorkspaceError("the ledger belongs to another workspace", self._workspace, remedy)
        if marker is None:
            if not beside and not self._has_a_file():
                raise WorkspaceError("the ledger is for the labels of another workspace", self._workspace, remedy)
            write_marker(self._workspace, Marker(owner, kind))
        return owner

    def _has_a_file(self) -> bool:
        """Whether a label of the ledger lies in this folder."""
        with self._ledger.reading() as session:
            path = session.scalars(select(LabelRow.path).limit(1)).first()
        return path is not None and (self._workspace / path).is_file()

    def recover(self, owner: str, report: Reporter) -> None:
        """Set aside label files that never got a row, write the sidecars that are missing, and say which rows have lost
        their file.

        :param owner: id of the workspace.
        :raises WorkspaceError: so many files have no row that the ledger must be an old one.
        """
        there = self._files.listing()  # before the ledger is asked: what has a row by then is in place
        with self._ledger.reading() as session:
            images, sidecars = known_files(session)
            known = images | sidecars | possible_decisions(session)
            old = session.scalars(select(WorkspaceRow)).one().schema_version < SCHEMA_VERSION
            unknown = unknown_labels(session, there - known)
        if len(unknown) > MOST_KILLED:
            what = f"the ledger does not know {len(unknown)} of the labels: it is older than they are"
            aside = "" if self._ledger.is_file else f"name an empty database in {VARIABLE}, then "
            raise WorkspaceError(what, self._ledger.where, f"{aside}{REBUILD}")
        moved = self._set_aside_strays(sorted(name for name in there - known if owner_of(name) is not None))
        missing = {name for name in images | sidecars if name not in there and not (self._workspace / name).exists()}
        lost = missing & sidecars
        if lost or old:
            with self._ledger.reading() as session:
                said = {name: content for name, content in contents(session, owner) if name in lost}
                said |= self._verdicts.sidecars(session) if old else {}
            self._write_sidecars(said)
        if old:
            with self._ledger.writing() as session:
                session.scalars(select(WorkspaceRow)).one().schema_version = SCHEMA_VERSION
        self._files.clear_staging(there)
        for path in moved:
            report.warn(f"{path}: a label file of a process that was killed; it was moved here", "workspace")
        if lost:
            report.info(f"{len(lost)} sidecars of labels were missing: written again from the ledger", "workspace")
        for name in sorted(missing & images):
            report.warn(
                f"{self._workspace / name}: the file of this label is gone – restore it from a backup", "workspace"
            )

    def repair_sidecars(self, owner: str) -> list[str]:
        """Write the sidecars again that do not say what the ledger says; the old ones are set aside. Their paths."""
        # Compared while others write: what a sidecar holds never changes.
        with self._ledger.reading() as session:
            said = dict(contents(session, owner)) | self._verdicts.sidecars(session)
        return self._write_sidecars({name: said[name] for name in said if not self._files.says(name, said[name])})

    def _write_sidecars(self, said: Mapping[str, dict[str, Any]]) -> list[str]:
        """Write sidecars, by where they belong, that nobody else has written meanwhile; which."""
        written = []
        for name, content in said.items():
            with self._ledger.writing():  # for each: others may write between them
                if not self._files.says(name, content):
                    self._files.write_sidecar(name, content)
                    written.append(name)
        return written

    def _set_aside_strays(self, names: list[str]) -> list[Path]:
        """Move files that have no row to ``lost+found``, unless another process was just about to give them one."""
        moved = []
        for piece in (names[start : start + _PIECE] for start in range(0, len(names), _PIECE)):
            owners = {owner_of(name) for name in piece}
            with self._ledger.writing() as session:  # nobody is between a rename and its commit now
                images, sidecars = known_files(session, [owner for owner in owners if isinstance(owner, str)])
                decisions = possible_decisions(session, [owner for owner in owners if isinstance(owner, int)])
                strays = (self._workspace / name for name in piece if name not in images | sidecars | decisions)
                moved += [self._files.set_aside(path) for path in strays if path.exists()]
        return moved
