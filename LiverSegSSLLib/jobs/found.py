"""Jobs that somebody else started: heard by their events file, stopped by their process."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from LiverSegSSLLib.events import Event
from LiverSegSSLLib.jobs.ending import end_marked, kill_tree
from LiverSegSSLLib.jobs.job import Job, event_line, parse_event
from LiverSegSSLLib.jobs.runner import log_tail

_CLOCK_S = 60.0
"""The start of a process is reckoned from the clock, which may have been set since."""

_CHILD = "LiverSegSSLLib.jobs.child"
"""In the command line of every job."""

_WAKE_S = 0.05

_END_BYTES = 1 << 12


class FoundJob:
    """A job by its folder; the same to its user as a :class:`~LiverSegSSLLib.jobs.runner.Handle`.

    Its events are heard from the first one on.
    """

    def __init__(self, job: Job, pid: int, began: float) -> None:
        self.job = job
        self.pid = pid
        self._began = began
        self._offset = 0
        self._waiting: list[Event] = []
        self._last: dict[str, Any] = {}
        self._cancelled = False

    def poll(self) -> list[Event]:
        """The events since the last call."""
        self._read()
        events, self._waiting = self._waiting, []
        return events

    def next(self, timeout_s: float) -> Event | None:
        """The next event; waits up to ``timeout_s`` seconds for it."""
        limit = time.monotonic() + timeout_s
        while True:
            self._read()
            if self._waiting:
                return self._waiting.pop(0)
            if time.monotonic() >= limit:
                return None
            time.sleep(min(_WAKE_S, timeout_s))

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return _lives(self.pid, self._began)

    @property
    def state(self) -> str:
        """``running``, ``done``, ``failed`` or ``cancelled``; a process that is gone without a word has failed."""
        if self.running:
            return "running"
        self._read()
        return "cancelled" if self._cancelled else str(self._last.get("state", "failed"))

    @property
    def exit_code(self) -> int | None:
        """``None`` while the process lives, and where it went without a word."""
        if self.running:
            return None
        self._read()
        code = self._last.get("exit_code")
        return None if code is None else int(code)

    @property
    def tail(self) -> list[str]:
        """Last lines of the log."""
        return log_tail(self.job)

    def cancel(self) -> None:
        """End the job and every process it started (waits for up to three seconds)."""
        if self.running:
            self._cancelled = True
            kill_tree(self.pid)

    def _read(self) -> None:
        assert self.job.folder is not None
        with (self.job.folder / "events.jsonl").open("rb") as file:
            file.seek(self._offset)
            whole = file.read().rpartition(b"\n")
        self._offset += len(whole[0]) + len(whole[1])
        for line in whole[0].decode("utf-8", "replace").splitlines():
            event = parse_event(line)
            if event is None:
                continue
            self._waiting.append(event)
            if _of_job(event, self.job) and event.data.get("state") != "running":
                self._last = event.data


def find_jobs(folder: Path) -> list[FoundJob]:
    """The jobs under way on this computer whose folders lie in ``folder``, oldest first."""
    found = []
    for record in sorted(folder.glob("*/job.json")):
        try:
            job = Job.from_json(record.read_text(encoding="utf-8"))
            began = last_state(record.with_name("events.jsonl"), job)
            if began.get("state") != "running" or began.get("host") != socket.gethostname():
                continue
            pid, since = int(began["pid"]), float(began["time"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # being written this moment, or of another version
        if _lives(pid, since) and _is_job(pid):
            found.append(FoundJob(replace(job, folder=record.parent), pid, since))
    return found


def end_abandoned(folder: Path) -> list[Path]:
    """The folders of jobs of this computer that ended without a word, because they were killed. Each is given its last
    word, so that it is found once, and what it left running ends."""
    ended = []
    for record in sorted(folder.glob("*/job.json")):
        events = record.with_name("events.jsonl")
        try:
            job = Job.from_json(record.read_text(encoding="utf-8"))
            began = last_state(events, job)
            gone = began.get("state") == "running" and began.get("host") == socket.gethostname()
            if not gone or _lives(int(began["pid"]), float(began["time"])):
                continue
        except (OSError, ValueError, KeyError, TypeError):  # of another version
            continue
        end_marked(str(began.get("mark", "")))
        word = Event("state", job.verb, "", {"state": "failed", "exit_code": -9, "time": time.time()})
        with events.open("a", encoding="utf-8") as file:
            file.write("\n" + event_line(word) + "\n")  # the line before may have been cut
        ended.append(record.parent)
    return ended


def _of_job(event: Event, job: Job) -> bool:
    """Whether it is a state of the job itself; parts of it, the folds of a training, have states of their own."""
    return event.kind == "state" and event.stage == job.verb


def last_state(events: Path, job: Job) -> dict[str, Any]:
    """What a job has said last of its state; empty: nothing. It says so at its beginning and at its end, so the ends of
    the file are read: in between may be hundreds of thousands of lines, in the folder of every job there ever was."""
    if not events.is_file():
        return {}
    with events.open("rb") as file:
        head = file.read(_END_BYTES)
        file.seek(max(0, events.stat().st_size - _END_BYTES))
        tail = file.read()
    for part in (tail, head):
        found = [parse_event(line) for line in part.decode("utf-8", "replace").splitlines()]
        states = [event.data for event in found if event is not None and _of_job(event, job)]
        if states:
            return states[-1]
    return {}


def _is_job(pid: int) -> bool:
    """Whether a process is one of ours. The file that names it lies in a workspace, where others may write too: who
    stops the job must not stop another of their own programs."""
    import psutil

    try:
        return _CHILD in psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another person's, which cannot be stopped either
        return True


def _lives(pid: int, began: float) -> bool:
    """Whether the process that had this id at that time still lives; a later one of the same id does not count."""
    import psutil

    try:
        process = psutil.Process(pid)
        return bool(process.create_time() <= began + _CLOCK_S and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
