"""The two orders of thresholding and resampling, with an untrained network of known weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.volume import Geometry, Volume
from Testing.untrained_model import write_untrained_model

SPACING = (4.0, 4.0, 6.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with two untrained folds, as nnU-Net writes them."""
    return write_untrained_model(tmp_path_factory.mktemp("model"), 2)


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
