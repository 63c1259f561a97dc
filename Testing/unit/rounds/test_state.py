"""The run's record: a stage is worked out once for the same inputs, again for others, and one process at a time."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.rounds.state import RunState, digest_of, only_one

ROOT = Path(__file__).resolve().parents[3]


def test_a_stage_runs_once_for_the_same_inputs_also_after_a_restart(tmp_path):
    calls = []

    def work():
        calls.append(1)
        return {"answer": len(calls)}

    path = tmp_path / "state.json"
    assert RunState(path).stage("train", {"a": 1, "b": 2}, work) == {"answer": 1}
    assert RunState(path).stage("train", {"b": 2, "a": 1}, work) == {"answer": 1}
    assert RunState(path).stage("train", {"a": 1, "b": 3}, work) == {"answer": 2}
    assert [name for name, _ in RunState(path).timeline()] == ["train"]


def test_a_stage_that_fails_is_not_recorded(tmp_path):
    state = RunState(tmp_path / "state.json")
    with pytest.raises(ZeroDivisionError):
        state.stage("train", {}, lambda: {"x": 1 // 0})
    assert RunState(tmp_path / "state.json").output("train") is None


@pytest.mark.parametrize(
    ("text", "says"), [("{", "damaged"), ("[]", "damaged"), ('{"schema": 99, "stages": {}}', "newer")]
)
def test_a_damaged_or_newer_record_is_said(tmp_path, text, says):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(WorkspaceError, match=says):
        RunState(tmp_path / "state.json")


def test_digests_ignore_the_order_of_keys_only():
    assert digest_of({"a": [1, 2], "b": 1}) == digest_of({"b": 1, "a": [1, 2]})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})


def test_the_record_is_readable_json(tmp_path):
    RunState(tmp_path / "state.json").stage("a", {}, lambda: {"x": 1})
    assert json.loads((tmp_path / "state.json").read_text())["stages"]["a"]["output"] == {"x": 1}


def test_a_second_process_is_told_who_has_the_run_and_a_dead_one_has_it_no_more(tmp_path):
    lock = tmp_path / "run.lock"
    script = (
        "import sys, time; from pathlib import Path; from LiverSegSSLLib.rounds.state import only_one\n"
        "with only_one(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(lock)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WorkspaceError, match=f"process {holder.pid}, since "), only_one(lock):
            pass
    finally:
        holder.kill()
        holder.wait()
    with only_one(lock):
        assert str(os.getpid()) in lock.with_suffix(".who").read_text()
