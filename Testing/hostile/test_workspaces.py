"""A workspace that others may write to: what they put there is read as data, or refused, and leads nowhere else."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.jobs.found import find_jobs
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.links import require_no_way_out
from Testing.bad_input.conftest import Answer
from Testing.bad_input.place import Place
from Testing.hostile.bombs import CONTENTS, Canary, a_module, a_pickle

Command = Callable[[list[str]], Answer]


def answered(answer: Answer, code: int, says: str) -> None:
    assert answer.code == code, answer.text
    assert re.search(says, answer.text), answer.text
    assert "Traceback" not in answer.text and "unexpected" not in answer.text, answer.text


PLANTED: dict[str, tuple[str, str, int, str]] = {
    # where, verb, exit code, answer
    "marker": (".liversegssl", "review", 1, "marker is damaged.*delete this one file"),
    "ledger": ("ledger.sqlite", "review", 1, "the ledger is damaged"),
    "state": ("runs/default/state.json", "propose", 1, r"state\.json: is damaged.*delete it"),
    "index": ("cache/index.json", "inspect", 0, "4 cases"),
    "label": ("labels/P1__T1/P1__T1.v1.nii.gz", "doctor", 1, r"P1__T1\.v1 .*missing or changed"),
    "sidecar": ("labels/P1__T1/P1__T1.v1.json", "doctor", 0, r"P1__T1\.v1\.json .*written again"),
    "decisions": ("labels/decisions/1.json", "doctor", 0, r"decisions/1\.json .*written again"),
    "features": ("cache/features/ab/abcd.features", "review", 0, "Review first"),
    "job": ("jobs/20261122-000000-run/job.json", "review", 0, "Review first"),
    "events": ("jobs/20261122-000000-run/events.jsonl", "review", 0, "Review first"),
    "curve": ("nnunet/default/results/x/curve.json", "review", 0, "Review first"),
    "any-pickle": ("anything.pkl", "propose", 0, ""),
    "any-array": ("labels/P1__T1/P1__T1.v1.npz", "doctor", 0, ""),
}


@pytest.mark.parametrize("kind", ["pickle", "arrays"])
@pytest.mark.parametrize("name", PLANTED)
def test_a_bomb_in_place_of_a_file(
    name: str, kind: str, proposed_place: Place, canary: Canary, command: Command
) -> None:
    where, verb, code, says = PLANTED[name]
    path = proposed_place.workspace / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENTS[kind](canary))
    sources = proposed_place.sources()
    more = ["--method", "transfer"] if verb == "propose" else []
    answered(command([verb, str(proposed_place.data), *more]), code, says)
    assert proposed_place.sources() == sources


def test_features_kept_by_somebody_else(tmp_path: Path, canary: Canary) -> None:
    from LiverSegSSLLib.propose.few_shot.features import FeatureStore

    store = FeatureStore(folder=tmp_path / "features")
    for number, content in enumerate(CONTENTS.values()):
        path = tmp_path / "features" / "ab" / f"ab{number}.features"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(canary))
        assert store.get(f"ab{number}") is None
        assert not path.exists()  # worked out anew


# --- what names a path ------------------------------------------------------------------------------------------


def outside(place: Place) -> dict[str, bytes]:
    """Every file and folder that is not the workspace's."""
    return {
        str(path): path.read_bytes() if path.is_file() else b""
        for path in place.root.rglob("*")
        if place.workspace not in (path, *path.parents)
    }


LEADING_OUT = [
    "../../mine",
    "/tmp/liversegssl-hostile",
    "C:\\mine",
    "..\\..\\mine",
    "a/../../../mine",
    "\\\\host\\share",
]


