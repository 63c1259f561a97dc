"""STU-Net in nnU-Net: published weights, then a second labelled data set, then on from there; predicted by both."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import WeightsError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.learn.card import read_card
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.networks.stunet import STUNet
from LiverSegSSLLib.learn.train import RunResult, TrainSpec, train
from LiverSegSSLLib.predict.predict import PredictionTask, predict
from LiverSegSSLLib.predict.settings import PredictionSettings
from LiverSegSSLLib.volume import Geometry, Volume, read_mask, read_volume, write_volume
from Testing.integration.nnunet_itself import nnunet_masks

pytestmark = pytest.mark.slow  # 85 s of trainings

TINY = {
    "epochs": 1,
    "iterations_per_epoch": 2,
    "val_iterations": 1,
    "augmentation_workers": 0,
    "configuration": {"spacing": [8.0, 6.0, 6.0], "patch_size": [16, 32, 32], "batch_size": 2},
    "network": {"features_per_stage": [4] * 6},
}
STILL = {**TINY, "learning_rate": 1e-15, "weight_decay": 0}
"""A training that moves no weight: what it ends with is what it began with."""


def cases(folder: Path, name: str, count: int) -> tuple[TrainingCase, ...]:
    """Bright ellipsoids in a body; the labels of the second data set tell liver and tumour apart."""
    rng = np.random.default_rng(sum(map(ord, name)))
    folder.mkdir(exist_ok=True)
    made = []
    for number in range(count):
        grid = Geometry((40, 36, 18), (6.0, 6.0, 8.0), (5.0 * number, -20.0, 300.0))
        z, y, x = np.indices(grid.shape)
        liver = ((z - 9) / 5) ** 2 + ((y - 16 - number) / 9) ** 2 + ((x - 14) / 8) ** 2 < 1
        tumour = ((z - 9) / 2) ** 2 + ((y - 16 - number) / 3) ** 2 + ((x - 14) / 3) ** 2 < 1
        body = ((z - 9) / 10) ** 2 + ((y - 18) / 17) ** 2 + ((x - 20) / 19) ** 2 < 1
        image = 100.0 * body + 90 * liver + rng.normal(0, 8, grid.shape)
        files = folder / f"{name}{number}.nii.gz", folder / f"{name}{number}_mask.nii.gz"
        write_volume(Volume(image.astype(np.int16), grid), files[0])
        write_volume(Volume((liver + tumour).astype(np.uint8), grid), files[1])
        made.append(TrainingCase(f"{name}{number}__GED4", *files, "expert"))
    return tuple(made)


class Chain:
    """Weights as published, the same network on a second data set (two folds), and on from there (one model)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.events = folder, list[Event]()
        self.published = STUNet(1, 105, [4] * 6, [1] * 6, [[1, 1, 1], *[[2, 2, 2]] * 5])
        torch.manual_seed(7)
        self.published.apply(self.published.initialize)
        self.file = folder / "small_ep4k.model"
        torch.save({"epoch": 4000, "state_dict": OrderedDict(self.published.state_dict())}, self.file)
        report = Reporter(self.events.append)
        self.atlas_cases, self.cases = cases(folder / "atlas", "atlas", 4), cases(folder / "care", "care", 3)
        self.atlas = train(self.spec("atlas", self.atlas_cases, 2, STILL, init=self.file), report)
        # The geometry of the one is the geometry of the other.
        self.moved = {"configuration": {}, "plan_from": str(self.atlas.model_folder)}
        options = {**STILL, **self.moved}
        self.ours = train(self.spec("care", self.cases, 1, options, init=self.atlas.model_folder), report)

    def spec(self, name: str, chosen: tuple[TrainingCase, ...], folds: int, options: dict, **more) -> TrainSpec:  # type: ignore[no-untyped-def, type-arg]
        place = self.folder / "nnunet"
        return TrainSpec(name, chosen, place, "stunet-s", folds, options, device="cpu", threads=2, **more)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return Chain(tmp_path_factory.mktemp("stunet"))


