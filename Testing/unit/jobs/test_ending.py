"""Nothing of a job is left, however it ends: no process, no shared memory, no temporary folder, no half file."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from LiverSegSSLLib.atomic import is_abandoned
from LiverSegSSLLib.jobs import ending
from LiverSegSSLLib.jobs.ending import MARK, end_marked, kill_tree, mark_of, new_mark
from LiverSegSSLLib.jobs.found import end_abandoned, find_jobs
from LiverSegSSLLib.jobs.job import Job
from LiverSegSSLLib.jobs.runner import Handle, start
from LiverSegSSLLib.jobs.scratch import scratch_folder

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")

VERBS = "Testing.unit.jobs.verbs_for_tests"
ROOT = Path(__file__).resolve().parents[3]
SHARED = Path("/dev/shm")
GONE_S = 5.0
"""After this time nothing may be left."""


@dataclass
class Traces:
    """What a job could leave. Its processes are known by a variable that all of them inherit, wherever they go."""

    name: str
    noted: set[Path] = field(default_factory=set)

    def processes(self) -> list[Path]:
        """Those that live, by their places in /proc."""
        return [place for place in Path("/proc").glob("[0-9]*") if self._is_ours(place) and _lives(int(place.name))]

    def note_shared(self) -> None:
        """Remember what they share in memory now: segments, and semaphores, which are files there too."""
        for place in self.processes():
            with contextlib.suppress(OSError):
                parts = (line.split(maxsplit=5)[-1] for line in (place / "maps").read_text().splitlines())
                self.noted |= {Path(part) for part in parts if part.startswith(f"{SHARED}/") and Path(part).exists()}

    def _is_ours(self, place: Path) -> bool:
        try:
            return f"TRACED_BY={self.name}".encode() in (place / "environ").read_bytes()
        except OSError:
            return False

    def require_gone(self) -> None:
        limit = time.monotonic() + GONE_S
        while (left := self.processes()) and time.monotonic() < limit:
            time.sleep(0.05)
        assert left == []
        assert [path for path in self.noted if path.exists()] == []


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traces]:
    name = uuid.uuid4().hex
    monkeypatch.setenv("TRACED_BY", name)
    yield Traces(name)
    monkeypatch.delenv("TRACED_BY")
    for process in psutil.process_iter():
        if process.pid != os.getpid() and _variable(process, "TRACED_BY") == name:
            process.kill()


@dataclass
class Sprawl:
    """The job that is hard to end, under way."""

    pid: int
    shared: Path
    scratch: Path
    half: Path


def sprawl(folder: Path, traces: Traces, detached: bool = False) -> tuple[Handle, Sprawl]:
    handle = start(Job("sprawl", {"folder": str(folder)}, folder / "jobs" / "1-sprawl", VERBS, detached))
    return handle, under_way(folder, traces)


def under_way(folder: Path, traces: Traces) -> Sprawl:
    limit = time.monotonic() + 120
    while not (folder / "ready").is_file():
        assert time.monotonic() < limit
        time.sleep(0.02)
    pid, shared, scratch, half = (folder / "ready").read_text().splitlines()
    found = Sprawl(int(pid), SHARED / shared, Path(scratch), Path(half))
    traces.note_shared()
    assert found.shared in traces.noted and found.scratch.is_dir() and found.half.is_file()
    return found


def require_nothing(traces: Traces, job: Sprawl, killed: bool = False) -> None:
    """``killed``: the first process could not tidy up."""
    traces.require_gone()
    if killed:
        assert is_abandoned(job.half), "the next one who opens the workspace removes it"
        with scratch_folder():
            pass  # the next one who needs a folder removes it
    else:
        assert not job.half.exists()
    assert not job.scratch.exists()


def test_a_cancelled_job_leaves_nothing(tmp_path: Path, traces: Traces) -> None:
    handle, job = sprawl(tmp_path, traces)
    assert len(traces.processes()) > 7
    handle.cancel()
    assert handle.state == "cancelled"
    require_nothing(traces, job)


def test_a_found_job_that_is_cancelled_leaves_nothing(tmp_path: Path, traces: Traces) -> None:
    _handle, job = sprawl(tmp_path, traces, detached=True)
    (found,) = find_jobs(tmp_path / "jobs")
    found.cancel()
    assert found.state == "cancelled"
    require_nothing(traces, job)


def test_a_job_whose_parent_is_killed_leaves_nothing(tmp_path: Path, traces: Traces) -> None:
    code = (
        "from pathlib import Path\n"
        "from LiverSegSSLLib.jobs.job import Job; from LiverSegSSLLib.jobs.runner import start\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"start(Job('sprawl', {{'folder': str(folder)}}, folder / 'jobs' / '1-sprawl', {VERBS!r})).wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    job = under_way(tmp_path, traces)
    parent.kill()
    parent.wait()
    require_nothing(traces, job)


def test_a_job_that_is_killed_itself_leaves_no_process_behind(tmp_path: Path, traces: Traces) -> None:
    """As by a system that is out of memory."""
    handle, job = sprawl(tmp_path, traces)
    os.kill(job.pid, signal.SIGKILL)
    handle.process.wait()
    require_nothing(traces, job, killed=True)


def test_what_a_killed_job_left_running_is_ended_by_who_finds_it(tmp_path: Path, traces: Traces) -> None:
    """Nobody was waiting for it: the Slicer that started it is gone too."""
    code = (
        "import os, time; from pathlib import Path\n"
        "from LiverSegSSLLib.jobs.job import Job; from LiverSegSSLLib.jobs.runner import start\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"start(Job('sprawl', {{'folder': str(folder)}}, folder / 'jobs' / '1-sprawl', {VERBS!r}, True))\n"
        "while not (folder / 'ready').is_file(): time.sleep(0.02)\n"
        "os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    job = under_way(tmp_path, traces)
    os.kill(job.pid, signal.SIGKILL)
    time.sleep(0.5)
    assert traces.processes(), "those that do not listen go on"
    assert end_abandoned(tmp_path / "jobs") == [tmp_path / "jobs" / "1-sprawl"]
    require_nothing(traces, job, killed=True)


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_interrupting_the_command_line_leaves_nothing(tmp_path: Path, traces: Traces, twice: bool) -> None:
    """Ctrl+C reaches every process of the terminal's group, and is often pressed twice."""
    code = (
        "import signal, sys; from pathlib import Path\n"
        # Who runs the tests in the background has it ignored, and so would this process.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from LiverSegSSLLib.cli import follow; from LiverSegSSLLib.jobs import job\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"class Sprawl(job.Job):\n    def __init__(self, *given): super().__init__(*given, module={VERBS!r})\n"
        "follow.Job = Sprawl\n"
        "sys.exit(follow.run_job('sprawl', {'folder': str(folder)}, folder / 'jobs' / '1-sprawl', False)[0])"
    )
    shell = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    job = under_way(tmp_path, traces)
    os.killpg(shell.pid, signal.SIGINT)
    if twice:
        time.sleep(0.3)
        os.killpg(shell.pid, signal.SIGINT)
    shell.communicate(timeout=60)
    require_nothing(traces, job)