@pytest.mark.parametrize(("verb", "where"), list(zip(["doctor", "review", "propose"] * 2, LEADING_OUT, strict=True)))
def test_rows_of_the_ledger_that_lead_out(verb: str, where: str, proposed_place: Place, command: Command) -> None:
    """Rows may be read from elsewhere, and do not pass for labels; nothing is written there or moved."""
    mine = proposed_place.file("mine.nii.gz", (proposed_place.data / "P1" / "mask_GED4.nii.gz").read_bytes())
    proposed_place.file("mine.json", "{}")
    with sqlite3.connect(proposed_place.ledger) as ledger:
        ledger.execute("PRAGMA foreign_keys = OFF")
        ledger.execute("UPDATE labels SET path = ? WHERE case_id = 'P1__T1'", (f"{where}.nii.gz",))
    ledger.close()
    before = outside(proposed_place)
    answer = command([verb, str(proposed_place.data), *(["--method", "transfer"] if verb == "propose" else [])])
    assert "Traceback" not in answer.text and "unexpected" not in answer.text, answer.text
    assert outside(proposed_place) == before and mine.is_file()
    assert not Path("/tmp/liversegssl-hostile.nii.gz").exists()


@pytest.mark.parametrize("where", LEADING_OUT[:4])
def test_cases_in_the_ledger_that_lead_out(where: str, proposed_place: Place, command: Command) -> None:
    """The names of sidecars are made of those of cases and labels: doctor, which writes them, asks where they lie."""
    with sqlite3.connect(proposed_place.ledger) as ledger:
        ledger.execute("PRAGMA foreign_keys = OFF")
        for table, column in (("labels", "id"), ("reviews", "label_id"), ("decisions", "label_id")):
            ledger.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = 'P1__T1.v1'", (f"{where}.v1",))
        ledger.execute("UPDATE labels SET case_id = ? WHERE case_id = 'P1__T1'", (f"{where}__T1",))
    ledger.close()
    before = outside(proposed_place)
    answer = command(["doctor", str(proposed_place.data)])
    assert "Traceback" not in answer.text and "unexpected" not in answer.text, answer.text
    assert outside(proposed_place) == before
    assert not list(Path("/tmp").glob("liversegssl-hostile*"))


@pytest.mark.parametrize("where", LEADING_OUT[:2])
def test_sidecars_that_lead_out(where: str, proposed_place: Place, command: Command) -> None:
    """A ledger that is made again from sidecars takes none that names other files than its own."""
    for path in proposed_place.workspace.glob("labels/P1__T1/*.v1.json"):
        content = json.loads(path.read_text())
        content["label"]["path"] = f"{where}.nii.gz"
        path.write_text(json.dumps(content))
    proposed_place.ledger.write_bytes(b"damaged" * 999)
    before = outside(proposed_place)
    answer = command(["doctor", str(proposed_place.data)])
    said = "".join(answer.text.split())  # a table, with lines of any length
    assert answer.code == 1 and "madeagainfromthelabelfiles" in said, answer.text
    assert "nosidecarofours" in said, answer.text
    assert outside(proposed_place) == before
    with LabelStore.open(proposed_place.workspace) as store:
        assert "P1__T1.v1" not in {label.id for label in store.labels()}


@pytest.mark.parametrize("where", ["../../mine", "/etc"])
def test_a_state_that_names_a_model_elsewhere(where: str, proposed_place: Place, command: Command) -> None:
    """It is read where it lies, as any model that a user names: nothing in it is run, and nothing written there."""
    path = proposed_place.workspace / "runs" / "default" / "state.json"
    state = json.loads(path.read_text())
    state["stages"]["round 1: train"] = {
        "digest": "",
        "output": {"model": where, "held_out": {}, "cases": {}},
        "order": 9,
        "seconds": 1,
        "finished": "2026-11-22T00:00:00",
    }
    path.write_text(json.dumps(state))
    before = outside(proposed_place)
    answer = command(["predict", str(proposed_place.data), "--device", "cpu"])
    answered(answer, 2, "is not a model folder|holds no trained model|has no trained")
    assert outside(proposed_place) == before


# --- links ------------------------------------------------------------------------------------------------------

FOLDERS = ["labels", "labels/P1__T1", "runs", "runs/default", "nnunet", "cache", "staging", "lost+found", "a/b/c"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_that_is_a_link_out_is_refused(folder: str, proposed_place: Place, command: Command) -> None:
    mine = proposed_place.root / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    path = proposed_place.workspace / folder
    if path.is_dir():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(mine)
    labels = proposed_place.workspace / "labels"
    there = sorted(labels.rglob("*")) if not labels.is_symlink() else []
    answer = command(["propose", str(proposed_place.data), "--method", "transfer"])
    answered(answer, 1, rf"{re.escape(str(path))}: is a link out of the workspace, to {mine}.*remove the link")
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]
    assert not there or sorted(labels.rglob("*")) == there


