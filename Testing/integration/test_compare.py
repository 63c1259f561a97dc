"""Methods compared from the command line on a small phantom: what comes out, a kill, and what is refused."""

import csv
import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.errors import BadInputError, GeometryError
from LiverSegSSLLib.evaluate.metrics import measure
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.jobs.job import Job
from LiverSegSSLLib.jobs.runner import start
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.rounds.verbs import compare
from LiverSegSSLLib.volume import Volume, read_mask, write_volume
from Testing.integration.loop_cohort import write_small_cohort

pytestmark = pytest.mark.timeout(1500)

TINY = (
    "epochs=2",
    "iterations_per_epoch=2",
    "val_iterations=1",
    "configuration={spacing: [8, 6, 6], patch_size: [16, 32, 32], features_per_stage: [4, 8, 8],"
    " kernel_sizes: [[1, 3, 3], [3, 3, 3], [3, 3, 3]], strides: [[1, 1, 1], [1, 2, 2], [2, 2, 2]],"
    " n_conv_per_stage: [1, 1, 1], n_conv_per_stage_decoder: [1, 1]}",
)
METHODS = ("supervised", "cps")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Data and truth of four studies, two of them labelled; GED4 is compared on."""
    data, truth, _ = write_small_cohort(tmp_path_factory.mktemp("cohort"))
    return data, truth


def arguments(cohort: tuple[Path, Path], workspace: Path, *more: str) -> list[str]:
    data, truth = cohort
    given = ["compare", str(data), "--truth", str(truth), "--workspace", str(workspace), "--device", "cpu"]
    changes = [word for change in TINY for word in ("--set", change)]
    return [*given, "--preset", "cpu", "--labelled", "1", "--seeds", "1", *changes, *more]


def parameters(cohort: tuple[Path, Path], workspace: Path, methods: str = "supervised,cps") -> dict[str, Any]:
    """The same as a job gets it."""
    data, truth = cohort
    places = {"data": str(data), "truth": str(truth), "workspace": str(workspace)}
    choice = {"methods": methods, "labelled": "1", "seeds": 1, "preset": "cpu", "device": "cpu", "changes": list(TINY)}
    return {**places, **choice}


def events_of(given: dict[str, Any], until: Callable[[Event], bool] = lambda event: False) -> list[Event]:
    """All events of a job, or those up to one at which its whole process group is killed."""
    handle, events = start(Job("compare", given)), []
    while handle.running:
        event = handle.next(timeout_s=0.5)
        if event is not None:
            events.append(event)
            if until(event):
                os.killpg(handle.process.pid, signal.SIGKILL)
                break
    handle.wait(60)
    return events


@pytest.fixture(scope="module")
def comparison(cohort, tmp_path_factory):
    """The folder of a comparison that was killed at the first mask it predicted, and the events of both runs."""
    workspace = tmp_path_factory.mktemp("comparison")
    first = events_of(
        parameters(cohort, workspace, "supervised"), lambda event: event.stage == "supervised: test cases"
    )
    (checkpoint,) = workspace.rglob(FINAL)
    trained = checkpoint.stat().st_mtime_ns
    second = events_of(parameters(cohort, workspace))
    assert checkpoint.stat().st_mtime_ns == trained
    return workspace / "compare" / "cpu-GED4", first, second


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "cells.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_killed_and_continued_it_measures_every_method_on_the_same_cases(cohort, comparison):
    folder, first, second = comparison
    assert not any(event.kind == "result" for event in first)
    again = {event.kind for event in second if event.stage == "supervised: 1 labelled, seed 0"}
    assert again <= {"metric"}, "its curve may be told again, it is not trained again"
    plan, rows = json.loads((folder / "plan.json").read_text()), rows_of(folder)
    assert [(row["method"], row["case_id"]) for row in rows] == [(m, case) for m in METHODS for case in plan["test"]]
    assert {row["iterations"] for row in rows} == {"4"} and all(float(row["seconds"]) > 0 for row in rows)
    (cell,) = plan["cells"]
    assert len(cell["train"]) == 1 and len(cell["unlabelled"]) == 2
    assert not {*cell["train"], *cell["unlabelled"]} & set(plan["test"])
    for row in rows:
        (mask,) = (folder / "masks" / f"{row['method']}-1-0").glob(f"*/{row['case_id']}.nii.gz")
        truth = read_mask(cohort[1] / f"{row['case_id']}.nii.gz")
        found = measure(truth.array, read_mask(mask, truth.geometry).array, truth.geometry.spacing_zyx)
        assert float(row["dice"]) == found.dice
        assert (row["hd_mm"] == "") if np.isnan(found.hd_mm) else float(row["hd_mm"]) == found.hd_mm


@pytest.mark.slow
def test_all_methods_are_trained_on_the_same_labels_from_one_dataset(comparison):
    folder, _, _ = comparison
    (splits,) = folder.rglob("splits_final.json")
    plan = json.loads((folder / "plan.json").read_text())
    (fold,), (cell,) = json.loads(splits.read_text()), plan["cells"]
    assert (fold["train"], fold["val"], fold["unlabelled"]) == (cell["train"], cell["train"], cell["unlabelled"])
    cards = [json.loads(path.read_text()) for path in folder.rglob("liversegssl_model.json")]
    assert len(cards) == len(METHODS) and cards[0]["preset"] == cards[1]["preset"]
    # Nothing of a tested study was even prepared.
    prepared = {path.name for path in folder.rglob("*_seg.npy")}
    assert prepared and not any(name.startswith(case) for case in plan["test"] for name in prepared)


@pytest.mark.slow
def test_progress_is_in_cells_of_all_methods(comparison):
    _, _, events = comparison
    told = [event.data for event in events if event.stage == "cells"]
    assert told[-1] == {"done": len(METHODS), "total": len(METHODS)}
    assert any(event.stage == "cps: 1 labelled, seed 0" for event in events)


@pytest.mark.slow
def test_tables_chart_and_page_are_there(comparison):
    folder, _, events = comparison
    assert {"summary.csv", "summary.md", "comparison.svg", "comparison.png", "comparison.html"} <= {
        path.name for path in folder.iterdir()
    }
    page = (folder / "comparison.html").read_text()
    assert "phantom" in page and "Only one seed" in page and "cps" in page
    (result,) = (event.data for event in events if event.kind == "result")
    assert [row[1] for row in result["tables"][0]["rows"]] == list(METHODS)
    assert all(Path(path).exists() for path in result["files"].values())


@pytest.mark.slow
def test_the_same_command_again_trains_and_predicts_nothing(cohort, comparison, capfd):
    folder, _, _ = comparison
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix in (".pth", ".gz", ".npy")}
    rows = (folder / "cells.csv").read_text()
    assert main(arguments(cohort, folder.parents[1], "--methods", ",".join(METHODS))) == 0
    assert (folder / "cells.csv").read_text() == rows
    assert before == {path: path.stat().st_mtime_ns for path in before}
    said = capfd.readouterr()
    assert "GED4: mean ± sd over seeds" in said.out and "comparison.html" in said.out


@pytest.mark.slow
def test_another_comparison_in_the_same_folder_is_refused(cohort, comparison, capfd):
    folder, _, _ = comparison
    assert main(arguments(cohort, folder.parents[1], "--set", "epochs=3")) == 2
    error = capfd.readouterr().err
    assert "holds another comparison, which differs in preset" in error and "--name" in error
    assert len(list(folder.rglob(FINAL))) == len(METHODS)


def test_a_misspelt_method_is_one_line_before_anything_is_done(cohort, tmp_path, capfd):
    assert main(arguments(cohort, tmp_path, "--methods", "supervised,csp")) == 2
    error = [line for line in capfd.readouterr().err.splitlines() if "Error" in line]
    assert len(error) == 1 and "csp: is not a method – did you mean cps?" in error[0]
    assert not (tmp_path / "compare").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labelled": "1,9"}, "9 labelled studies are asked for, 2 are left beside 1 for the test"),
        ({"changes": ["epoch=3"]}, "did you mean epochs"),
        ({"preset": "cpuu"}, "did you mean cpu"),
        ({"network": "stunet"}, "did you mean stunet-"),
        ({"truth": "nowhere"}, "nowhere: is not a folder"),
        ({"targets": ["DWI"]}, "has no image of DWI"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(cohort, tmp_path, change, says):
    with pytest.raises(BadInputError, match=says) as raised:
        compare({**parameters(cohort, tmp_path), **change}, Reporter())
    assert raised.value.remedy and not (tmp_path / "compare").exists()


def test_a_truth_on_another_grid_is_found_before_any_training(cohort, tmp_path):
    data, truth = cohort
    for file in truth.glob("*__GED4.nii.gz"):
        mask = read_mask(file)
        moved = replace(mask.geometry, origin=(0.0, 0.0, 500.0))
        write_volume(Volume(mask.array, moved), tmp_path / "truth" / file.name)
    with pytest.raises(GeometryError, match="grid"):
        compare(parameters((data, tmp_path / "truth"), tmp_path), Reporter())
    assert not (tmp_path / "compare").exists()


@pytest.mark.slow
def test_pseudo_labels_are_those_of_the_same_cells_supervised_training(cohort, tmp_path):
    assert main(arguments(cohort, tmp_path, "--methods", "pseudo", "--seeds", "2")) == 0
    folder = tmp_path / "compare" / "cpu-GED4"
    rows = rows_of(folder)
    assert {row["method"] for row in rows} == {"supervised", "pseudo"}
    seconds = {(row["method"], row["seed"]): float(row["seconds"]) for row in rows}
    assert all(seconds["pseudo", seed] > seconds["supervised", seed] for seed in "01")
    (model,) = folder.rglob("Dataset*_compare_pseudo/LiverSegTrainer__*")
    dataset = json.loads(next(folder.glob("nnunet/raw/*_compare_pseudo/dataset.json")).read_text())["dataset"]
    splits = json.loads(next(folder.glob("nnunet/preprocessed/*_compare_pseudo/splits_final.json")).read_text())
    cells = json.loads((folder / "plan.json").read_text())["cells"]
    for cell, fold in zip(cells, splits, strict=True):
        assert (model / f"fold_{cell['number']}" / FINAL).is_file()
        labels = {case_id: Path(dataset[case_id]["label"]) for case_id in fold["train"]}
        given = [path for path in labels.values() if path.name == "mask_GED4.nii.gz"]
        assert len(given) == len(cell["train"])
        made = [path for path in labels.values() if path not in given]
        assert all(f"supervised-1-{cell['seed']}" in path.parts for path in made)


@pytest.mark.slow
def test_a_hidden_mask_changes_nothing(cohort, comparison, tmp_path):
    """The mask of the study that was not chosen, replaced by another: both methods end with the same weights."""
    folder, _, _ = comparison
    data = tmp_path / "data"
    shutil.copytree(cohort[0], data)
    (cell,) = json.loads((folder / "plan.json").read_text())["cells"]
    (hidden,) = (mask for mask in data.rglob("mask_GED4.nii.gz") if f"{mask.parent.name}__GED4" not in cell["train"])
    volume = read_mask(hidden)
    write_volume(volume.with_array(np.roll(volume.array, 5, axis=2)), hidden)
    assert main(arguments((data, cohort[1]), tmp_path / "w", "--methods", ",".join(METHODS))) == 0
    before, after = (weights_of(place) for place in (folder, tmp_path / "w" / "compare" / folder.name))
    assert all(np.array_equal(before[method], after[method]) for method in METHODS)
    assert not np.array_equal(before["supervised"], before["cps"])  # images without a label do change something


def weights_of(folder: Path) -> dict[str, np.ndarray]:
    """All weights of each method's one cell."""
    found = {}
    for checkpoint in folder.rglob(FINAL):
        card = json.loads((checkpoint.parents[1] / "liversegssl_model.json").read_text())
        weights = load_checkpoint(checkpoint)["network_weights"]
        found[card["method"]] = np.concatenate([weights[name].numpy().ravel() for name in sorted(weights)])
    return found
