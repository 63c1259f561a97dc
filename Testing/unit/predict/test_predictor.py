"""The two orders of thresholding and resampling, with an untrained network of known weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.learn.plans import CONFIGURATION, plans_from_preset, with_options
from LiverSegSSLLib.volume import Geometry, Volume

SPACING = (4.0, 4.0, 6.0)
FINGERPRINT = {
    "spacings": [[6.0, 4.0, 4.0]],
    "shapes_after_crop": [[16, 32, 32]],
    "foreground_intensity_properties_per_channel": {"0": {"mean": 0.0, "std": 1.0}},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with two untrained folds, as nnU-Net writes them."""
    import torch
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    folder = tmp_path_factory.mktemp("model")
    preset = load_preset("cpu", {"configuration": {"patch_size": [16, 32, 32], "features_per_stage": [4] * 5}})
    plans = with_options(plans_from_preset(preset, "Dataset001_x", FINGERPRINT, 1), preset)
    (folder / "plans.json").write_text(json.dumps(plans))
    dataset = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "liver": 1}, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(dataset))
    architecture = plans["configurations"][CONFIGURATION]["architecture"]
    for fold in (0, 1):
        torch.manual_seed(fold)
        network = get_network_from_plans(
            architecture["network_class_name"],
            architecture["arch_kwargs"],
            architecture["_kw_requires_import"],
            1,
            2,
            deep_supervision=False,
        )
        checkpoint = {
            "network_weights": network.state_dict(),
            "trainer_name": "LiverSegTrainer",
            "init_args": {"configuration": CONFIGURATION},
            "inference_allowed_mirroring_axes": None,
        }
        (folder / f"fold_{fold}").mkdir()
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder


def image(spacing: tuple[float, float, float] = SPACING, four_d: bool = False) -> Volume:
    grid = Geometry((40, 36, 20), spacing, (1.0, 2.0, 3.0), (0.0, -1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0))
    return Volume(np.random.default_rng(0).normal(100, 20, grid.shape).astype(np.float32), grid, four_d)


def test_both_orders_agree_where_the_image_has_the_networks_spacing(model: Path) -> None:
    from LiverSegSSLLib.predict.predictor import Ensemble
    from LiverSegSSLLib.predict.settings import PredictionSettings

    # The first axis of this image runs along the body: turned to RAS it has the spacing that the network wants.
    native = image((6.0, 4.0, 4.0))
    first = Ensemble(model, None, "cpu", PredictionSettings(largest=False)).predict(native)
    second = Ensemble(model, None, "cpu", PredictionSettings(largest=False, order="threshold_first")).predict(native)
    assert 0 < first.mask.array.mean() < 1
    assert np.array_equal(first.mask.array, second.mask.array)
    assert np.allclose(first.probability.array, second.probability.array, atol=2e-3)  # half precision inside


@pytest.mark.parametrize("order", ["resample_first", "threshold_first"])
def test_results_lie_on_the_images_grid(model: Path, order: str) -> None:
    from LiverSegSSLLib.predict.predictor import Ensemble
    from LiverSegSSLLib.predict.settings import PredictionSettings

    given = image((2.5, 3.0, 9.0), four_d=True)
    result = Ensemble(model, [1], "cpu", PredictionSettings(order=order)).predict(given)  # type: ignore[arg-type]
    for volume in (result.mask, result.probability):
        assert volume.geometry == given.geometry and volume.trailing_singleton
    assert set(np.unique(result.mask.array)) <= {0, 1}
    assert result.probability.array.dtype == np.float32


def test_a_black_image_has_no_liver_and_a_missing_fold_is_named(model: Path) -> None:
    from LiverSegSSLLib.predict.predictor import Ensemble

    black = image().with_array(np.zeros((20, 36, 40), np.float32))
    assert not Ensemble(model, [0], "cpu").predict(black).mask.array.any()
    with pytest.raises(BadInputError, match="no trained fold 7"):
        Ensemble(model, [7], "cpu")
    with pytest.raises(BadInputError, match="no trained model"):
        Ensemble(model / "fold_0", None, "cpu")