def weights(result: RunResult, fold: int | str) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_checkpoint(result.model_folder / f"fold_{fold}" / FINAL)["network_weights"]
    return found


def is_head(name: str) -> bool:
    return name.startswith("seg_outputs")


def test_each_fold_begins_with_the_published_weights_and_output_layers_of_its_own(chain: Chain) -> None:
    theirs, one, other = chain.published.state_dict(), weights(chain.atlas, 0), weights(chain.atlas, 1)
    body = [name for name in one if not is_head(name)]
    assert len(body) == 120 and len(one) == 130
    for name in body:
        assert torch.allclose(one[name], theirs[name], atol=1e-9) and torch.allclose(
            other[name], theirs[name], atol=1e-9
        )
    heads = [name for name in one if is_head(name) and name.endswith("weight")]
    assert all(one[name].shape[0] == 2 and not torch.allclose(one[name], other[name]) for name in heads)


def test_on_from_there_keeps_the_output_layers_too(chain: Chain) -> None:
    earlier, ours = weights(chain.atlas, 0), weights(chain.ours, "all")
    assert all(torch.allclose(ours[name], earlier[name], atol=1e-9) for name in ours)


def test_the_plans_name_the_network_and_the_card_says_where_it_began_and_what_it_knows(chain: Chain) -> None:
    plans = json.loads((chain.ours.model_folder / "plans.json").read_text())
    configuration = plans["configurations"]["3d_fullres"]
    assert configuration["architecture"]["network_class_name"] == "LiverSegSSLLib.learn.networks.stunet.STUNet"
    assert configuration["patch_size"] == [16, 32, 32] and configuration["spacing"] == [8.0, 6.0, 6.0]
    assert len(configuration["architecture"]["arch_kwargs"]["strides"]) == 6
    atlas, ours = read_card(chain.atlas.model_folder), read_card(chain.ours.model_folder)
    for fold in ("0", "1"):
        began = atlas["began_with"][fold]
        assert began["from"] == "small_ep4k.model" and "drawn anew" in began["note"]
    assert chain.atlas.model_folder.name in ours["began_with"]["all"]["from"]
    assert "its output layers too" in ours["began_with"]["all"]["note"]
    # Through the data set before, the model knows those cases as well.
    assert set(atlas["seen"]["0"]) < set(ours["seen"]["all"])
    assert len(ours["seen"]["all"]) == len(atlas["seen"]["0"]) + len(chain.cases)
    assert any("begins with the weights of small_ep4k.model" in event.message for event in chain.events)


def test_masks_are_those_of_nnunets_own_predictor(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = {case.case_id: case.image for case in chain.cases}
    theirs = nnunet_masks(chain.ours.model_folder, ("all",), images, tmp_path, monkeypatch)
    tasks = [PredictionTask(c.case_id, c.image, tmp_path / f"{c.case_id}_ours.nii.gz") for c in chain.cases]
    settings = PredictionSettings(step=0.5, mirroring=False, largest=False, edges=False)
    ours = predict(chain.ours.model_folder, tasks, settings=settings, device="cpu", threads=1)
    assert [result.case_id for result in ours] == list(theirs)
    for result in ours:
        assert result.failure == "" and result.mask is not None
        expected, found = read_mask(theirs[result.case_id]), read_mask(result.mask)
        assert found.geometry.same_grid(read_volume(result.mask).geometry)
        assert np.array_equal(found.array, expected.array)
        assert 0 < expected.array.sum() < expected.array.size  # the comparison was of something


def test_weights_of_another_size_are_refused_before_anything_is_preprocessed(chain: Chain) -> None:
    larger = {**TINY, **chain.moved, "network": {"features_per_stage": [16, 4, 4, 4, 4, 4]}}
    with pytest.raises(WeightsError, match="is STU-Net of 4 channels, the network to train is STU-Net small"):
        train(chain.spec("refused", chain.cases, 1, larger, init=chain.file))
    assert not list(chain.folder.glob("nnunet/preprocessed/*refused/**/*.npy"))
