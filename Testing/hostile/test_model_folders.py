"""Model folders from anywhere: what is in them is read, never run, whichever file it stands in."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from LiverSegSSLLib.errors import BadInputError, LiverSegError
from LiverSegSSLLib.learn.planned import moved_plans
from LiverSegSSLLib.learn.plans import CONFIGURATION
from LiverSegSSLLib.learn.warm_start import find_origin
from LiverSegSSLLib.plan_names import require_known_names
from Testing.bad_input.conftest import Answer
from Testing.bad_input.place import Place
from Testing.hostile.bombs import CONTENTS, Canary, a_checkpoint, a_module, a_network, a_pickle
from Testing.untrained_model import write_untrained_model

Change = Callable[[Path, Canary], None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_untrained_model(tmp_path_factory.mktemp("model"), 1)


def checkpoint(name: str) -> Change:
    return lambda model, canary: [
        (model / "fold_0" / "checkpoint_final.pth").write_bytes(CONTENTS[name](canary)),
        None,
    ][1]


def in_plans(change: Callable[[dict[str, Any], Canary], object]) -> Change:
    """Plans with one change."""

    def apply(model: Path, canary: Canary) -> None:
        plans = json.loads((model / "plans.json").read_text())
        change(plans, canary)
        (model / "plans.json").write_text(json.dumps(plans))

    return apply


def configuration(**changes: Any) -> Change:
    return in_plans(lambda plans, canary: plans["configurations"][CONFIGURATION].update(changes))


def architecture(**changes: Any) -> Change:
    return in_plans(lambda plans, canary: plans["configurations"][CONFIGURATION]["architecture"].update(changes))


def in_another_configuration(plans: dict[str, Any], canary: Canary) -> None:
    """The configuration that is used takes over the rest from one that is not."""
    used = plans["configurations"][CONFIGURATION]
    parent = {**used, "architecture": a_network(canary)}
    plans["configurations"] = {CONFIGURATION: {"inherits_from": "other"}, "other": parent}


def trainer(name: str) -> Change:
    def change(model: Path, canary: Canary) -> None:
        import torch

        path = model / "fold_0" / "checkpoint_final.pth"
        torch.save({**torch.load(path, weights_only=True), "trainer_name": name}, path)
        for place in (model, model / "fold_0"):
            (place / f"{name}.py").write_text(a_module(canary))

    return change


def written(name: str) -> Change:
    return lambda model, canary: [(model / name).write_bytes(a_pickle(canary)), None][1]


NOT_TRUSTED = r"checkpoint_final\.pth: is not a checkpoint that can be trusted"
MODELS: dict[str, tuple[Change, str]] = {
    **{f"checkpoint-{name}": (checkpoint(name), NOT_TRUSTED) for name in CONTENTS},
    "plans-with-an-activation-that-runs": (
        in_plans(lambda plans, canary: plans["configurations"][CONFIGURATION].update(architecture=a_network(canary))),
        r"plans\.json: names 'os\.mkdir' as its nonlin",
    ),
    "plans-with-a-parent-that-runs": (in_plans(in_another_configuration), r"names 'os\.mkdir' as its nonlin"),
    "plans-with-another-network": (
        architecture(network_class_name="subprocess.Popen"),
        r"names 'subprocess\.Popen' as its network_class_name",
    ),
    "plans-with-a-network-that-loads": (
        architecture(network_class_name="dynamic_network_architectures.architectures.dinov2_eva.EvaDinoV2"),
        "as its network_class_name",
    ),
    "plans-with-a-module-to-import": (architecture(network_class_name="antigravity.x"), "as its network_class_name"),
    "plans-with-another-resampling": (configuration(resampling_fn_data="save_json"), "as its resampling_fn_data"),
    "plans-with-another-preprocessor": (configuration(preprocessor_name="shutil"), "as its preprocessor_name"),
    "plans-with-another-normalisation": (
        configuration(normalization_schemes=["ABC"]),
        "names 'ABC' as its normalization_schemes",
    ),
    "plans-with-another-label-manager": (
        in_plans(lambda plans, canary: plans.update(label_manager="np")),
        "as its label_manager",
    ),
    "plans-that-lead-out": (
        in_plans(lambda plans, canary: plans.update(dataset_name="../../elsewhere")),
        r"names '\.\./\.\./elsewhere' as its dataset_name",
    ),
    "plans-of-another-kind": (configuration(normalization_schemes=7), "holds no plans of nnU-Net"),
    "plans-are-a-pickle": (written("plans.json"), r"plans\.json: cannot be read"),
    "plans-with-odd-advice": (in_plans(lambda plans, canary: plans.update(liversegssl=[1])), r"plans\.json: cannot"),
    "plans-with-endless-windows": (
        in_plans(lambda plans, canary: plans.update(liversegssl={"inference": {"step_size": 1e-9}})),
        r"plans\.json: asks for windows",
    ),
    "dataset-is-a-pickle": (written("dataset.json"), r"dataset\.json: cannot be read"),
    "trainer-beside-the-model": (trainer("EvilTrainer"), "was trained by a method that is not known here"),
    "trainer-is-a-module": (trainer("np"), "was trained by a method that is not known|does not go with plans"),
    "trainer-is-a-word-of-python": (trainer("__builtins__"), "was trained by a method|does not go with plans"),
}


@pytest.mark.parametrize("name", MODELS)
def test_nothing_in_a_model_is_run(name: str, model: Path, tmp_path: Path, canary: Canary) -> None:
    from LiverSegSSLLib.predict.predictor import Ensemble

    change, says = MODELS[name]
    place = tmp_path / "model"
    shutil.copytree(model, place)
    change(place, canary)
    with pytest.raises(LiverSegError, match=says) as caught:
        Ensemble(place, None, "cpu")
    assert str(place) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["checkpoint-checkpoint", "plans-with-an-activation-that-runs"])
def test_predict_says_so_on_the_command_line(
    name: str,
    model: Path,
    place: Place,
    canary: Canary,
    command: Callable[[list[str]], Answer],
) -> None:
    """Through the child process that predicts."""
    change, says = MODELS[name]
    shutil.copytree(model, place.root / "model")
    change(place.root / "model", canary)
    answer = command(["predict", str(place.data), "--model", str(place.root / "model"), "--device", "cpu"])
    assert answer.code == 2 and "Traceback" not in answer.text and "unexpected" not in answer.text, answer.text
    assert len([line for line in answer.text.splitlines() if "Error: " in line]) == 1
    assert re.search(says, answer.text), answer.text


def test_plans_to_take_over_are_looked_at_too(model: Path, tmp_path: Path, canary: Canary) -> None:
    """``learn.options.plan_from`` of a recipe."""
    shutil.copytree(model, tmp_path / "model")
    in_plans(lambda plans, _: plans["configurations"][CONFIGURATION].update(architecture=a_network(canary)))(
        tmp_path / "model", canary
    )
    with pytest.raises(BadInputError, match=r"names 'os\.mkdir' as its nonlin"):
        moved_plans(tmp_path / "model", "Dataset001_x")


@pytest.mark.parametrize("content", CONTENTS)
def test_weights_to_begin_with_are_not_run(content: str, tmp_path: Path, canary: Canary) -> None:
    from LiverSegSSLLib.learn.networks.pretrained import read_weights

    file = tmp_path / "weights.pth"
    file.write_bytes(CONTENTS[content](canary))
    (checkpoint,) = find_origin(file).checkpoints
    for device in ("cpu", "meta"):
        with pytest.raises(BadInputError, match="is not a checkpoint that can be trusted"):
            read_weights(checkpoint, device)


def test_a_card_is_data(model: Path, tmp_path: Path, canary: Canary) -> None:
    place = tmp_path / "model"
    shutil.copytree(model, place)
    (place / "liversegssl_model.json").write_bytes(a_pickle(canary))
    assert [path.name for path in find_origin(place).checkpoints] == ["checkpoint_final.pth"]


def test_every_planner_of_nnunet_names_only_what_is_allowed(tmp_path: Path) -> None:
    """What nnU-Net itself writes must pass: its planners' networks, with and without residual blocks; old plans too."""
    from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    for network in (PlainConvUNet, ResidualEncoderUNet):
        plans = {
            "dataset_name": "Dataset004_Hippocampus",
            "plans_name": "nnUNetResEncUNetLPlans",
            "label_manager": "LabelManager",
            "configurations": {
                "2d": {"data_identifier": "nnUNetPlans_2d", "preprocessor_name": "DefaultPreprocessor"},
                "3d_fullres": {
                    "data_identifier": "nnUNetPlans_3d_fullres",
                    "normalization_schemes": ["ZScoreNormalization", "CTNormalization"],
                    "resampling_fn_data": resample_data_or_seg_to_shape.__name__,
                    "architecture": {
                        "network_class_name": f"{network.__module__}.{network.__name__}",
                        "arch_kwargs": {
                            "conv_op": "torch.nn.modules.conv.Conv3d",
                            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                            "dropout_op": None,
                            "nonlin": "torch.nn.LeakyReLU",
                        },
                        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                    },
                },
                "3d_lowres": {"inherits_from": "3d_fullres", "previous_stage": None},
                "old": {"UNet_class_name": "PlainConvUNet"},
            },
        }
        require_known_names(plans, tmp_path / "plans.json")


