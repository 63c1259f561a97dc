"""Work in progress: what a person is drawing, kept in the workspace so that a crash costs a few seconds of it."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.volume import Geometry, Volume, read_mask, write_volume

FOLDER = "work"

_CLOCK_S = 60.0
"""The start of a process is reckoned from the clock, which may have been set since."""


@dataclass(frozen=True)
class Work:
    """A label that somebody was drawing. ``label_id``: the label it began from (empty: from nothing); times are UTC."""

    case_id: str
    label_id: str
    reviewer: str
    seconds: float
    saved: str
    host: str
    process: int
    started: float


def save_work(workspace: Path, case_id: str, label_id: str, reviewer: str, seconds: float, mask: Volume) -> Work:
    """Keep the state of a label. The mask appears whole or not at all; what was kept before is then gone."""
    import psutil

    process = psutil.Process()
    saved = datetime.now(UTC).isoformat(timespec="seconds")
    work = Work(case_id, label_id, reviewer, seconds, saved, socket.gethostname(), process.pid, process.create_time())
    write_volume(mask, _mask(workspace, case_id))  # first: a record without a mask would promise too much
    write_json(_record(workspace, case_id), asdict(work))
    return work


def left_work(workspace: Path) -> list[Work]:
    """What was left unfinished, newest first; not what somebody is drawing just now in another process."""
    found = []
    for record in (workspace / FOLDER).glob("*.json"):
        try:
            work = Work(**json.loads(record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            continue  # of another version of the program, or being removed this moment
        if work.case_id != record.stem:  # it would name, and have removed, another file
            continue
        if _mask(workspace, work.case_id).is_file() and not _is_someone_elses(work):
            found.append(work)
    return sorted(found, key=lambda work: work.saved, reverse=True)


def work_mask(workspace: Path, case_id: str, geometry: Geometry) -> Volume:
    """The mask that was kept for a case.

    :raises ImageError: there is none.
    :raises GeometryError: the image has been replaced by one on another grid since.
    """
    return read_mask(_mask(workspace, case_id), geometry)


def discard_work(workspace: Path, case_id: str) -> None:
    """Forget what was kept for a case."""
    _record(workspace, case_id).unlink(missing_ok=True)
    _mask(workspace, case_id).unlink(missing_ok=True)


def _mask(workspace: Path, case_id: str) -> Path:
    return workspace / FOLDER / f"{case_id}.nii.gz"


def _record(workspace: Path, case_id: str) -> Path:
    return workspace / FOLDER / f"{case_id}.json"


def _is_someone_elses(work: Work) -> bool:
    import psutil

    if work.host != socket.gethostname() or work.process == os.getpid():
        return False
    try:
        return abs(psutil.Process(work.process).create_time() - work.started) < _CLOCK_S
    except psutil.NoSuchProcess:
        return False
