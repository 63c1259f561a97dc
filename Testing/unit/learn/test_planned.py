"""nnU-Net's plans with another geometry or network, and what nnU-Net then makes of them."""

import json
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.errors import RecipeError, TrainingError
from LiverSegSSLLib.learn.options import Network, load_preset, preset_names
from LiverSegSSLLib.learn.planned import (
    STUNET,
    fitted_strides,
    moved_plans,
    require_divisible,
    with_geometry,
    with_network,
)
from LiverSegSSLLib.learn.plans import CONFIGURATION, PLANS, plain_unet, plans_from_preset

DEEP = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2], [1, 2, 2]]
SMALL = Network(kind="stunet", features_per_stage=(2,) * 6, blocks_per_stage=(1,) * 6)


def planned(strides=DEEP, patch=(16, 64, 128), transposed=(0, 1, 2)) -> dict:
    """Plans as nnU-Net's planner writes them, as far as they matter here."""
    stages = len(strides)
    unet = plain_unet(
        {
            "features_per_stage": [4] * stages,
            "kernel_sizes": [[3, 3, 3]] * stages,
            "strides": strides,
            "n_conv_per_stage": [2] * stages,
            "n_conv_per_stage_decoder": [2] * (stages - 1),
        }
    )
    configuration = {"patch_size": list(patch), "batch_size": 2, "spacing": [2.5, 0.8, 0.8], "architecture": unet}
    return {
        "dataset_name": "Dataset001_care",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": list(transposed),
        "configurations": {CONFIGURATION: configuration},
    }


def configuration(plans: dict) -> dict:
    return plans["configurations"][CONFIGURATION]


def strides_of(plans: dict) -> list:
    return configuration(plans)["architecture"]["arch_kwargs"]["strides"]


