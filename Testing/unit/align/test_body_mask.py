"""The body is found, bright voxels or not."""

import numpy as np
import pytest

from LiverSegSSLLib.align.body_mask import body_mask, body_volume_ml
from LiverSegSSLLib.volume import Geometry, Volume

GRID = Geometry((80, 70, 12), (4.0, 4.0, 8.0))


def disk(rng: np.random.Generator) -> tuple[Volume, np.ndarray]:
    """A noisy disk of body with a dark hole (bowel gas) inside."""
    _z, y, x = np.indices(GRID.shape)
    truth = ((x - 40) / 32) ** 2 + ((y - 35) / 25) ** 2 < 1
    image = np.abs(rng.normal(0, 4, GRID.shape)) + truth * rng.normal(100, 12, GRID.shape)
    image[(x - 50) ** 2 + (y - 30) ** 2 < 20] = 2
    return Volume(image.astype(np.float32), GRID), truth


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_disk_is_found():
    volume, truth = disk(np.random.default_rng(0))
    assert overlap(body_mask(volume).array > 0, truth) > 0.95
    assert body_volume_ml(volume) == pytest.approx(truth.sum() * GRID.voxel_ml, rel=0.04)


def test_five_percent_of_bright_voxels_do_not_spoil_it():
    from skimage.filters import threshold_otsu

    rng = np.random.default_rng(1)
    volume, truth = disk(rng)
    bright = truth & (rng.random(GRID.shape) < 0.05 * truth.size / truth.sum())
    image = np.where(bright, 5000, volume.array)
    assert overlap(image > threshold_otsu(image), truth) < 0.5  # what P80 protects against
    assert overlap(body_mask(volume.with_array(image)).array > 0, truth) > 0.95


def test_constant_image_has_no_body():
    assert not body_mask(Volume(np.full(GRID.shape, 3, np.int16), GRID)).array.any()


def test_air_table_and_second_object_are_left_out():
    volume, _truth = disk(np.random.default_rng(2))
    image = volume.array.copy()
    image[:, 64:67, 5:40] = 90
    assert not body_mask(volume.with_array(image)).array[:, 64:67, 5:40].any()