def test_a_label_that_is_a_link_out_is_refused(proposed_place: Place, command: Command) -> None:
    path = proposed_place.workspace / "labels/P1__T1/P1__T1.v1.nii.gz"
    path.unlink()
    path.symlink_to(proposed_place.mask)
    answer = command(["propose", str(proposed_place.data), "--method", "transfer"])
    answered(answer, 1, "is a link out of the workspace")


def test_links_within_a_workspace_and_to_a_workspace_are_no_matter(proposed_place: Place, command: Command) -> None:
    real = proposed_place.root / "on another disk"
    proposed_place.workspace.rename(real)
    proposed_place.workspace.symlink_to(real)
    (real / "cache" / "here").symlink_to("..")
    (real / "cache" / "itself").symlink_to("itself")
    answered(command(["propose", str(proposed_place.data), "--method", "transfer"]), 0, "")


def test_links_that_cannot_be_followed(tmp_path: Path) -> None:
    require_no_way_out(tmp_path / "not there")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    require_no_way_out(tmp_path)
    (tmp_path / "gone out").symlink_to("/nowhere/at/all")
    with pytest.raises(WorkspaceError, match="is a link out of the workspace, to /nowhere/at/all"):
        require_no_way_out(tmp_path)


def test_a_link_where_a_file_is_to_be_written_is_replaced(proposed_place: Place, command: Command) -> None:
    """Within the workspace, so that it is not refused: what it leads to stays as it is."""
    victim = proposed_place.workspace / "victim.txt"
    victim.write_text("dear")
    for name in ("runs/default/manifest.json", "runs/default/report.html"):
        path = proposed_place.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(victim)
    answered(command(["report", str(proposed_place.data)]), 0, "")
    assert victim.read_text() == "dear"
    assert not (proposed_place.workspace / "runs/default/report.html").is_symlink()


# --- jobs -------------------------------------------------------------------------------------------------------


def planted_job(workspace: Path, module: str, **began: object) -> Path:
    folder = workspace / "jobs" / "20261122-000000-run"
    folder.mkdir(parents=True, exist_ok=True)
    job = {"verb": "run", "parameters": {}, "folder": str(folder), "module": module, "detached": True}
    (folder / "job.json").write_text(json.dumps(job))
    event = {"kind": "state", "stage": "run", "message": "", "data": {"state": "running", **began}}
    (folder / "events.jsonl").write_text(json.dumps(event) + "\n")
    return folder


def test_a_job_that_is_found_is_never_run(proposed_place: Place, canary: Canary, command: Command) -> None:
    (proposed_place.workspace / "evil.py").write_text(a_module(canary))
    folder = planted_job(proposed_place.workspace, "evil", pid=2**22 + 1, host="elsewhere", time=0.0)
    for name in ("evil.py", "sitecustomize.py", "LiverSegSSLLib.py"):
        (folder / name).write_text(a_module(canary))
    assert find_jobs(folder.parent) == []
    for verb in ("review", "doctor", "report"):
        assert "Traceback" not in command([verb, str(proposed_place.data)]).text


def test_a_job_cannot_name_a_process_of_mine_to_be_ended(tmp_path: Path) -> None:
    """``events.jsonl`` says which process a job is; stopping it must not stop another program of the same person."""
    import socket
    import subprocess
    import sys
    import time

    mine = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        planted_job(tmp_path, "LiverSegSSLLib.rounds.verbs", pid=mine.pid, host=socket.gethostname(), time=time.time())
        for job in find_jobs(tmp_path / "jobs"):
            job.cancel()
        assert mine.poll() is None
    finally:
        mine.kill()
        mine.wait()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"7", b'{"verb": 7}', b"[" * 100_000, b"\xff\xfe", b'{"verb": [], "parameters": 0}']
)
def test_a_job_that_is_none_is_no_matter(content: bytes, tmp_path: Path, canary: Canary) -> None:
    folder = planted_job(tmp_path, "x")
    (folder / "job.json").write_bytes(content)
    assert find_jobs(folder.parent) == []
    (folder / "job.json").write_bytes(a_pickle(canary))
    assert find_jobs(folder.parent) == []