def test_a_torch_that_runs_what_it_should_not_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2025-32434: before 2.6 torch ran code in some checkpoints whatever it was told."""
    import torch

    from LiverSegSSLLib.checkpoint import load_checkpoint

    torch.save({"a": 1}, tmp_path / "x.pth")
    assert load_checkpoint(tmp_path / "x.pth") == {"a": 1}
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(LiverSegError, match=r"torch 2\.5\.1.*CVE-2025-32434.*2\.6"):
        load_checkpoint(tmp_path / "x.pth")


def test_the_shelf_that_a_department_shares(tmp_path: Path, canary: Canary) -> None:
    """Weights that someone has put onto the shelf with a record that fits them."""
    from LiverSegSSLLib.checksum import sha256_of
    from LiverSegSSLLib.learn.networks.pretrained import read_weights
    from LiverSegSSLLib.models.shelf import Shelf

    shelf = Shelf(tmp_path / "shelf")
    for name, weights in shelf.catalogue.items():
        file = shelf.folder / name / weights.file
        file.parent.mkdir(parents=True)
        file.write_bytes(a_checkpoint(canary))
        record = {"sha256": sha256_of(file), "size_bytes": file.stat().st_size, "source": "x", "trust": "first seen"}
        (file.parent / "record.json").write_text(json.dumps(record))
        try:
            path = shelf.require(name)
        except LiverSegError as error:  # its checksum is published
            assert "is damaged" in str(error)
            continue
        with pytest.raises(BadInputError, match="is not a checkpoint that can be trusted"):
            read_weights(path)
