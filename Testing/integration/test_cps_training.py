"""Cross pseudo supervision as a training: its streams, its equals, a kill, and what opens its models."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunetv2.run import run_training

from LiverSegSSLLib.checkpoint import NETWORKS_KEY, load_checkpoint
from LiverSegSSLLib.engine import Folders, environment, trainer_class
from LiverSegSSLLib.errors import BadInputError, TrainingError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.learn.card import read_card
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.learn.plans import with_options
from LiverSegSSLLib.learn.prepared import PreparedDataset
from LiverSegSSLLib.learn.semi.cps import CpsTrainer
from LiverSegSSLLib.learn.semi.two_stream import TwoStreamTrainer
from LiverSegSSLLib.learn.splits import Fold
from LiverSegSSLLib.learn.train import RunResult, TrainSpec, train
from LiverSegSSLLib.predict.predict import PredictionTask, predict
from LiverSegSSLLib.predict.predictor import Ensemble
from LiverSegSSLLib.predict.settings import PredictionSettings
from LiverSegSSLLib.volume import read_mask, read_volume
from Testing.integration.nnunet_itself import nnunet_masks
from Testing.integration.semi_cases import SMALLEST, same, semi_cases, settings_of_a_child, train_in_this_process

PLAIN = PredictionSettings(step=0.5, mirroring=False, largest=False, edges=False)


class Trained:
    """Two folds learnt by CPS through the command's own way; further trainings run in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cases, self.events = folder, semi_cases(folder / "data"), list[Event]()
        ids = tuple(case.case_id for case in self.cases)
        self.folds = (Fold(ids[:1], ids[1:2], ids[2:]), Fold(ids[1:2], ids[:1], ids[2:]))
        self.cps = train(self.spec(), Reporter(self.events.append))

    def spec(self) -> TrainSpec:
        place = self.folder / "nnunet"
        return TrainSpec("semi", self.cases, place, "cpu", 2, SMALLEST, 3, "cpu", 2, method="cps", splits=self.folds)

    def here(
        self,
        place: Path,
        monkeypatch: pytest.MonkeyPatch,
        trainer: str = "CpsTrainer",
        init: Path | None = None,
        said: list[Event] | None = None,
        **options: Any,
    ) -> Path:
        """Train fold 0 once more, in this process, by another trainer or with other options; its folder."""
        earlier = Folders(self.folder / "nnunet").preprocessed
        folders = Folders(place)
        if not folders.preprocessed.is_dir():
            shutil.copytree(earlier, folders.preprocessed)
        data = folders.preprocessed / self.cps.model_folder.parent.name
        plans = json.loads((data / "LiverSegPlans.json").read_text())
        plans["liversegssl"]["training"] |= options
        (data / "LiverSegPlans.json").write_text(json.dumps(plans))
        for name, value in environment(folders, 1).items():
            monkeypatch.setenv(name, value)
        specification = json.loads((self.cps.model_folder / "fold_0" / "fold.json").read_text())
        begin = init and {"checkpoint": str(init), "keep_heads": True, "label": "earlier", "sha256": ""}
        report = Reporter() if said is None else Reporter(said.append)
        train_in_this_process({**specification, "trainer": trainer, "preprocessed": str(data), "init": begin}, report)
        return next(folders.results.glob(f"*/{trainer}__*/fold_0"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("cps"))


def checkpoint(result: RunResult, fold: int = 0) -> dict[str, Any]:
    loaded: dict[str, Any] = load_checkpoint(result.model_folder / f"fold_{fold}" / FINAL)
    return loaded


@contextmanager
def killed_at_step(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A training that is begun within dies at this step, counted from 1."""
    steps = 0
    whole = TwoStreamTrainer.train_step

    def dying(self: Any, batch: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == number:
            raise KeyboardInterrupt
        return whole(self, batch)

    with monkeypatch.context() as once, pytest.raises(KeyboardInterrupt):
        once.setattr(TwoStreamTrainer, "train_step", dying)
        yield


def weights(fold: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_checkpoint(fold / FINAL)["network_weights"]
    return found


def test_curves_tell_the_losses_apart_and_the_networks_disagree(trained: Trained) -> None:
    for fold in (0, 1):
        rows = trained.cps.curves[fold]
        assert [row["epoch"] for row in rows] == [1, 2, 3]
        assert all(row["supervised_loss"] != row["unsupervised_loss"] > 0 for row in rows)
        assert all(0 < row["disagreement"] < 1 for row in rows)
        assert all("dice" in row and "agreement" not in row for row in rows)  # held out, and an expert's
    assert not [event for event in trained.events if "agree on every voxel" in event.message]


def test_with_weight_zero_the_first_network_is_that_of_supervised_training(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervised = weights(trained.here(tmp_path, monkeypatch, "LiverSegTrainer"))
    alone = weights(trained.here(tmp_path, monkeypatch, cps={"weight": 0.0}))
    assert same(alone, supervised) and not same(checkpoint(trained.cps)["network_weights"], supervised)


def test_stored_labels_of_unlabelled_cases_teach_nothing(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PreparedDataset.load_case
    replaced = []

    def with_garbage(self: Any, identifier: str) -> Any:
        data, seg, previous, properties = whole(self, identifier)
        if identifier in trained.folds[0].unlabelled:
            replaced.append(identifier)
            seg = np.random.default_rng(0).integers(-1, 2, seg[:].shape).astype(np.int16)
        return data, seg, previous, properties

    monkeypatch.setattr(PreparedDataset, "load_case", with_garbage)
    found = weights(trained.here(tmp_path, monkeypatch))
    assert len(replaced) >= 3 * 2 * 2  # patches of all steps
    assert same(found, checkpoint(trained.cps)["network_weights"])


def test_killed_in_the_middle_of_an_epoch_and_continued_ends_with_the_same_weights(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both networks, their optimizers and averages, from the checkpoint of the epoch before."""
    with killed_at_step(4, monkeypatch):
        trained.here(tmp_path, monkeypatch)
    found, expected = load_checkpoint(trained.here(tmp_path, monkeypatch) / FINAL), checkpoint(trained.cps)
    assert same(found["network_weights"], expected["network_weights"])
    second, as_expected = found[NETWORKS_KEY]["second"], expected[NETWORKS_KEY]["second"]
    assert same(second["weights"], as_expected["weights"]) and same(second["raw"], as_expected["raw"])


def test_beginning_with_weights_the_networks_differ_by_their_output_layers(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = {"learning_rate": 1e-15, "weight_decay": 0.0, "epochs": 1}
    earlier = trained.cps.model_folder / "fold_1" / FINAL
    theirs = weights(earlier.parent)
    found = load_checkpoint(trained.here(tmp_path, monkeypatch, init=earlier, **still) / FINAL)
    first, second = found["network_weights"], found[NETWORKS_KEY]["second"]["weights"]
    heads = [name for name in theirs if "seg_layers" in name]
    assert heads and all(torch.allclose(first[name], theirs[name], atol=1e-9) for name in theirs)
    for name in theirs:
        if name not in heads or name.endswith("weight"):  # biases begin with 0
            assert torch.allclose(second[name], theirs[name], atol=1e-9) == (name not in heads), name


def test_networks_that_agree_everywhere_are_told(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = CpsTrainer.add_networks

    def copied(self: Any) -> None:
        whole(self)
        self.partners["second"].load_state_dict(self.network.state_dict())

    monkeypatch.setattr(CpsTrainer, "add_networks", copied)
    said: list[Event] = []
    trained.here(tmp_path, monkeypatch, said=said, epochs=1)
    warnings = [event.message for event in said if event.data.get("level") == "warning"]
    assert len(warnings) == 1 and "agree on every voxel" in warnings[0]


def test_a_loss_that_is_not_a_number_ends_it_with_advice_and_keeps_the_last_checkpoint(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = CpsTrainer.losses

    def sick(self: Any, step: Any) -> Any:
        losses = whole(self, step)
        return {**losses, "total": losses["total"] * (float("nan") if step.number == 4 else 1.0)}

    with monkeypatch.context() as once, pytest.raises(TrainingError, match="learning_rate"):
        once.setattr(CpsTrainer, "losses", sick)
        trained.here(tmp_path, monkeypatch)
    place = next(tmp_path.glob("results/*/CpsTrainer__*/fold_0"))
    assert load_checkpoint(place / "checkpoint_latest.pth")["current_epoch"] == 2 and not (place / FINAL).exists()
    assert same(weights(trained.here(tmp_path, monkeypatch)), checkpoint(trained.cps)["network_weights"])


def test_nnunets_own_command_continues_it(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``nnUNetv2_train … -tr CpsTrainer --c`` does after a kill."""
    place = trained.here(tmp_path, monkeypatch)
    (place / FINAL).rename(tmp_path / "expected.pth")
    # The checkpoint of the second epoch: that of the end is not there yet.
    (place / "checkpoint_best.pth").unlink()
    with killed_at_step(6, monkeypatch):
        trained.here(tmp_path, monkeypatch)
    # nnU-Net's lookup would import every trainer it ships, with their optional packages.
    monkeypatch.setattr(run_training, "recursive_find_trainer_class_by_name", trainer_class)
    dataset = trained.cps.model_folder.parent.name
    trainer = run_training.get_trainer_from_args(
        dataset, "3d_fullres", 0, "CpsTrainer", "LiverSegPlans", continue_training=True, device=torch.device("cpu")
    )
    run_training.maybe_load_checkpoint(trainer, True, False)
    assert trainer.current_epoch == 2
    with settings_of_a_child():
        trainer.run_training()
    assert same(weights(place), load_checkpoint(tmp_path / "expected.pth")["network_weights"])


def test_several_gpus_are_refused(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CpsTrainer.initialize

    def distributed(self: Any) -> None:
        self.is_ddp = True
        whole(self)

    monkeypatch.setattr(CpsTrainer, "initialize", distributed)
    with pytest.raises(TrainingError, match="trains on one GPU"):
        trained.here(tmp_path, monkeypatch)


def test_nnunets_own_predictor_opens_the_first_network(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = {case.case_id: case.image for case in trained.cases[:3]}
    theirs = nnunet_masks(trained.cps.model_folder, (0, 1), images, tmp_path, monkeypatch)
    tasks = [PredictionTask(case_id, image, tmp_path / f"{case_id}_ours.nii.gz") for case_id, image in images.items()]
    for result in predict(trained.cps.model_folder, tasks, settings=PLAIN, device="cpu", threads=1):
        assert result.mask is not None
        assert np.array_equal(read_mask(result.mask).array, read_mask(theirs[result.case_id]).array)


def test_both_networks_predict_when_asked(trained: Trained, tmp_path: Path) -> None:
    image = read_volume(trained.cases[0].image)

    def predicted(model: Path) -> np.ndarray:
        return Ensemble(model, (0,), "cpu", PLAIN).predict(image).probability.array

    def logits(probability: np.ndarray) -> np.ndarray:
        inside = (probability > 1e-4) & (probability < 1 - 1e-4)
        return np.log(probability / (1 - probability), where=inside, out=np.full(probability.shape, np.nan))

    first = predicted(trained.cps.model_folder)
    for name in ("plans.json", "dataset.json"):
        shutil.copy(trained.cps.model_folder / name, tmp_path)
    shutil.copytree(trained.cps.model_folder / "fold_0", tmp_path / "fold_0")
    asked = load_preset("cpu", {**SMALLEST, "cps": {"predict_with": "both"}})
    plans = with_options(json.loads((tmp_path / "plans.json").read_text()), asked)
    (tmp_path / "plans.json").write_text(json.dumps(plans))
    both = predicted(tmp_path)
    shutil.copy(trained.cps.model_folder / "plans.json", tmp_path)
    loaded = checkpoint(trained.cps)
    torch.save({**loaded, "network_weights": loaded[NETWORKS_KEY]["second"]["weights"]}, tmp_path / "fold_0" / FINAL)
    second = predicted(tmp_path)
    mean = (logits(first) + logits(second)) / 2
    known = np.isfinite(mean) & np.isfinite(logits(both))
    assert known.mean() > 0.5 and np.abs(first - second).max() > 1e-3
    # nnU-Net averages logits, in half precision.
    assert np.abs(logits(both) - mean)[known].max() < 0.05


def test_the_card_says_how_it_was_learnt_and_what_it_has_seen(trained: Trained) -> None:
    card = read_card(trained.cps.model_folder)
    assert card["method"] == "cps" and card["unlabelled"] == [case.case_id for case in trained.cases[2:]]
    assert all(len(seen) == 1 for seen in card["seen"].values())


def test_bad_input(trained: Trained, tmp_path: Path) -> None:
    labelled = trained.cases[:2]
    spec = TrainSpec("bad", labelled, tmp_path / "nnunet", "cpu", 1, SMALLEST, device="cpu", method="cps")
    with pytest.raises(BadInputError, match="learns from unlabelled images too, and there is none"):
        train(spec)
    with pytest.raises(BadInputError, match="there is no case to train on"):
        train(dataclasses.replace(spec, cases=trained.cases[2:]))


def test_a_checkpoint_of_another_method_is_refused(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = trained.here(tmp_path, monkeypatch, "LiverSegTrainer", epochs=1)
    place = other.parent.with_name(other.parent.name.replace("LiverSegTrainer", "CpsTrainer")) / "fold_0"
    place.mkdir(parents=True)
    (place / "checkpoint_latest.pth").write_bytes((other / FINAL).read_bytes())
    with pytest.raises(TrainingError, match="is a checkpoint of LiverSegTrainer, not of CpsTrainer"):
        trained.here(tmp_path, monkeypatch)
