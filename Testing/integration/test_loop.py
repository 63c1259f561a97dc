"""The whole loop on a small phantom cohort: what comes out, and that a kill at any stage changes nothing of it."""

import hashlib
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.jobs.job import Job
from LiverSegSSLLib.jobs.runner import start
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.volume import read_geometry, read_mask, read_volume, write_volume
from Testing.integration.loop_cohort import write_small_cohort

pytestmark = pytest.mark.timeout(1500)

STAGES = (
    "propose 1 (transfer)",
    "propose 2 (atlas)",
    "score",
    "prepare",
    "train fold 0",
    "predict",
    "evaluate",
    "report",
)
"""Words of the events at which the run is killed, in the order in which they come."""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_small_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def finished(cohort, tmp_path_factory):
    """The workspace of an uninterrupted run."""
    workspace = tmp_path_factory.mktemp("finished") / "workspace"
    assert _run(cohort, workspace) == 0
    return workspace


def test_the_run_gives_masks_metrics_report_and_manifest(cohort, finished):
    data, _, _ = cohort
    run = finished / "runs" / "small"
    manifest = json.loads((run / "manifest.json").read_text())
    given = [case_id for case_id, entry in manifest["cases"].items() if "given" in entry]
    predicted = [case_id for case_id, entry in manifest["cases"].items() if "final prediction" in entry]
    assert len(given) == 2 and all(case_id.endswith("GED4") for case_id in given)
    assert len(predicted) == 6 and not set(given) & set(predicted)
    report = (run / "report.html").read_text()
    assert "phantom" in report and "final prediction" in report
    assert "http://" not in report.replace("http://www.w3.org", "") and "<script" not in report
    # Every mask on the grid of its image, 0/1.
    for case_id in predicted:
        study, phase = case_id.split("__")
        image = next(data.rglob(f"{study}/{phase}*.nii.gz"))
        mask = run / "predictions" / study / f"{phase}.nii.gz"
        assert read_geometry(mask).same_grid(read_geometry(image))
        assert set(np.unique(read_volume(mask).array)) <= {0, 1}


def test_pseudo_labels_of_round_2_come_from_models_that_did_not_see_them(finished):
    state = json.loads((finished / "runs" / "small" / "state.json").read_text())["stages"]
    train = state["round 1: train"]["output"]
    folder = next((finished / "nnunet").rglob("splits_final.json"))
    splits = json.loads(folder.read_text())
    expert = {case_id for case_id in splits[0]["train"]} & {case_id for case_id in splits[1]["train"]}
    with LabelStore.open(finished) as store:
        experts = {label.case_id for label in store.labels(state=LabelState.EXPERT)}
        second = store.labels(round=2, source="network")
    assert experts <= expert
    for label in second:
        fold = label.parameters["folds"]
        if label.case_id in train["held_out"]:
            assert fold == [train["held_out"][label.case_id]]
            assert label.case_id not in splits[fold[0]]["train"]


def test_the_source_images_are_as_they_were(cohort, tmp_path):
    data, _, _ = cohort
    before = _checksums(data)
    assert main(["inspect", str(data), "--workspace", str(tmp_path / "work")]) == 0
    assert _checksums(data) == before


def test_the_same_run_again_does_nothing_and_another_cohort_order_gives_the_same(cohort, finished):
    run = finished / "runs" / "small"
    before = (run / "manifest.json").read_text()
    with LabelStore.open(finished) as store:
        labels = len(store.labels())
    assert _run(cohort, finished) == 0
    assert (run / "manifest.json").read_text() == before
    with LabelStore.open(finished) as store:
        assert len(store.labels()) == labels
        assert all(store.verify(label) for label in store.labels())


@pytest.mark.slow
def test_a_run_killed_in_every_stage_ends_with_the_result_of_one_that_was_not(cohort, finished, tmp_path):
    workspace = tmp_path / "workspace"
    killed = []
    for stage in STAGES:
        if _run_until(cohort, workspace, stage):
            killed.append(stage)
    assert _run(cohort, workspace) == 0
    assert len(killed) >= len(STAGES) - 2, f"killed only at {killed}"
    mine, theirs = (
        json.loads((place / "runs" / "small" / "manifest.json").read_text()) for place in (workspace, finished)
    )
    assert mine == theirs
    with LabelStore.open(workspace) as store:
        assert all(store.verify(label) for label in store.labels())


@pytest.mark.slow
def test_a_correction_is_trained_on_and_its_case_is_not_proposed_for_again(cohort, finished, tmp_path):
    data, truth, _ = cohort
    workspace = tmp_path / "workspace"
    shutil.copytree(finished, workspace)
    with LabelStore.open(workspace) as store:
        label = next(label for label in store.labels(source="network", round=2))
    corrected = tmp_path / "corrected.nii.gz"
    write_volume(read_mask(truth / f"{label.case_id}.nii.gz"), corrected)
    arguments = [str(data), "correct", label.case_id, "--mask", str(corrected), "--workspace", str(workspace)]
    assert main(["review", *arguments, "--reviewer", "dr"]) == 0
    assert _run(cohort, workspace) == 0
    manifest = json.loads((workspace / "runs" / "small" / "manifest.json").read_text())
    assert manifest["cases"][label.case_id]["given"]["state"] == "corrected"
    assert "final prediction" not in manifest["cases"][label.case_id]


def _run(cohort: tuple[Path, Path, Path], workspace: Path) -> int:
    data, truth, recipe = cohort
    return main(
        [
            "run",
            str(data),
            "--recipe",
            str(recipe),
            "--truth",
            str(truth),
            "--workspace",
            str(workspace),
            "--device",
            "cpu",
        ]
    )


def _run_until(cohort: tuple[Path, Path, Path], workspace: Path, word: str) -> bool:
    """Start the run and kill its process group at the first progress of a stage; whether that stage came."""
    data, truth, recipe = cohort
    parameters = {
        "data": str(data),
        "truth": str(truth),
        "recipe": str(recipe),
        "workspace": str(workspace),
        "device": "cpu",
    }
    handle = start(Job("run", parameters))
    while handle.running:
        event = handle.next(timeout_s=0.5)
        if event is not None and event.kind in ("progress", "log") and word in event.stage:
            os.killpg(handle.process.pid, signal.SIGKILL)
            handle.wait(30)
            return True
    assert handle.wait(30) == 0
    return False


def _checksums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
