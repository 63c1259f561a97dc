"""Plans: presets are data, and nnU-Net builds from them the networks that the methods describe."""

import math

import numpy as np
import pytest

from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.learn.options import OPTIONS_KEY, load_preset, preset_names
from LiverSegSSLLib.learn.plans import CONFIGURATION, fitted_patch, plans_from_preset, with_options

FINGERPRINT = {
    "spacings": [[7.7, 1.25, 1.25], [2.5, 1.0, 1.0]],
    "shapes_after_crop": [[36, 256, 256], [80, 300, 380]],
    "foreground_intensity_properties_per_channel": {"0": {}},
}


def plans(name: str, **options: object) -> dict:  # type: ignore[type-arg]
    preset = load_preset(name, options)
    return with_options(plans_from_preset(preset, "Dataset001_x", FINGERPRINT, 2), preset)


def network(plan: dict, classes: int):  # type: ignore[no-untyped-def, type-arg]
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    architecture = plan["configurations"][CONFIGURATION]["architecture"]
    return get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        1,
        classes,
        deep_supervision=True,
    )


def test_the_small_network_has_the_published_number_of_parameters() -> None:
    net = network(plans("small"), classes=14)
    assert sum(p.numel() for p in net.parameters()) == 5_630_488  # METHODS 5.1


@pytest.mark.parametrize("name", ["cpu", "small"])
def test_presets_with_their_own_geometry_build_networks_that_run(name: str) -> None:
    import torch

    plan = plans(name, configuration={"patch_size": [32, 64, 64]})
    net = network(plan, classes=2)
    patch = plan["configurations"][CONFIGURATION]["patch_size"]
    with torch.inference_mode():
        outputs = net(torch.zeros(1, 1, *patch))
    assert outputs[0].shape == (1, 2, *patch)


def test_every_preset_is_readable_and_says_what_it_is() -> None:
    assert {"cpu", "small", "default", "resenc-m", "resenc-l", "resenc-xl"} <= set(preset_names())
    for name in preset_names():
        preset = load_preset(name)
        assert preset.description
        assert bool(preset.planner) != bool(preset.configuration)


def test_options_travel_with_the_plans() -> None:
    plan = plans("cpu", epochs=7, augmentation={"p_remap": 0.125})
    training = plan[OPTIONS_KEY]["training"]
    assert training["epochs"] == 7
    assert training["augmentation"]["p_remap"] == 0.125
    assert training["augmentation"]["scheme"] == "contrast"  # the rest of the preset stays


def test_a_misspelt_option_names_the_right_one() -> None:
    with pytest.raises(RecipeError, match="did you mean epochs"):
        load_preset("cpu", {"epoch": 7})
    with pytest.raises(RecipeError, match="did you mean p_rotation"):
        load_preset("cpu", {"augmentation": {"p_rotatoin": 0.5}})
    with pytest.raises(RecipeError, match="did you mean cpu"):
        load_preset("cpo")
    with pytest.raises(RecipeError, match="learning_rate"):
        load_preset("cpu", {"learning_rate": -1})


def test_the_patch_is_cut_to_the_data_and_stays_divisible() -> None:
    strides = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]]
    assert fitted_patch([32, 80, 96], [17, 300, 50], strides) == [24, 80, 64]
    for largest in np.random.default_rng(0).integers(1, 200, (50, 3)):
        patch = fitted_patch([32, 80, 96], largest, strides)
        for axis, side in enumerate(patch):
            assert side % math.prod(s[axis] for s in strides) == 0
            assert side <= [32, 80, 96][axis]
            assert side >= min(largest[axis], [32, 80, 96][axis])
