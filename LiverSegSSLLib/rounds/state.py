"""Which stages of a run are done, and with what: a stage is done when its inputs have not changed since."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import write_json, write_text
from LiverSegSSLLib.errors import WorkspaceError, one_line, require_answering

SCHEMA = 1


def digest_of(inputs: Any) -> str:
    """A checksum of plain data; the order of dictionaries does not matter."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()


class RunState:
    """The record of finished stages in one JSON file, written atomically after each stage.

    :raises WorkspaceError: the file is damaged or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stages: dict[str, dict[str, Any]] = {}
        if not path.is_file():
            return
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            schema, self._stages = int(data["schema"]), dict(data["stages"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            require_answering(error, path)
            raise WorkspaceError("is damaged", path, "delete it: finished labels and models are found again") from None
        if schema > SCHEMA:
            raise WorkspaceError("was written by a newer version", path, "update LiverSegSSL")

    def stage(self, name: str, inputs: Any, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The output of a stage: as recorded if its inputs are the same, else worked out now and recorded.

        :param inputs: everything the output depends on, as plain data.
        :param work: returns plain data; must itself be able to go on after a kill.
        """
        digest = digest_of(inputs)
        record = self._stages.get(name)
        if record is not None and record["digest"] == digest:
            output: dict[str, Any] = record["output"]
            return output
        began = time.monotonic()
        output = json.loads(json.dumps(work()))  # the same kinds of values now as after a restart
        self._stages[name] = {
            "digest": digest,
            "output": output,
            "seconds": round(time.monotonic() - began, 2),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "order": len(self._stages) if record is None else record["order"],
        }
        write_json(self._path, {"schema": SCHEMA, "stages": self._stages})
        return output

    def output(self, name: str) -> dict[str, Any] | None:
        """What a stage gave the last time it ran; ``None``: it has not."""
        record = self._stages.get(name)
        return None if record is None else record["output"]

    def labels(self) -> set[str]:
        """Ids of the labels that finished stages have given."""
        outputs = (record["output"].get("labels", {}) for record in self._stages.values())
        return {str(label_id) for labels in outputs for label_id in labels.values()}

    def timeline(self) -> list[tuple[str, float]]:
        """Finished stages and their seconds, in order."""
        ordered = sorted(self._stages.items(), key=lambda item: item[1]["order"])
        return [(name, float(record["seconds"])) for name, record in ordered]


@contextmanager
def only_one(lock: Path) -> Iterator[str]:
    """Hold a run for this process; the operating system lets go of it when the process ends, however it ends.

    Gives the name of a process that had it and ended without a word, or nothing.

    :raises WorkspaceError: another process has it; says which, where and since when.
    """
    import filelock

    lock.parent.mkdir(parents=True, exist_ok=True)
    who = lock.with_suffix(".who")
    held = filelock.FileLock(lock)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        what = f"this run is under way ({_named_in(who) or 'another process'})"
        raise WorkspaceError(what, lock.parent, "wait for it, or stop it") from None
    try:
        left_by = _named_in(who)
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        write_text(who, f"process {os.getpid()}, since {since}, on {socket.gethostname()}\n")
        yield left_by
    finally:
        with suppress(OSError):  # not to hide what has happened; the next one to hold it writes it anew
            who.unlink(missing_ok=True)
        held.release()


def _named_in(who: Path) -> str:
    """The process that a file names; empty: none."""
    try:
        return one_line(who.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
