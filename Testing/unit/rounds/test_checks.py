"""A workspace is looked through, and put in order as far as that can be done without losing anything."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.atomic import UNFINISHED
from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.processes import this_process
from LiverSegSSLLib.rounds.checks import Finding, check_workspace
from LiverSegSSLLib.rounds.state import RunState, only_one
from LiverSegSSLLib.volume import Geometry, Volume

GRID = Geometry((8, 7, 6), (2.0, 2.0, 3.0))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two labels, one of them accepted, and a run that gave them."""
    place = tmp_path / "work"
    mask = Volume(np.zeros(GRID.shape, np.uint8), GRID)
    mask.array[2:5, 2:5, 2:5] = 1
    with LabelStore.open(place) as store:
        labels = [store.add(f"P1__{phase}", mask, source="atlas", round=1) for phase in ("T1", "T2")]
        store.review(labels[0].id, LabelState.ACCEPTED, author="A")
        output = {"labels": {label.case_id: label.id for label in labels}}
    RunState(place / "runs" / "default" / "state.json").stage("round 1: select", {}, lambda: output)
    return place


def of(findings: list[Finding], what: str) -> Finding:
    (found,) = [each for each in findings if each.what == what]
    return found


def contents(workspace: Path) -> dict[str, bytes]:
    """What must never change: the masks."""
    return {path.name: path.read_bytes() for path in (workspace / "labels").rglob("*.nii.gz")}


def test_a_whole_workspace_is_found_whole(workspace: Path) -> None:
    findings = check_workspace(workspace)
    assert of(findings, "Labels").found == "2" and of(findings, "  accepted").found == "1"
    assert not any(each.repaired or each.broken for each in findings)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _zeros(path: Path) -> None:
    """A page in the middle lost, as by a disk."""
    data = bytearray(path.read_bytes())
    data[4096:8192] = bytes(4096)
    path.write_bytes(data)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


LEDGERS: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("labels " * 2000),
    "cut": _cut,
    "a page of zeros": _zeros,
    "a folder": _folder,
}


@pytest.mark.parametrize("kind", list(LEDGERS))
def test_a_damaged_ledger_is_made_again(workspace: Path, kind: str) -> None:
    before = contents(workspace)
    LEDGERS[kind](workspace / "ledger.sqlite")
    found = of(check_workspace(workspace), "Ledger")
    assert found.repaired and "2 labels" in found.found
    assert contents(workspace) == before
    with LabelStore.open(workspace) as store:
        assert [label.state for label in store.labels()] == [LabelState.ACCEPTED, LabelState.PROPOSED]
    assert not any(each.repaired or each.broken for each in check_workspace(workspace))


def test_a_damaged_marker_is_made_again(workspace: Path) -> None:
    marker = workspace / ".liversegssl"
    before = marker.read_text()
    marker.write_text("hello")
    assert of(check_workspace(workspace), "Marker").repaired
    assert json.loads(marker.read_text()) == json.loads(before)


def test_marker_and_ledger_both_gone(workspace: Path) -> None:
    before = json.loads((workspace / ".liversegssl").read_text())
    (workspace / ".liversegssl").unlink()
    (workspace / "ledger.sqlite").unlink()
    assert of(check_workspace(workspace), "Ledger").repaired
    assert json.loads((workspace / ".liversegssl").read_text()) == before


def test_the_ledger_is_left_alone_while_a_run_is_under_way(workspace: Path) -> None:
    (workspace / "ledger.sqlite").write_bytes(b"damaged" * 1000)
    with only_one(workspace / "runs" / "default" / "run.lock"), pytest.raises(WorkspaceError, match="under way"):
        check_workspace(workspace)
    assert (workspace / "ledger.sqlite").read_bytes() == b"damaged" * 1000


def test_a_changed_label_is_told_and_a_person_must_restore_it(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workspace / "labels" / "P1__T2" / "P1__T2.v1.nii.gz"
    path.write_bytes(path.read_bytes()[:-1])
    found = of(check_workspace(workspace), "P1__T2.v1")
    assert found.broken and "backup" in found.to_do
    assert main(["doctor", "--workspace", str(workspace)]) == 1
    assert "P1__T2.v1" in capsys.readouterr().out


def test_what_dead_processes_left_is_removed_and_what_living_ones_write_is_not(workspace: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host, _, start = this_process().split("~")
    folder = workspace / "runs" / "default" / "predictions" / "P1"
    folder.mkdir(parents=True)
    dead = folder / f"{UNFINISHED}{host}~{ended.pid}~{start}~abc.nii.gz"
    living = folder / f"{UNFINISHED}{this_process()}~abc.nii.gz"
    for path in (dead, living):
        path.touch()
    assert "1 of processes that are gone" in of(check_workspace(workspace), "Half-written files").found
    assert living.exists() and not dead.exists()


def test_a_job_that_was_killed_is_told_once(workspace: Path) -> None:
    job = (
        "import sys, time; from pathlib import Path; from LiverSegSSLLib.jobs.job import Job\n"
        "from LiverSegSSLLib.jobs.runner import start\n"
        "parameters = {'folder': sys.argv[1], 'to': 1}\n"
        "handle = start(Job('slow_count', parameters, Path(sys.argv[1]), 'Testing.slicer.slow_verbs'))\n"
        "while not any(e.kind == 'state' for e in handle.poll()): time.sleep(0.05)\n"
        "handle.process.kill(); handle.wait()\n"
    )
    folder = workspace / "jobs" / "20260101-000000-count"
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-c", job, str(folder)], env={**os.environ, "PYTHONPATH": str(root)}, check=True)
    assert "goes on" in of(check_workspace(workspace), f"Job {folder.name}").to_do
    assert not [each for each in check_workspace(workspace) if each.what.startswith("Job")]


def test_the_record_of_a_run_that_cannot_be_read_is_moved_aside(workspace: Path) -> None:
    state = workspace / "runs" / "default" / "state.json"
    state.write_text("{")
    assert of(check_workspace(workspace), "Run default").repaired
    assert not state.exists() and (workspace / "lost+found" / "state.json").read_text() == "{"


def test_a_run_that_names_labels_which_are_lost(workspace: Path) -> None:
    shutil.rmtree(workspace / "labels" / "P1__T2")
    (workspace / "ledger.sqlite").unlink()
    findings = check_workspace(workspace)
    assert "1 labels that are not there" in of(findings, "Run default").found


def test_a_run_under_way_is_told(workspace: Path) -> None:
    with only_one(workspace / "runs" / "default" / "run.lock"):
        assert f"process {os.getpid()}" in of(check_workspace(workspace), "Run default").found


def test_a_folder_that_is_no_workspace_is_not_made_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="is no workspace"):
        check_workspace(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_says_what_it_repaired(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "ledger.sqlite").unlink()
    began = time.time()
    assert main(["doctor", "--workspace", str(workspace)]) == 0
    assert "made again from the label files" in " ".join(capsys.readouterr().out.split())
    assert (workspace / "ledger.sqlite").stat().st_mtime >= began - 2
