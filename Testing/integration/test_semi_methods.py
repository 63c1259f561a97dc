"""Mean teacher, BCP and MiDSS as trainings: curves, teachers, a kill in the middle of an epoch, and who opens them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from LiverSegSSLLib.checkpoint import NETWORKS_KEY, load_checkpoint
from LiverSegSSLLib.engine import Folders, environment, trainer_class
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.methods import TRAINERS, Method
from LiverSegSSLLib.learn.splits import Fold
from LiverSegSSLLib.learn.train import RunResult, TrainSpec, train
from LiverSegSSLLib.predict.predictor import Ensemble
from LiverSegSSLLib.predict.settings import PredictionSettings
from LiverSegSSLLib.volume import read_mask, read_volume
from Testing.integration.nnunet_itself import nnunet_masks
from Testing.integration.semi_cases import SMALLEST, same, semi_cases, train_in_this_process

METHODS: tuple[Method, ...] = ("mean-teacher", "bcp", "midss")
OPTIONS: dict[str, Any] = {
    **SMALLEST,
    "epochs": 2,
    # Of four steps the first is of the first stage.
    "bcp": {"pretrain": 0.25},
    # So early no network is sure of anything.
    "midss": {"confidence": 0.5},
}


class Trainings:
    """One fold by each method, from the same images, when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cases = folder, semi_cases(folder / "data")
        ids = tuple(case.case_id for case in self.cases)
        self.fold = Fold(ids[:1], ids[1:2], ids[2:])
        self._done: dict[Method, RunResult] = {}

    def spec(self, method: Method, **options: Any) -> TrainSpec:
        place, changed = self.folder / "nnunet", {**OPTIONS, **options}
        return TrainSpec("semi", self.cases, place, "cpu", 1, changed, 3, "cpu", 1, method=method, splits=(self.fold,))

    def __getitem__(self, method: Method) -> RunResult:
        if method not in self._done:
            self._done[method] = train(self.spec(method))
        return self._done[method]


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    return Trainings(tmp_path_factory.mktemp("semi"))


def final(result: RunResult) -> dict[str, Any]:
    loaded: dict[str, Any] = load_checkpoint(result.model_folder / "fold_0" / FINAL)
    return loaded


@pytest.mark.parametrize("method", METHODS)
def test_curves_tell_what_labels_and_what_unlabelled_images_teach(trainings: Trainings, method: Method) -> None:
    rows = trainings[method].curves[0]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(np.isfinite(row["supervised_loss"]) for row in rows)
    assert rows[1]["unsupervised_loss"] > 0
    if method == "midss":
        assert 0 < rows[1]["confident"] <= 1


@pytest.mark.parametrize("method", METHODS)
def test_the_teacher_is_saved_and_is_another_than_the_student(trainings: Trainings, method: Method) -> None:
    checkpoint = final(trainings[method])
    student, teacher = checkpoint["network_weights"], checkpoint[NETWORKS_KEY]["teacher"]["weights"]
    assert student.keys() == teacher.keys() and not same(student, teacher)


@pytest.mark.parametrize("method", METHODS)
def test_killed_in_the_middle_of_an_epoch_and_continued_it_is_the_same_training(
    trainings: Trainings, method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of weights, teacher and curves, bit for bit, nothing is left of the half epoch before the kill."""

    class Killed(Exception):
        pass

    whole = trainings[method]
    variables = environment(Folders(trainings.folder / "nnunet"), 1)
    for name, value in {**variables, "nnUNet_results": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    specification = json.loads((whole.model_folder / "fold_0" / "fold.json").read_text())
    trainer = trainer_class(TRAINERS[method])
    after_step = trainer.after_step

    def killed_after_three_steps(self: Any, step: Any) -> None:
        after_step(self, step)
        if step.number == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "after_step", killed_after_three_steps)
        with pytest.raises(Killed):
            train_in_this_process(specification, Reporter())
    assert not list(tmp_path.rglob(FINAL))
    events: list[Event] = []
    train_in_this_process(specification, Reporter(events.append))
    assert any("continues after epoch 1" in event.message for event in events)
    again = load_checkpoint(next(tmp_path.rglob(FINAL)))
    expected = final(whole)
    assert same(again["network_weights"], expected["network_weights"])
    teachers = [checkpoint[NETWORKS_KEY]["teacher"]["weights"] for checkpoint in (again, expected)]
    assert same(*teachers)
    told = [event.data for event in events if event.kind == "metric"]
    assert told[0]["supervised_loss"] == whole.curves[0][1]["supervised_loss"]


@pytest.mark.parametrize("method", METHODS)
def test_nnunets_own_predictor_opens_it(
    trainings: Trainings, method: Method, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, case = trainings[method].model_folder, trainings.cases[2]
    image = read_volume(case.image)
    theirs = nnunet_masks(model, (0,), {case.case_id: case.image}, tmp_path, monkeypatch)
    settings = PredictionSettings(step=0.5, mirroring=False, largest=False, edges=False)
    ours = Ensemble(model, (0,), "cpu", settings).predict(image).probability.array > 0.5
    assert 0 < ours.sum() < ours.size
    assert np.array_equal(read_mask(theirs[case.case_id]).array > 0, ours)
