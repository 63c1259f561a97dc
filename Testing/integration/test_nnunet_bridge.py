"""From image files to a trained ensemble and back to masks on the images' own grids, with nnU-Net itself."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import LabelError, TrainingError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.train import RunResult, TrainSpec, train
from LiverSegSSLLib.predict.predict import PredictionResult, PredictionTask, predict
from LiverSegSSLLib.predict.settings import PredictionSettings
from LiverSegSSLLib.volume import Geometry, Volume, read_mask, read_volume, write_volume
from Testing.integration.nnunet_itself import nnunet_masks
from Testing.integration.semi_cases import SMALLEST

TURNED = (0.0, -1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0)
"""Another orientation than LPS: every axis points elsewhere."""

FILES = (".nii.gz", ".nrrd", ".mha", ".nii.gz", ".nii.gz", ".nii.gz")


def make_cases(folder: Path) -> tuple[TrainingCase, ...]:
    """Six bright ellipsoids in a body: three file formats, one 4-D file, one turned grid."""
    rng = np.random.default_rng(0)
    cases = []
    for number, suffix in enumerate(FILES):
        grid = Geometry((40, 36, 18), (6.0, 6.0, 8.0), (5.0 * number, -20.0, 300.0))
        if number == 4:
            grid = Geometry((40, 36, 18), (6.0, 6.0, 8.0), (0.0, 0.0, 0.0), TURNED)
        z, y, x = np.indices(grid.shape)
        liver = ((z - 9) / 5) ** 2 + ((y - 16 - rng.integers(-3, 4)) / 9) ** 2 + ((x - 14) / 8) ** 2 < 1
        body = ((z - 9) / 10) ** 2 + ((y - 18) / 17) ** 2 + ((x - 20) / 19) ** 2 < 1
        image = 100.0 * body + 90 * liver + rng.normal(0, 8, grid.shape)
        four_d = number == 3
        case_id = f"s{number}__GED4"
        write_volume(Volume(image.astype(np.int16), grid, four_d), folder / f"{case_id}{suffix}")
        write_volume(Volume(liver.astype(np.uint8), grid, four_d), folder / f"{case_id}_mask.nii.gz")
        role = "expert" if number < 2 else "pseudo"
        cases.append(TrainingCase(case_id, folder / f"{case_id}{suffix}", folder / f"{case_id}_mask.nii.gz", role))
    # One pseudo label is in doubt near its border, where it teaches nothing.
    doubt = folder / "doubt.nii.gz"
    write_volume(Volume((255 * ndimage.gaussian_filter(liver.astype(float), 1.5)).astype(np.uint8), grid), doubt)
    cases[-1] = dataclasses.replace(cases[-1], probability=doubt, certain=0.8)
    return tuple(cases)


class Round:
    """One training and its out-of-fold predictions."""

    def __init__(self, folder: Path) -> None:
        self.cases = make_cases(folder)
        self.events: list[Event] = []
        self.spec = TrainSpec(
            "round 1", self.cases, folder / "nnunet", "cpu", 2, SMALLEST, seed=3, device="cpu", threads=2
        )
        self.environment = _environment()
        self.result: RunResult = train(self.spec, Reporter(self.events.append))
        self.tasks = [
            PredictionTask(c.case_id, c.image, folder / f"{c.case_id}_out.nii.gz", folder / f"{c.case_id}_p.nii.gz")
            for c in self.cases
        ]
        self.predicted: tuple[PredictionResult, ...] = predict(
            self.result.model_folder,
            self.tasks,
            held_out=self.result.held_out,
            settings=PredictionSettings(largest=False),
            device="cpu",
            threads=1,
        )


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Round:
    return Round(tmp_path_factory.mktemp("bridge"))


def weights(result: RunResult, fold: int) -> dict:  # type: ignore[type-arg]
    weights: dict = load_checkpoint(result.model_folder / f"fold_{fold}" / FINAL)["network_weights"]  # type: ignore[type-arg]
    return weights


def test_each_pseudo_labelled_case_is_held_out_once_and_curves_are_told(first: Round) -> None:
    assert set(first.result.held_out) == {f"s{i}__GED4" for i in range(2, 6)}
    assert first.result.folds == (0, 1)
    for fold in (0, 1):
        curve = first.result.curves[fold]
        assert [point["epoch"] for point in curve] == [1, 2, 3]
        told = [e.data for e in first.events if e.kind == "metric" and e.stage == f"train fold {fold}"]
        assert [point["agreement"] for point in told] == [point["agreement"] for point in curve]
        assert told[-1]["seconds_left"] == 0


def test_nothing_is_copied_and_the_parents_environment_is_left_alone(first: Round) -> None:
    written = {path.name for path in first.spec.folder.rglob("*") if path.is_file()}
    assert not [name for name in written if name.endswith(FILES)]
    dataset = json.loads(next(first.spec.folder.glob("raw/*/dataset.json")).read_text())
    assert [entry["images"] for entry in dataset["dataset"].values()] == [[str(c.image)] for c in first.cases]
    assert _environment() == first.environment
    assert not [name for name in os.environ if name.startswith("nnUNet")]


def test_masks_and_probabilities_lie_on_each_images_own_grid_in_its_file_shape(first: Round) -> None:
    for case, result in zip(first.cases, first.predicted, strict=True):
        assert result.failure == ""
        assert result.folds == ((first.result.held_out[case.case_id],) if case.role == "pseudo" else (0, 1))
        image = read_volume(case.image)
        assert result.mask is not None and result.probability is not None
        mask, probability = read_volume(result.mask), read_volume(result.probability)
        assert mask.geometry.same_grid(image.geometry) and probability.geometry.same_grid(image.geometry)
        assert mask.trailing_singleton == image.trailing_singleton == probability.trailing_singleton
        assert probability.array.dtype == np.float32
        assert probability.array.min() >= 0 and probability.array.max() <= 1
        assert np.array_equal(mask.array > 0, probability.array > 0.5)


def test_masks_are_those_of_nnunets_own_predictor(
    first: Round, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = [task for task in first.tasks if task.case_id != "s3__GED4"]  # their reader cannot turn 4-D files
    images = {task.case_id: task.image for task in tasks}
    theirs = nnunet_masks(first.result.model_folder, (0, 1), images, tmp_path, monkeypatch)
    ours = predict(
        first.result.model_folder,
        [PredictionTask(task.case_id, task.image, tmp_path / f"{task.case_id}_ours.nii.gz") for task in tasks],
        settings=PredictionSettings(largest=False),
        device="cpu",
        threads=1,
    )
    liver = 0
    assert [result.case_id for result in ours] == list(theirs)
    for result in ours:
        assert result.mask is not None
        expected = read_mask(theirs[result.case_id])
        assert expected.geometry.same_grid(read_volume(result.mask).geometry)
        assert np.array_equal(read_mask(result.mask).array, expected.array), result.case_id
        liver += int(expected.array.sum())
    assert liver > 0  # the comparison was of something


def test_a_finished_training_is_not_repeated(first: Round) -> None:
    checkpoint = first.result.model_folder / "fold_0" / FINAL
    before = checkpoint.stat().st_mtime_ns
    again = train(first.spec)
    assert checkpoint.stat().st_mtime_ns == before
    assert again.curves == first.result.curves and again.held_out == first.result.held_out


def test_killed_and_continued_ends_with_the_same_weights(first: Round, tmp_path: Path) -> None:
    cases = make_cases(tmp_path)
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from test_nnunet_bridge import *\n"
        "folder = Path(sys.argv[1]); case_names = sorted(folder.glob('*_mask.nii.gz'))\n"
        "train(TrainSpec('round 1', make_cases(folder), folder / 'nnunet', 'cpu', 2, SMALLEST, 3, 'cpu', 2))\n"
    )
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    latest = None
    deadline = time.monotonic() + 300
    while latest is None and time.monotonic() < deadline and process.poll() is None:
        latest = next(tmp_path.rglob("checkpoint_latest.pth"), None)
        time.sleep(0.02)
    children = _children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert latest is not None, "no checkpoint was written"
    assert children and _all_end(children)
    assert not list(tmp_path.rglob(FINAL)), "the training had already ended: the kill came too late"
    events: list[Event] = []
    result = train(
        TrainSpec("round 1", cases, tmp_path / "nnunet", "cpu", 2, SMALLEST, 3, "cpu", 2), Reporter(events.append)
    )
    assert any("continues after epoch" in event.message for event in events)
    for fold in (0, 1):
        expected, found = weights(first.result, fold), weights(result, fold)
        assert all(bool((expected[name] == found[name]).all()) for name in expected)
        assert len(result.curves[fold]) == 3


@pytest.mark.slow
def test_a_later_round_may_begin_with_the_model_of_the_round_before_unless_it_knows_too_much(first: Round) -> None:
    held_out = first.result.held_out
    one = next(case_id for case_id, fold in held_out.items() if fold == 0)
    other = next(case_id for case_id, fold in held_out.items() if fold == 1)
    places = {one: other.split("__")[0], other: one.split("__")[0]}
    swapped = tuple(dataclasses.replace(case, group=places.get(case.case_id, "")) for case in first.cases)
    for cases, expected in ((first.cases, "begins with the weights"), (swapped, "begins from scratch")):
        events: list[Event] = []
        options = {**SMALLEST, "epochs": 1}
        spec = dataclasses.replace(
            first.spec, name="round 2", cases=cases, options=options, init=first.result.model_folder
        )
        result = train(spec, Reporter(events.append))
        assert sum(expected in event.message for event in events) == 2
    assert (result.held_out[one], result.held_out[other]) == (1, 0)


def test_a_loss_that_is_not_a_number_ends_the_training_with_advice(first: Round, tmp_path: Path) -> None:
    options = {**SMALLEST, "optimizer": "sgd", "learning_rate": 1e30, "warmup_epochs": 0, "iterations_per_epoch": 6}
    spec = TrainSpec("bad", first.cases[:2], tmp_path, "cpu", 1, options, device="cpu", threads=1)
    with pytest.raises(TrainingError, match="learning_rate"):
        train(spec)
    assert not list(tmp_path.rglob(FINAL))


def test_an_expert_mask_without_liver_is_refused_before_anything_starts(first: Round, tmp_path: Path) -> None:
    empty = tmp_path / "empty.nii.gz"
    write_volume(read_volume(first.cases[0].label).with_array(np.zeros((18, 36, 40), np.uint8)), empty)
    case = TrainingCase("s0__GED4", first.cases[0].image, empty, "expert")
    with pytest.raises(LabelError, match="empty"):
        train(TrainSpec("x", (case,), tmp_path / "n"))
    assert not (tmp_path / "n").exists()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _all_end(pids: list[int], within_s: float = 10) -> bool:
    import psutil

    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        alive = [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        if not alive:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_cases_side_by_side_are_predicted_as_one_after_the_other(first: Round, tmp_path: Path) -> None:
    many = [
        PredictionTask(f"{copy}{task.case_id}", task.image, tmp_path / f"{copy}{task.case_id}.nii.gz")
        for copy in "ab"
        for task in first.tasks
    ]
    held_out = {f"{copy}{case_id}": fold for copy in "ab" for case_id, fold in first.result.held_out.items()}
    done: list[tuple[int, int]] = []
    results = predict(
        first.result.model_folder,
        many,
        held_out=held_out,
        settings=PredictionSettings(largest=False),
        device="cpu",
        threads=3,
        report=Reporter(lambda e: done.append((e.data["done"], e.data["total"])) if e.kind == "progress" else None),
    )
    assert [result.case_id for result in results] == [task.case_id for task in many]
    assert done == [(number, len(many)) for number in range(1, len(many) + 1)]
    for task, alone in zip(many, [*first.predicted, *first.predicted], strict=True):
        assert task.mask is not None and alone.mask is not None
        assert np.array_equal(read_mask(task.mask).array, read_mask(alone.mask).array)
        assert next(r for r in results if r.case_id == task.case_id).folds == alone.folds