def test_marks_tell_families_apart(traces: Traces, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = [sys.executable, "-S", "-c", "import time; time.sleep(300)"]
    outer = new_mark()
    monkeypatch.setenv(MARK, outer)
    inner, other = new_mark(), f"{outer}0"
    assert inner.startswith(f"{outer}.")
    processes = {mark: subprocess.Popen(sleep, env={**os.environ, MARK: mark}) for mark in (outer, inner, other)}
    assert mark_of(processes[inner].pid) == inner
    end_marked("")
    assert all(process.poll() is None for process in processes.values()), "no mark is nobody's"
    end_marked(inner)
    assert [processes[mark].poll() is None for mark in (outer, inner, other)] == [True, False, True]
    kill_tree(processes[outer].pid)
    assert [processes[mark].poll() is None for mark in (outer, other)] == [False, True]
    processes[other].kill()


def test_without_psutil_the_group_is_ended(monkeypatch: pytest.MonkeyPatch, traces: Traces) -> None:
    """A Python that is only being set up has not got it."""
    monkeypatch.setattr(ending, "_can_look", lambda: False)
    monkeypatch.setattr(ending, "POLITE_S", 0.2)
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(300)'])"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while len(traces.processes()) < 2:
        time.sleep(0.05)
    kill_tree(process.pid)
    process.wait(10)
    traces.require_gone()


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and pid != os.getpid()
    except psutil.NoSuchProcess:
        return False


def _variable(process: psutil.Process, name: str) -> str:
    try:
        return process.environ().get(name, "")
    except (psutil.Error, OSError):
        return ""


def test_a_process_that_nobody_has_taken_notice_of_has_ended() -> None:
    from LiverSegSSLLib.processes import has_ended, this_process

    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    host, _, _ = this_process().split("~")
    name = f"{host}~{process.pid}~{int(psutil.Process(process.pid).create_time())}"
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert has_ended(name) is True and has_ended(this_process()) is False
    process.wait()
    assert has_ended(name) is True