def built(plans: dict):
    """The network, built on no memory as nnU-Net builds it, and the manager that it reads the plans with."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager({**plans, "transpose_backward": [0, 1, 2], "label_manager": "LabelManager"})
    managed = manager.get_configuration(CONFIGURATION)
    with torch.device("meta"):
        return nnUNetTrainer.build_network_architecture(manager, managed, 1, 2, True), managed


@pytest.mark.parametrize("size", ["s", "b", "l", "h"])
def test_nnunet_builds_each_size_from_the_plans_alone(size):
    preset = load_preset(f"stunet-{size}")
    plans = json.loads(json.dumps(with_network(planned(), preset.network)))  # as the file holds them
    network, _ = built(plans)
    assert f"{type(network).__module__}.{type(network).__name__}" == STUNET
    assert [stage[0].conv1.out_channels for stage in network.conv_blocks_context] == [
        *preset.network.features_per_stage
    ]
    assert [len(stage) for stage in network.conv_blocks_context] == [*preset.network.blocks_per_stage]


@pytest.mark.parametrize("stages", [3, 5, 6, 7])
def test_targets_have_the_sizes_of_the_networks_outputs_whatever_was_planned(stages):
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    plans = with_network(planned(DEEP[:stages]), SMALL)
    network, managed = built(plans)
    trainer = nnUNetTrainer.__new__(nnUNetTrainer)
    trainer.enable_deep_supervision, trainer.configuration_manager = True, managed
    scales = trainer._get_deep_supervision_scales()
    outputs = network(torch.empty(1, 1, *managed.patch_size, device="meta"))
    targets = [tuple(round(s * f) for s, f in zip(managed.patch_size, scale, strict=True)) for scale in scales]
    assert [tuple(output.shape[2:]) for output in outputs] == targets and len(targets) == 5


@given(
    strides=st.lists(st.lists(st.sampled_from([1, 2]), min_size=3, max_size=3), min_size=1, max_size=9),
    stages=st.integers(2, 7),
)
def test_strides_are_cut_or_filled(strides, stages):
    fitted = fitted_strides(strides, stages)
    assert len(fitted) == stages
    assert fitted[: len(strides)] == strides[:stages]
    assert all(stride == [1, 1, 1] for stride in fitted[len(strides) :])


@settings(max_examples=25, deadline=None)
@given(
    strides=st.lists(st.lists(st.sampled_from([1, 2]), min_size=3, max_size=3), min_size=2, max_size=2),
    patch=st.lists(st.integers(1, 9), min_size=3, max_size=3),
)
def test_a_patch_is_refused_exactly_when_the_network_cannot_work_on_it(strides, patch):
    import torch

    from LiverSegSSLLib.learn.networks.stunet import STUNet

    strides = [[1, 1, 1], *strides]
    network = STUNet(1, 2, (2, 2, 2), (1, 1, 1), strides)
    try:
        outputs = network(torch.zeros(1, 1, *patch))
        works = outputs[0].shape[2:] == tuple(patch)
    except (RuntimeError, ValueError):
        works = False
    try:
        require_divisible(patch, strides)
        accepted = True
    except RecipeError:
        accepted = False
    assert accepted == works


def test_patch_and_batch_can_be_chosen_and_the_strides_follow_the_spacing():
    plans = with_geometry(with_network(planned(), SMALL), {"patch_size": [48, 192, 224], "batch_size": 4})
    assert configuration(plans)["patch_size"] == [48, 192, 224] and configuration(plans)["batch_size"] == 4
    # METHODS 4.1: outputs of 48, 48, 24, 12 and 6 planes.
    assert strides_of(plans) == [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2]]
    steps = np.prod(strides_of(plans), axis=0)
    assert not any(np.array([48, 192, 224]) % steps)


def test_a_chosen_patch_is_turned_with_the_plans_axes():
    plans = with_geometry(with_network(planned(transposed=(2, 0, 1)), SMALL), {"patch_size": [192, 224, 48]})
    assert configuration(plans)["patch_size"] == [48, 192, 224]


def test_a_patch_for_a_planned_unet_must_fit_its_strides_and_one_that_does_is_proposed():
    plans = with_geometry(planned(), {"patch_size": [32, 128, 192]})
    assert configuration(plans)["patch_size"] == [32, 128, 192] and strides_of(plans) == DEEP
    with pytest.raises(RecipeError, match=r"cannot be divided by \[8, 64, 64\] – use for example \[48, 128, 192\]"):
        with_geometry(planned(), {"patch_size": [48, 150, 200]})
    with pytest.raises(RecipeError, match="did you mean patch_size"):
        with_geometry(planned(), {"patch_sice": [32, 128, 192]})
    with pytest.raises(RecipeError, match="one voxel"):
        with_geometry(planned(), {"patch_size": [8, 64, 64]})


def test_nothing_given_nothing_changed():
    plans = planned()
    assert with_geometry(plans, {}) == plans


def test_the_plan_of_another_data_set_is_taken_over(tmp_path):
    target = with_network(planned(), SMALL)
    (tmp_path / "plans.json").write_text(json.dumps(target))
    for place in (tmp_path, tmp_path / "plans.json"):
        moved = moved_plans(place, "Dataset002_atlas")
        assert (moved["dataset_name"], moved["plans_name"]) == ("Dataset002_atlas", PLANS)
        for key in ("patch_size", "spacing", "architecture", "batch_size"):
            assert configuration(moved)[key] == configuration(target)[key]
    (tmp_path / "plans.json").write_text('{"configurations": {"2d": {}}}')
    with pytest.raises(TrainingError, match="holds no plans that can be used"):
        moved_plans(tmp_path, "x")
    with pytest.raises(TrainingError, match="holds no plans"):
        moved_plans(tmp_path / "absent", "x")


def test_stunet_may_stand_in_a_geometry_of_ones_own():
    preset = load_preset("cpu")
    fingerprint = {
        "spacings": [[6.0, 4.0, 4.0]],
        "shapes_after_crop": [[30, 70, 80]],
        "foreground_intensity_properties_per_channel": {"0": {}},
    }
    plans = with_network(plans_from_preset(preset, "Dataset001_x", fingerprint, 1), SMALL)
    assert strides_of(plans)[5] == [1, 1, 1]
    assert built(plans)[0].conv_blocks_context[5][0].conv1.stride == (1, 1, 1)


def test_the_sizes_are_data_that_options_may_change():
    network = load_preset("stunet-s", {"network": {"features_per_stage": [4] * 6}}).network
    assert network.features_per_stage == (4,) * 6 and network.blocks_per_stage == (1,) * 6
    with pytest.raises(RecipeError, match="did you mean blocks_per_stage"):
        load_preset("stunet-s", {"network": {"blocks_per_stag": [1] * 6}})
    with pytest.raises(RecipeError, match="one number for each stage"):
        load_preset("stunet-s", {"network": {"features_per_stage": [4] * 5}})
    with pytest.raises(RecipeError, match=r"network\.kind: field required"):
        load_preset("cpu", {"network": {"features_per_stage": [4] * 5, "blocks_per_stage": [1] * 5}})


def test_with_weights_to_begin_with_stunet_learns_more_slowly_unless_told_otherwise():
    assert load_preset("stunet-s").training.learning_rate == 0.01
    assert load_preset("stunet-s", begins_with_weights=True).training.learning_rate == 0.001
    told = load_preset("stunet-s", {"learning_rate": 0.005}, begins_with_weights=True)
    assert told.training.learning_rate == 0.005
    for name in set(preset_names()) - {f"stunet-{size}" for size in "sblh"}:
        assert load_preset(name, begins_with_weights=True) == load_preset(name)


def test_every_stunet_preset_doubles_its_channels_until_the_last_stage():
    for size, first in (("s", 16), ("b", 32), ("l", 64), ("h", 96)):
        network = load_preset(f"stunet-{size}").network
        assert network.features_per_stage == tuple(first * factor for factor in (1, 2, 4, 8, 16, 16))
        assert prod(network.blocks_per_stage) == {"s": 1, "b": 1, "l": 2**6, "h": 3**6}[size]
