"""Starting a job, hearing from it, stopping it: no Qt, no blocking; the caller polls."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from LiverSegSSLLib.atomic import LogFile
from LiverSegSSLLib.errors import JobError
from LiverSegSSLLib.events import Event
from LiverSegSSLLib.jobs.ending import MARK, end_marked, kill_tree, new_mark
from LiverSegSSLLib.jobs.job import Job, parse_event

LOG = "log.txt"
"""In the folder of a job: what the libraries printed."""

_TAIL_LINES = 40


class Handle:
    """A running job. All methods may be called from one thread at a time; none blocks unless it says so."""

    def __init__(self, job: Job, process: subprocess.Popen[str], mark: str = "") -> None:
        self.job = job
        self.process = process
        self.mark = mark
        self._tail: list[str] = []
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._cancelled = False
        assert process.stdout is not None
        self._readers = [threading.Thread(target=self._read_events, args=(process.stdout,), daemon=True)]
        if process.stderr is not None:  # a detached job writes its log itself
            self._readers.append(threading.Thread(target=self._read_log, args=(process.stderr,), daemon=True))
        for reader in self._readers:
            reader.start()
        threading.Thread(target=self._tidy_up, daemon=True).start()

    @property
    def tail(self) -> list[str]:
        """Last lines of the child's standard error."""
        return self._tail if self.process.stderr is not None else log_tail(self.job)

    @property
    def exit_code(self) -> int | None:
        """``None`` while the process lives; negative: a signal ended it."""
        return self.process.poll()

    def poll(self) -> list[Event]:
        """The events since the last call."""
        events: list[Event] = []
        while not self._events.empty():
            events.append(self._events.get())
        return events

    def next(self, timeout_s: float) -> Event | None:
        """The next event; waits up to ``timeout_s`` seconds for it."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    @property
    def running(self) -> bool:
        """Whether the process lives or unread events may still come."""
        return self.process.poll() is None or any(reader.is_alive() for reader in self._readers)

    @property
    def state(self) -> str:
        """``running``, ``done``, ``failed`` or ``cancelled``; the exit code decides."""
        if self.running:
            return "running"
        if self._cancelled:
            return "cancelled"
        return "done" if self.process.returncode == 0 else "failed"

    def wait(self, timeout_s: float | None = None) -> int:
        """Block until the job has ended; returns its exit code."""
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return code

    def cancel(self) -> None:
        """End the job and every process it started (waits for up to three seconds)."""
        if self.process.poll() is not None:
            return
        self._cancelled = True
        kill_tree(self.process.pid, self.mark)
        self.process.wait(10)

    def _tidy_up(self) -> None:
        """A job that was killed leaves processes that nobody waits for."""
        if self.process.wait() != 0:
            end_marked(self.mark)

    def _read_events(self, stream: IO[str]) -> None:
        for line in stream:
            event = parse_event(line)
            if event is not None:
                self._events.put(event)

    def _read_log(self, stream: IO[str]) -> None:
        log = None if self.job.folder is None else LogFile(self.job.folder / LOG)
        for line in stream:
            self._tail = [*self._tail[-(_TAIL_LINES - 1) :], line.rstrip("\n")]
            if log is not None:
                log.write(line)


def start(job: Job, python: str | Path | None = None, environment: Mapping[str, str] | None = None) -> Handle:
    """Start a job in a child process of its own process group.

    :param python: interpreter to use; ``None``: this one.
    :param environment: the variables that the child begins with; ``None``: this process's.
    :raises JobError: the interpreter cannot be started.
    """
    library = str(Path(__file__).resolve().parents[2])
    # Threads that spin while they wait cost ten times the computation when cores are shared (5 against 58 s, measured).
    child_environment = {"OMP_WAIT_POLICY": "PASSIVE", **(os.environ if environment is None else environment)}
    mark = new_mark()
    child_environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", MARK: mark}
    # ``-m`` looks for modules in the current folder first, and so does every process that multiprocessing starts: a
    # ``torch.py`` among somebody's images would be run.
    child_environment["PYTHONSAFEPATH"] = "1"
    child_environment["PYTHONPATH"] = os.pathsep.join(
        [library, *filter(None, [child_environment.get("PYTHONPATH", "")])]
    )
    options: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}  # type: ignore[attr-defined,unused-ignore]
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    try:
        with _error_stream(job) as error_stream:
            process = subprocess.Popen(
                [str(python or sys.executable), "-m", "LiverSegSSLLib.jobs.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=error_stream,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=child_environment,
                **options,
            )
    except OSError as error:
        raise JobError(f"cannot be started ({error.strerror})", python, "choose another Python") from None
    assert process.stdin is not None
    try:
        process.stdin.write(job.to_json() + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass  # it died at once; the exit code and the log say why
    return Handle(job, process, mark)


@contextlib.contextmanager
def _error_stream(job: Job) -> Iterator[int | IO[bytes]]:
    """A pipe; for a detached job its log, because a pipe that nobody holds ends whoever prints into it."""
    if not job.detached:
        yield subprocess.PIPE
        return
    assert job.folder is not None, "a detached job needs a folder"
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / LOG).open("ab") as log:
        yield log


def log_tail(job: Job) -> list[str]:
    """The last lines of a job's log file."""
    if job.folder is None or not (job.folder / LOG).is_file():
        return []
    with (job.folder / LOG).open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - 200 * _TAIL_LINES))
        return log.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
