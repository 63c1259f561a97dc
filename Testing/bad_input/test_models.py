"""Model folders that are damaged, of another network or of another method: predict and train name the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLLib.learn.planned import moved_plans
from Testing.bad_input.weights import Bomb
from Testing.untrained_model import write_untrained_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with one untrained fold."""
    folder = write_untrained_model(tmp_path_factory.mktemp("model"), 1)
    from LiverSegSSLLib.predict.predictor import Ensemble

    Ensemble(folder, None, "cpu")  # it is sound
    return folder


def weights(**changes: Any) -> Callable[[Path], None]:
    """Another checkpoint: keys replaced, or left out where the value is ``None``."""

    def change(model: Path) -> None:
        import torch

        path = model / "fold_0" / "checkpoint_final.pth"
        content = {**torch.load(path, weights_only=True), **changes}
        torch.save({key: value for key, value in content.items() if value is not None}, path)

    return change


def cut(model: Path) -> None:
    path = model / "fold_0" / "checkpoint_final.pth"
    path.write_bytes(path.read_bytes()[:2000])


def other_network(model: Path) -> None:
    import torch

    weights(network_weights={"layer": torch.zeros(2, 2)})(model)


def other_sizes(model: Path) -> None:
    import torch

    path = model / "fold_0" / "checkpoint_final.pth"
    own = torch.load(path, weights_only=True)["network_weights"]
    weights(network_weights={name: torch.zeros(*value.shape, 2) for name, value in own.items()})(model)


def written(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda model: [(model / name).write_bytes(content), None][1]


def runs(model: Path) -> None:
    weights(network_weights=Bomb(str(model / "ran")))(model)


CHECKPOINT = r"checkpoint_final\.pth: "
MODELS: dict[str, tuple[Callable[[Path], None], str]] = {
    "checkpoint-truncated": (cut, CHECKPOINT + "is not a checkpoint that can be trusted"),
    "checkpoint-that-runs": (runs, CHECKPOINT + "is not a checkpoint that can be trusted"),
    "checkpoint-of-another-network": (other_network, CHECKPOINT + "holds other weights than plans.json asks for"),
    "checkpoint-of-other-sizes": (other_sizes, CHECKPOINT + "holds other weights than plans.json asks for"),
    "checkpoint-of-an-unknown-method": (weights(trainer_name="NoSuchTrainer"), CHECKPOINT + ".*NoSuchTrainer"),
    "checkpoint-without-weights": (weights(network_weights=None), CHECKPOINT + "lacks 'network_weights'"),
    "checkpoint-without-method": (weights(trainer_name=None), CHECKPOINT + "lacks 'trainer_name'"),
    "checkpoint-with-words-for-weights": (weights(network_weights="many"), CHECKPOINT + "holds other weights"),
    "checkpoint-of-another-configuration": (weights(init_args={"configuration": "2d"}), CHECKPOINT + ".*2d"),
    "plans-are-text": (written("plans.json", b"hello"), r"plans\.json: cannot be read"),
    "plans-are-empty": (written("plans.json", b"{}"), CHECKPOINT + r"does not go with plans\.json"),
    "plans-are-binary": (written("plans.json", b"\xff\xfe"), r"plans\.json: cannot be read"),
    "plans-nested": (written("plans.json", b"[" * 100_000), r"plans\.json: cannot be read"),
    "plans-are-a-list": (written("plans.json", b"[]"), r"plans\.json: cannot be read"),
    "dataset-is-text": (written("dataset.json", b"hello"), r"dataset\.json: cannot be read"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_bad_model_is_named(name: str, model: Path, tmp_path: Path) -> None:
    from LiverSegSSLLib.predict.predictor import Ensemble

    change, says = MODELS[name]
    place = tmp_path / "model"
    shutil.copytree(model, place)
    change(place)
    with pytest.raises(LiverSegError, match=says) as caught:
        Ensemble(place, None, "cpu")
    assert str(place) in str(caught.value) and "\n" not in str(caught.value)
    assert not (place / "ran").exists()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"{}", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"configurations": {"3d_fullres": 7}}']
)
def test_plans_to_take_over_that_are_none_are_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_bytes(content)
    with pytest.raises(LiverSegError, match=r"holds no plans that can be used.*give a model folder"):
        moved_plans(tmp_path, "Dataset001_x")
