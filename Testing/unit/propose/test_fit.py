"""The numbers that the acceptance gate judges: high where the mask fits, low where it does not."""

import numpy as np
import pytest
from scipy import ndimage

from LiverSegSSLLib.propose.fit import agreement, boundary_alignment, kidney_agreement
from LiverSegSSLLib.volume import Geometry, Volume

GRID = Geometry((60, 50, 24), (3.0, 3.0, 5.0))


def ball(centre_zyx=(12, 25, 28), radius_mm=36.0) -> np.ndarray:
    z, y, x = np.indices(GRID.shape)
    dz, dy, dx = ((i - c) * s for i, c, s in zip((z, y, x), centre_zyx, GRID.spacing_zyx, strict=True))
    return dz**2 + dy**2 + dx**2 < radius_mm**2


def scene(inside: float = 150.0, outside: float = 60.0) -> Volume:
    rng = np.random.default_rng(0)
    image = np.where(ball(), inside, outside) + rng.normal(0, 8, GRID.shape)
    return Volume(image.astype(np.float32), GRID)


def mask(array: np.ndarray) -> Volume:
    return Volume(array.astype(np.uint8), GRID)


@pytest.mark.parametrize("inside", [150.0, 10.0])
def test_a_fitting_mask_stands_out_whatever_the_contrast(inside):
    image = scene(inside)
    assert boundary_alignment(image, mask(ball())) > 1.8
    assert agreement(image, mask(ball())) > 0.9
    shifted = mask(np.roll(ball(), 6, axis=2))
    assert boundary_alignment(image, shifted) < boundary_alignment(image, mask(ball())) / 1.5
    assert agreement(image, shifted) < agreement(image, mask(ball())) - 0.05


def test_a_mask_in_noise_is_at_chance():
    noise = Volume(np.random.default_rng(1).normal(size=GRID.shape).astype(np.float32), GRID)
    assert boundary_alignment(noise, mask(ball())) == pytest.approx(1.0, abs=0.1)


def test_an_empty_mask_has_no_alignment():
    assert np.isnan(boundary_alignment(scene(), mask(np.zeros(GRID.shape))))
    assert agreement(scene(), mask(np.zeros(GRID.shape))) == 1.0  # nothing where nothing is expected


def test_a_kidney_is_found_near_its_transferred_place_only():
    kidney = ball((12, 25, 28), 20.0)
    image = Volume((np.where(kidney, 200.0, 80.0) + np.random.default_rng(2).normal(0, 8, GRID.shape)), GRID)
    nothing = np.zeros(GRID.shape, bool)
    assert kidney_agreement(image, mask(kidney), nothing) > 0.9
    assert kidney_agreement(image, mask(np.roll(kidney, 4, axis=2)), nothing) < 0.8
    dark = Volume(np.where(kidney, 40.0, 90.0) + ndimage.gaussian_filter(np.ones(GRID.shape), 1), GRID)
    assert kidney_agreement(dark, mask(kidney), nothing, dark=True) > 0.9
