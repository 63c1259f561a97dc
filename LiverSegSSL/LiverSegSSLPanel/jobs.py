"""Jobs as the panel and a script see them: poll, wait, cancel; what has been said so far; how it ended."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import BadInputError, Cancelled, JobError, LiverSegError
from LiverSegSSLLib.events import Event
from LiverSegSSLLib.jobs.found import FoundJob, find_jobs
from LiverSegSSLLib.jobs.job import VERBS, Job
from LiverSegSSLLib.jobs.runner import Handle, start
from LiverSegSSLPanel.library import python_environment, slicer_python
from LiverSegSSLPanel.task import LEND_S

_WAKE_S = 0.05


class RunningJob:
    """A job in a process of its own. Nothing here blocks but :meth:`wait` and :meth:`cancel`, unless that is not to;
    :meth:`poll` waits for the blink of an eye."""

    def __init__(self, handle: Handle | FoundJob) -> None:
        self._handle = handle
        self._began = time.monotonic()
        self._stages: dict[str, float] = {}
        self.events: list[Event] = []
        """Everything that the job has said and that has been polled."""
        self.result: dict[str, Any] = {}
        """What the verb returned, once it has."""
        self.stage = ""
        """The part of the job that is under way."""
        self.done, self.total = 0, 0
        """Items of the stage: finished, and in all (0: not known)."""
        self.item = ""
        """The item that was finished last."""
        self._error: Event | None = None

    @property
    def verb(self) -> str:
        """What the job does."""
        return self._handle.job.verb

    @property
    def parameters(self) -> dict[str, Any]:
        """What it was asked to do."""
        return self._handle.job.parameters

    @property
    def folder(self) -> Path | None:
        """Where the job keeps its events and its log."""
        return self._handle.job.folder

    @property
    def detached(self) -> bool:
        """Whether it goes on when Slicer ends."""
        return self._handle.job.detached or isinstance(self._handle, FoundJob)

    @property
    def running(self) -> bool:
        """Whether it is still at work, or has said something that nobody has polled."""
        return self._handle.running

    @property
    def state(self) -> str:
        """``running``, ``done``, ``failed`` or ``cancelled``."""
        return self._handle.state

    def poll(self) -> list[Event]:
        """The events since the last call; they are also kept in :attr:`events`."""
        first = self._handle.next(LEND_S)  # so that the threads that read from the job get on, see LEND_S
        news = [*([] if first is None else [first]), *self._handle.poll()]
        for event in news:
            self._take(event)
        return news

    def wait(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Block until the job has ended; returns its result.

        :raises LiverSegError: as the job ended: what it says about itself, in one line.
        :raises JobError: it has not ended in time (and goes on).
        """
        limit = None if timeout_s is None else time.monotonic() + timeout_s
        while self._handle.running:
            event = self._handle.next(_WAKE_S)
            if event is not None:
                self._take(event)
            if limit is not None and time.monotonic() > limit:
                raise JobError(f"has not ended in {timeout_s:g} s", self.verb, "wait longer, or cancel it")
        self.poll()
        error = self.error()
        if error is not None:
            raise error
        return self.result

    def cancel(self, wait: bool = True) -> None:
        """End the job and all that it started. What it had finished stays; started again, it goes on from there.

        :param wait: for the processes to end, which may take three seconds; else poll until it no longer runs.
        """
        if wait:
            self._handle.cancel()
        else:
            threading.Thread(target=self._handle.cancel, daemon=True).start()

    def error(self) -> LiverSegError | None:
        """Why the job failed or was cancelled; ``None`` while it runs and when it is done."""
        state = self.state
        if state in ("running", "done"):
            return None
        if state == "cancelled":
            return Cancelled("was stopped", self.verb, "started again, it goes on from there")
        if self._error is not None:
            kind = BadInputError if self._error.data.get("exit_code") == BadInputError.exit_code else JobError
            return kind(self._error.message)
        last = next((line for line in reversed(self._handle.tail) if line.strip()), "")
        more = f"more in {self.folder / 'log.txt'}" if self.folder is not None else ""
        code = self._handle.exit_code
        how = f"ended with code {code}" if code is not None else "has ended without a word"
        return JobError(f"{how}{': ' + last if last else ''}", self.verb, more)

    def seconds_left(self) -> float | None:
        """How long the stage under way may take yet, from its items so far; ``None``: nobody can say."""
        began = self._stages.get(self.stage)
        if began is None or not 0 < self.done < self.total:
            return None
        return (time.monotonic() - began) / self.done * (self.total - self.done)

    def log(self) -> str:
        """What the job has said to people, one line an event: to be read, or copied into a mail."""
        lines = []
        for event in self.events:
            stage = f"{event.stage}: " if event.stage else ""
            if event.kind == "log":
                lines.append(f"{'Warning: ' if event.data.get('level') == 'warning' else ''}{stage}{event.message}")
            elif event.kind == "error":
                lines.append(f"Error: {event.message}")
        return "\n".join(lines)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if event.kind == "progress":
            self._stages.setdefault(event.stage, time.monotonic())
            self.stage, self.item = event.stage, event.message
            self.done, self.total = int(event.data["done"]), int(event.data["total"])
        elif event.kind == "result":
            self.result = event.data
        elif event.kind == "error":
            self._error = event


def start_job(
    verb: str,
    parameters: dict[str, Any],
    folder: Path | None,
    python: str | Path | None = None,
    module: str = VERBS,
    detached: bool = False,
) -> RunningJob:
    """Start a job.

    :param folder: where it keeps its events and its log.
    :param detached: it goes on when Slicer ends, and is found again by :func:`jobs_under_way`.
    :param python: the interpreter; ``None``: Slicer's own.
    :raises JobError: the interpreter cannot be started.
    """
    job = Job(verb, parameters, folder, module, detached)
    return RunningJob(start(job, python or slicer_python(), python_environment(python)))


def jobs_under_way(workspace: Path) -> list[RunningJob]:
    """The jobs of a workspace that run on this computer, whoever started them, oldest first."""
    return [RunningJob(found) for found in find_jobs(workspace / "jobs")]
