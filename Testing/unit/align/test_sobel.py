"""Sobel space sees edges, not contrast."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from LiverSegSSLLib.align.sobel import TOP, sobel_space
from LiverSegSSLLib.volume import Geometry, Volume

GRID = Geometry((24, 20, 8), (1.0, 2.0, 5.0))


def image(seed: int) -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape), 1.5) * 100


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), offset=st.floats(-500, 500))
def test_offset_and_inversion_change_nothing(seed, offset):
    array = image(seed)
    plain = sobel_space(Volume(array, GRID)).array
    assert np.allclose(sobel_space(Volume(array + offset, GRID)).array, plain, atol=1e-3)
    assert np.allclose(sobel_space(Volume(offset - array, GRID)).array, plain, atol=1e-3)


def test_constant_is_zero():
    for value in (0.0, 1234.5):
        assert not sobel_space(Volume(np.full(GRID.shape, value), GRID)).array.any()


def test_range_is_0_to_255():
    result = sobel_space(Volume(image(1), GRID)).array
    assert result.min() == 0
    assert result.max() == TOP
    assert result.dtype == np.float32


def test_steps_between_slices_count_only_in_3d():
    array = np.zeros(GRID.shape)
    array[4:] = 100
    assert not sobel_space(Volume(array, GRID)).array.any()
    assert sobel_space(Volume(array, GRID), in_plane=False).array[3:5].min() > 0


def test_gradient_is_per_mm():
    """The same tent along x (1 mm voxels) and along y (2 mm): twice the gradient along x."""
    array = np.zeros(GRID.shape)
    array[:, 5, 2:22] = 50.0
    lone_row = sobel_space(Volume(array, GRID)).array
    swapped = Volume(array, Geometry(GRID.size, (1.0, 1.0, 5.0)))
    assert not np.allclose(lone_row, sobel_space(swapped).array)
