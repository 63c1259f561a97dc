"""Whether a workspace is whole: what is found, what was repaired, what a person must do. Nothing is ever lost by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from LiverSegSSLLib.atomic import UNFINISHED, unfinished
from LiverSegSSLLib.cohort.scan import WORKSPACE_MARKER
from LiverSegSSLLib.errors import WorkspaceError, one_line
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.jobs.found import end_abandoned
from LiverSegSSLLib.labels.address import url_of
from LiverSegSSLLib.labels.files import LabelFiles
from LiverSegSSLLib.labels.ledger import LEDGER, Ledger, sqlite_url
from LiverSegSSLLib.labels.marker import read_marker
from LiverSegSSLLib.labels.queries import unknown_labels
from LiverSegSSLLib.labels.rebuild import rebuild
from LiverSegSSLLib.labels.sidecar import LABELS
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.labels.upkeep import MOST_KILLED
from LiverSegSSLLib.rounds.places import Places
from LiverSegSSLLib.rounds.state import RunState, only_one


@dataclass(frozen=True)
class Finding:
    """One line of what was found.

    :param repaired: it is in order again, and nothing is left to do.
    :param broken: something is lost or wrong that only a person can put right.
    """

    what: str
    found: str
    to_do: str = ""
    repaired: bool = False
    broken: bool = False


def check_workspace(workspace: Path) -> list[Finding]:
    """Look at everything in a workspace, and repair what can be repaired.

    :raises WorkspaceError: the folder is no workspace, or cannot be used.
    """
    if not (workspace / WORKSPACE_MARKER).exists() and not (workspace / LABELS).is_dir():
        raise WorkspaceError("is no workspace", workspace, "name one, or begin one with liversegssl run")
    findings = [*_marker(workspace), *_ledger(workspace)]
    said: list[Event] = []
    with LabelStore.open(workspace, report=Reporter(said.append)) as store:
        findings += [Finding("Workspace", event.message, repaired=True) for event in said if event.kind == "log"]
        findings += _labels(store)
        for run in sorted(path.parent for path in (workspace / "runs").glob("*/state.json")):
            findings += _run(store, Places(workspace, run.name))
    findings += [
        Finding(
            f"Job {folder.name}",
            "ended without a word: killed, or the computer went down",
            "start it again: it goes on",
        )
        for folder in end_abandoned(workspace / "jobs")
    ]
    return [*findings, *_unfinished(workspace)]


def _marker(workspace: Path) -> Iterator[Finding]:
    try:
        read_marker(workspace)
    except WorkspaceError as error:
        moved = LabelFiles(workspace).set_aside(workspace / WORKSPACE_MARKER)
        yield Finding(
            "Marker", f"{error.what}; it was moved to {moved.relative_to(workspace)}, made again", repaired=True
        )


def _ledger(workspace: Path) -> Iterator[Finding]:
    """A ledger that is damaged, gone or empty is made again."""
    marker = read_marker(workspace)
    url = url_of(workspace, marker)
    if url is None and marker is not None and marker.ledger != "sqlite":
        return  # who opens the workspace is told so
    if url is None and (workspace / LEDGER).is_dir():
        LabelFiles(workspace).set_aside(workspace / LEDGER)
    fault = _fault_in_file(workspace) if url is None else _fault_in_database(workspace, url)
    if fault is None:
        return
    for lock in (workspace / "runs").glob("*/run.lock"):
        with only_one(lock):  # raises if a run is under way
            pass
    made = rebuild(workspace, url)
    aside = "" if made.old is None else f"; the old one is {made.old.relative_to(workspace)}"
    what = (
        f"{one_line(fault)}; made again from the label files: {made.labels} labels, {made.decisions} decisions{aside}"
    )
    yield Finding("Ledger", what, repaired=True)
    for reason in made.left_out:
        yield Finding("Ledger", reason, "its label is not in the ledger: restore this file from a backup", broken=True)


def _fault_in_file(workspace: Path) -> str | None:
    if not (workspace / LEDGER).is_file():
        return "it is missing"
    ledger = Ledger(sqlite_url(workspace / LEDGER))
    try:
        return ledger.fault() or _older_than_labels(workspace, ledger)
    finally:
        ledger.close()


def _fault_in_database(workspace: Path, url: str) -> str | None:
    """Only an empty one is filled again: a server has backups of its own."""
    ledger = Ledger(url)
    try:
        return "the database is empty" if ledger.is_empty() and LabelFiles(workspace).listing() else None
    finally:
        ledger.close()


def _older_than_labels(workspace: Path, ledger: Ledger) -> str | None:
    with ledger.reading() as session:
        unknown = unknown_labels(session, LabelFiles(workspace).listing())
    return f"it is older than {len(unknown)} of the labels" if len(unknown) > MOST_KILLED else None


def _labels(store: LabelStore) -> Iterator[Finding]:
    labels = store.labels()
    yield Finding("Labels", str(len(labels)))
    for state, count in sorted(Counter(label.state.value for label in labels).items()):
        yield Finding(f"  {state}", str(count))
    for label in labels:
        if not store.verify(label):
            yield Finding(label.id, "missing or changed", "restore it from a backup of the workspace", broken=True)
    for path in store.repair_sidecars():
        found = "did not say what the ledger says; written again, the old one is in lost+found"
        yield Finding(path, found, repaired=True)


def _run(store: LabelStore, places: Places) -> Iterator[Finding]:
    name = f"Run {places.run}"
    try:
        with only_one(places.lock):
            fault = _fault_of_state(store, places)
            if fault:
                moved = LabelFiles(places.workspace).set_aside(places.state)
                what = f"{fault}; its record was moved to {moved.relative_to(places.workspace)}"
                yield Finding(name, what, "run it again: finished labels and models are found", repaired=True)
    except WorkspaceError as error:
        yield Finding(name, error.what)


def _fault_of_state(store: LabelStore, places: Places) -> str:
    """What is wrong with the record of a run; empty: nothing."""
    try:
        named = RunState(places.state).labels()
    except WorkspaceError as error:
        if "newer" in error.what:
            return ""
        return error.what
    missing = named - {label.id for label in store.labels()}
    return f"names {len(missing)} labels that are not there" if missing else ""


def _unfinished(workspace: Path) -> Iterator[Finding]:
    left = unfinished(workspace.rglob(f"{UNFINISHED}*"))
    for path in left:
        path.unlink(missing_ok=True)
    if left:
        yield Finding("Half-written files", f"{len(left)} of processes that are gone: removed", repaired=True)
