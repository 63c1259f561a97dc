"""The child process of a job: ``python -m LiverSegSSLLib.jobs.child``, the job as a line on standard input.

Standard output carries events and nothing else; what libraries print goes to standard error, which the parent
keeps as the log. When standard input closes, the parent has died and the job ends with all that it has started, unless
it is detached.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any

from LiverSegSSLLib.atomic import probe
from LiverSegSSLLib.errors import Cancelled, JobError, LiverSegError, TrainingError, place_error
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.jobs.ending import MARK, end_with_me
from LiverSegSSLLib.jobs.job import Job, event_line


def main() -> int:
    """Run the job on standard input; returns the exit code."""
    job = Job.from_json(sys.stdin.readline())
    stream = _keep_stdout_for_events()
    files = [stream]
    if job.folder is not None:
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "job.json").write_text(job.to_json() + "\n", encoding="utf-8")
        # Before the stream: what has been heard stands in the file.
        files.insert(0, (job.folder / "events.jsonl").open("a", encoding="utf-8"))
    reporter = Reporter(_Sink(files))
    if not job.detached:
        _die_with_parent()
    signal.signal(signal.SIGTERM, _stop)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    began = {"state": "running", "pid": os.getpid(), "host": socket.gethostname(), "time": time.time()}
    began["mark"] = os.environ.get(MARK, "")
    reporter.send(Event("state", job.verb, "", began))
    code, state = run(job, reporter)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it has ended; what follows is soon done
    end_with_me()
    reporter.send(Event("state", job.verb, "", {"state": state, "exit_code": code, "time": time.time()}))
    return code


def run(job: Job, reporter: Reporter) -> tuple[int, str]:
    """Call the verb; errors become events. Returns exit code and final state."""
    try:
        verb = getattr(importlib.import_module(job.module), job.verb)
        result: dict[str, Any] = verb(job.parameters, reporter)
    except Cancelled as stop:
        reporter.send(Event("error", job.verb, str(stop), {"exit_code": stop.exit_code}))
        return stop.exit_code, "cancelled"
    except LiverSegError as error:
        fault = _fault_of_place(job, error) if isinstance(error, TrainingError | JobError) else None
        return _failed(job, reporter, fault or error)
    except Exception as error:
        traceback.print_exc()
        fault = _fault_of_place(job, error)
        if fault is not None:
            return _failed(job, reporter, fault)
        # A defect of ours: the user gets one line, the log has the traceback.
        message = f"unexpected {type(error).__name__}: {error}"
        reporter.send(Event("error", job.verb, message, {"exit_code": 1, "unexpected": True}))
        return 1, "failed"
    reporter.send(Event("result", job.verb, "", result))
    return int(result.get("exit_code", 0)), "done"


def _failed(job: Job, reporter: Reporter, error: LiverSegError) -> tuple[int, str]:
    data = {"where": error.where, "remedy": error.remedy, "exit_code": error.exit_code}
    reporter.send(Event("error", job.verb, str(error), data))
    return error.exit_code, "failed"


def _fault_of_place(job: Job, error: Exception) -> LiverSegError | None:
    """What a disk or share refuses, if that is why a job has failed: libraries tell it in words of their own."""
    if isinstance(error, OSError) and error.errno is not None:
        return place_error(error)
    workspace = Path(job.parameters.get("workspace", ""))
    try:
        if workspace.is_absolute() and workspace.is_dir():
            probe(workspace)
    except OSError as refusal:
        return place_error(OSError(refusal.errno, refusal.strerror), workspace)  # not the file that was tried
    return None


class _Sink:
    """Writes each event to all files, whole lines only, from any thread."""

    def __init__(self, files: list[IO[str]]) -> None:
        self._files = files
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        line = event_line(event) + "\n"
        with self._lock:
            for file in self._files:
                try:
                    file.write(line)
                    file.flush()
                except (BrokenPipeError, OSError):
                    continue  # nobody reads any more; the events file still gets its line


def _keep_stdout_for_events() -> IO[str]:
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


def _die_with_parent() -> None:
    """A parent that was killed cannot clean up; its end of the pipe closes all the same.

    The file descriptor is read directly: a daemon thread inside ``sys.stdin.read`` holds that object's lock, and
    the interpreter aborts when it finds it held at exit.
    """

    def watch() -> None:
        while os.read(0, 4096):
            pass
        end_with_me(polite=True)
        time.sleep(1.0)  # for what is under way in the main thread, which has been asked to end too
        os._exit(137)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


def _stop(signum: int, frame: Any) -> None:
    raise Cancelled("stopped by the user")


if __name__ == "__main__":
    sys.exit(main())
