"""Jobs as the panel sees them: progress, result, errors in one line, cancelling, another Python."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from LiverSegSSLPanel.jobs import jobs_under_way, start_job

from LiverSegSSLLib.errors import BadInputError, Cancelled, JobError

VERBS = "Testing.unit.jobs.verbs_for_tests"
ROOT = Path(__file__).resolve().parents[2]


def test_progress_result_and_record(tmp_path):
    job = start_job("count", {"to": 3}, tmp_path / "job", module=VERBS)
    assert job.wait(120) == job.result == {"sum": 3}
    assert job.state == "done" and job.error() is None
    assert (job.stage, job.done, job.total, job.item) == ("counting", 3, 3, "Größe 2")
    assert [event.data["done"] for event in job.events if event.kind == "progress"] == [1, 2, 3]
    assert job.poll() == [] and not job.running and job.seconds_left() is None
    assert (tmp_path / "job" / "events.jsonl").is_file()
    assert "a library that prints" in (tmp_path / "job" / "log.txt").read_text()


def test_polling_hears_the_same_as_waiting():
    job = start_job("count", {"to": 50}, None, module=VERBS)
    heard = []
    while job.running:
        heard += job.poll()
        time.sleep(0.01)
    heard += job.poll()
    assert heard == job.events
    assert sum(event.kind == "progress" for event in heard) == 50 and job.result == {"sum": 1225}


def test_polling_lets_the_threads_that_read_get_on():
    """Slicer's main thread holds Python's lock while it waits for events: only a poll can lend it."""
    job, usual, limit = (
        start_job("count", {"to": 3}, None, module=VERBS),
        sys.getswitchinterval(),
        time.monotonic() + 60,
    )
    sys.setswitchinterval(120)
    try:
        while not job.poll():
            assert time.monotonic() < limit, "the reader never had the lock"
    finally:
        sys.setswitchinterval(usual)
    assert job.wait(120) == {"sum": 3}


def test_an_error_of_the_verb_is_the_one_line_that_it_said():
    job = start_job("bad_input", {}, None, module=VERBS)
    with pytest.raises(BadInputError, match=r"^liver\.nii\.gz: cannot be read – export it again$"):
        job.wait(120)
    assert job.state == "failed"
    assert job.log() == "Error: liver.nii.gz: cannot be read – export it again"


def test_a_defect_and_a_sudden_death_are_errors_too(tmp_path):
    with pytest.raises(JobError, match="unexpected ZeroDivisionError: oops"):
        start_job("defect", {}, None, module=VERBS).wait(120)
    with pytest.raises(JobError, match=r"sudden_death: ended with code 9.*log\.txt"):
        start_job("sudden_death", {}, tmp_path, module=VERBS).wait(120)


def test_cancelling_ends_the_whole_family_and_says_so():
    job = start_job("family", {}, None, module=VERBS)
    limit = time.monotonic() + 120
    pids = None
    while pids is None:
        assert time.monotonic() < limit
        pids = next((event.data for event in job.poll() if event.kind == "metric"), None)
        time.sleep(0.02)
    with pytest.raises(JobError, match=r"has not ended in 0\.2 s"):
        job.wait(0.2)
    job.cancel()
    with pytest.raises(Cancelled, match="was stopped"):
        job.wait(30)
    assert job.state == "cancelled"
    assert not any(_alive(pid) for pid in pids.values())


def test_another_python_can_run_the_job(tmp_path):
    another, used = tmp_path / "another-python", tmp_path / "used"
    another.write_text(f'#!/bin/sh\ntouch "{used}"\nexec "{sys.executable}" "$@"\n')
    another.chmod(0o755)
    assert start_job("count", {"to": 2}, None, python=another, module=VERBS).wait(120) == {"sum": 1}
    assert used.exists()
    with pytest.raises(JobError, match="cannot be started"):
        start_job("count", {"to": 2}, None, python=tmp_path / "nowhere", module=VERBS)


LEAVE = """
import sys
sys.path.append({module!r})
from pathlib import Path
from LiverSegSSLPanel.jobs import start_job
folder, module = {folder!r}, "Testing.slicer.slow_verbs"
job = start_job({verb!r}, {{"to": 3, "folder": folder}}, Path(folder), module=module, detached=True)
while not job.poll(): pass
print("left", flush=True)
"""


def leave_a_job(workspace, verb="slow_count"):
    """A process starts a job, hears its first word and ends, as a Slicer that is closed."""
    code = LEAVE.format(module=str(ROOT / "LiverSegSSL"), verb=verb, folder=str(workspace / "jobs" / "1-count"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "left\n", done.stderr


def test_a_job_that_was_left_running_is_found_and_heard_from_the_beginning(tmp_path):
    leave_a_job(tmp_path)
    (job,) = jobs_under_way(tmp_path)
    assert job.state == "running" and job.verb == "slow_count"
    (tmp_path / "jobs" / "1-count" / "go").touch()
    assert job.wait(120) == {"sum": 3}
    assert job.state == "done" and (job.done, job.total) == (3, 3)
    assert [event.data["done"] for event in job.events if event.kind == "progress"] == [1, 2, 3]
    assert "printed with nobody listening" in (tmp_path / "jobs" / "1-count" / "log.txt").read_text()
    assert jobs_under_way(tmp_path) == []


def test_a_job_that_was_left_running_can_be_cancelled(tmp_path):
    leave_a_job(tmp_path)
    (job,) = jobs_under_way(tmp_path)
    job.cancel()
    with pytest.raises(Cancelled, match="was stopped"):
        job.wait(60)
    assert jobs_under_way(tmp_path) == []


def test_a_found_job_that_is_killed_has_failed(tmp_path):
    leave_a_job(tmp_path)
    (job,) = jobs_under_way(tmp_path)
    job.poll()
    pid = next(event.data["pid"] for event in job.events if event.kind == "state")
    psutil.Process(pid).kill()
    with pytest.raises(JobError, match="has ended without a word"):
        job.wait(60)
    assert job.state == "failed"


def test_finding_jobs_does_not_read_what_they_have_said_for_months(tmp_path):
    """The panel looks when a cohort is opened: two hundred trainings of the past are passed by their ends."""
    leave_a_job(tmp_path)
    progress = json.dumps({"kind": "metric", "stage": "train fold 0", "message": "", "data": {"loss": 0.1}}) + "\n"
    for number in range(200):
        folder = tmp_path / "jobs" / f"0-train-{number}"
        folder.mkdir()
        record = {"verb": "train", "parameters": {}, "folder": str(folder), "module": "m", "detached": True}
        (folder / "job.json").write_text(json.dumps(record))
        states = [
            json.dumps({"kind": "state", "stage": "train", "message": "", "data": {"state": state, "time": 0.0}}) + "\n"
            for state in ("running", "done")
        ]
        (folder / "events.jsonl").write_text(states[0] + progress * 5000 + states[1])
    began = time.process_time()
    (job,) = jobs_under_way(tmp_path)
    assert time.process_time() - began < 0.5
    job.cancel()


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