# --- what a panel keeps -----------------------------------------------------------------------------------------


def test_kept_work_cannot_name_a_file_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "LiverSegSSL"))
    from LiverSegSSLPanel.work import left_work

    folder = tmp_path / "workspace" / "work"
    folder.mkdir(parents=True)
    (tmp_path / "mine__T1.nii.gz").write_bytes(b"mine")
    fields = {"label_id": "", "reviewer": "", "seconds": 1.0, "saved": "2026", "host": "x", "process": 1, "started": 0}
    (folder / "P1__T1.json").write_text(json.dumps({"case_id": "../../mine__T1", **fields}))
    assert left_work(tmp_path / "workspace") == []
    (folder / "P1__T1.nii.gz").write_bytes(b"")
    (folder / "P1__T1.json").write_text(json.dumps({"case_id": "P1__T1", **fields}))
    assert [work.case_id for work in left_work(tmp_path / "workspace")] == ["P1__T1"]
    (folder / "P1__T1.json").write_text("[" * 100_000)
    assert left_work(tmp_path / "workspace") == []


# --- a table of images ------------------------------------------------------------------------------------------


STUDIES = ["../../mine", "/etc/mine", "C:\\mine", "a/b", "..", "~", "$HOME", "=1+1"]


def test_studies_in_a_manifest_lead_nowhere(place: Place, command: Command) -> None:
    rows = [f"{study},T1,data/P1/T1.nii.gz," for study in STUDIES]
    rows += [f"{study},GED4,data/P1/GED4.nii.gz,data/P1/mask_GED4.nii.gz" for study in STUDIES[:4]]
    rows += ["P2,GED4,data/P2/GED4.nii.gz,data/P2/mask_GED4.nii.gz"]
    table = place.file("table.csv", "study,phase,image,label\n" + "\n".join(rows) + "\n")
    workspace = place.root / "workspace"
    before = {path for path in place.root.rglob("*")}
    answer = command(["propose", str(table), "--workspace", str(workspace), "--method", "transfer"])
    assert "Traceback" not in answer.text and "unexpected" not in answer.text, answer.text
    assert answer.code in (0, 2), answer.text
    made = {path for path in place.root.rglob("*") if workspace not in (path, *path.parents)} - before
    assert not made
    for path in workspace.rglob("*"):
        assert os.path.normpath(path) == str(path)


def test_images_in_a_manifest_are_read_as_images_alone(place: Place, canary: Canary, command: Command) -> None:
    for number, content in enumerate(CONTENTS.values()):
        place.file(f"bomb{number}.nii.gz", content(canary))
    rows = [f"B{number},GED4,bomb{number}.nii.gz,bomb{number}.nii.gz" for number in range(len(CONTENTS))]
    rows += ["P2,GED4,data/P2/GED4.nii.gz,data/P2/mask_GED4.nii.gz", "E,GED4,/etc/passwd,"]
    table = place.file("table.csv", "study,phase,image,label\n" + "\n".join(rows) + "\n")
    answer = command(["inspect", str(table)])
    answered(answer, 0, "1 cases, 1 labelled")
    assert "root:" not in answer.text


def test_an_export_follows_no_link_that_was_put_there(proposed_place: Place, command: Command) -> None:
    """A file is replaced as a whole; one that is a link is no longer one."""
    from LiverSegSSLLib.events import SILENT
    from LiverSegSSLLib.rounds.exporting import export

    victim, output = proposed_place.file("victim.txt", "dear"), proposed_place.root / "out"
    (output / "P1").mkdir(parents=True)
    (output / "P1" / "T1.nii.gz").symlink_to(victim)
    place = {"data": str(proposed_place.data), "workspace": str(proposed_place.workspace), "output": str(output)}
    export(place, SILENT)
    assert victim.read_text() == "dear" and not (output / "P1" / "T1.nii.gz").is_symlink()
