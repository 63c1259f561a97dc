"""Jobs: what a child says arrives, its exit code decides, and nothing of it outlives a cancel or its parent."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from LiverSegSSLLib.errors import BadInputError, JobError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.jobs.executors import map_cases, open_executor
from LiverSegSSLLib.jobs.job import Job, event_line, parse_event, read_events
from LiverSegSSLLib.jobs.runner import Handle, start

VERBS = "Testing.unit.jobs.verbs_for_tests"
ROOT = Path(__file__).resolve().parents[3]


def finish(handle: Handle) -> list[Event]:
    handle.wait(60)
    return handle.poll()


def wait_until(condition, seconds: float = 20.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "did not happen in time"
        time.sleep(0.05)


def test_a_job_reports_progress_and_result_and_keeps_its_record(tmp_path):
    handle = start(Job("count", {"to": 3}, tmp_path / "job", VERBS))
    events = finish(handle)
    assert handle.state == "done"
    assert [event.data["done"] for event in events if event.kind == "progress"] == [1, 2, 3]
    assert next(event.message for event in events if event.kind == "progress") == "Größe 0"
    assert next(event for event in events if event.kind == "result").data == {"sum": 3}
    assert read_events(tmp_path / "job" / "events.jsonl") == events
    # What libraries print is log, never an event.
    assert "a library that prints" in (tmp_path / "job" / "log.txt").read_text()


def test_bad_input_is_one_line_and_exit_code_2(tmp_path):
    handle = start(Job("bad_input", {}, None, VERBS))
    events = finish(handle)
    error = next(event for event in events if event.kind == "error")
    assert handle.process.returncode == 2 and handle.state == "failed"
    assert error.message == "liver.nii.gz: cannot be read – export it again"


def test_a_defect_gives_the_user_one_line_and_the_log_the_traceback(tmp_path):
    handle = start(Job("defect", {}, tmp_path, VERBS))
    events = finish(handle)
    assert handle.process.returncode == 1
    assert "ZeroDivisionError: oops" in next(event for event in events if event.kind == "error").message
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_sudden_death_is_a_failure():
    handle = start(Job("sudden_death", {}, None, VERBS))
    finish(handle)
    assert handle.state == "failed" and handle.process.returncode == 9


def test_cancel_ends_the_whole_family():
    handle = start(Job("family", {}, None, VERBS))
    event = None
    while event is None or event.kind != "metric":
        event = handle.next(timeout_s=30)
        assert event is not None
    handle.cancel()
    finish(handle)
    assert handle.state == "cancelled"
    wait_until(lambda: not any(_alive(int(pid)) for pid in event.data.values()))


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="POSIX process groups")
def test_a_killed_parent_takes_the_job_and_its_children_along():
    script = (
        "from LiverSegSSLLib.jobs.job import Job; from LiverSegSSLLib.jobs.runner import start\n"
        f"handle = start(Job('family', {{}}, None, {VERBS!r}))\n"
        "event = None\n"
        "while event is None or event.kind != 'metric': event = handle.next(30)\n"
        "print(int(event.data['child']), int(event.data['grandchild']), flush=True)\n"
        "handle.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not any(_alive(pid) for pid in pids))


def test_workers_end_with_a_killed_job(tmp_path):
    marker = tmp_path / "pid"
    handle = start(Job("pool", {"marker": str(marker)}, None, VERBS))
    wait_until(lambda: marker.is_file() and marker.read_text() != "")
    os.kill(handle.process.pid, signal.SIGKILL)
    wait_until(lambda: not _alive(int(marker.read_text())))


def test_an_interpreter_that_is_not_there_is_said(tmp_path):
    with pytest.raises(JobError, match="cannot be started"):
        start(Job("count", {"to": 1}, None, VERBS), python=tmp_path / "python")


def test_events_survive_their_line_and_other_lines_are_none():
    event = Event("metric", "train", "größer", {"loss": 0.5})
    assert parse_event(event_line(event)) == event
    for line in ("", "text", "{", '{"kind": "log"}', "[1]"):
        assert parse_event(line) is None


def test_map_cases_gives_every_result_by_name_and_counts():
    seen: list[Event] = []
    with ThreadPoolExecutor(2) as pool:
        results = dict(map_cases(pool, pow, {"a": (2, 3), "b": (3, 2)}, "powers", Reporter(seen.append)))
    assert results == {"a": 8, "b": 9}
    assert [event.data["done"] for event in seen] == [0, 1, 2]


def test_an_unknown_executor_is_refused():
    with pytest.raises(BadInputError, match="use local or dask"), open_executor("slurm"):
        pass


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
