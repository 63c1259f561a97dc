"""A volume becomes frames and comes back: every orientation, size and border; intensities as published."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

from LiverSegSSLLib.errors import GeometryError, LabelError
from LiverSegSSLLib.propose.few_shot.frames import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    canonical_mask,
    frames_of,
    native_volume,
    probability_of,
    prompts_of,
    published_grey,
)
from LiverSegSSLLib.volume import Geometry, Volume

SIZES = st.tuples(*[st.integers(1, 9)] * 3)


@st.composite
def geometries(draw):
    """Any right- or left-handed grid: axes permuted and turned over, then tilted obliquely."""
    axes = np.eye(3)[:, draw(st.permutations(range(3)))] * draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    tilt = Rotation.from_euler("xyz", draw(st.tuples(*[st.floats(-40, 40)] * 3)), degrees=True).as_matrix()
    spacing = draw(st.tuples(*[st.floats(0.3, 9.0)] * 3))
    origin = draw(st.tuples(*[st.floats(-400, 400)] * 3))
    return Geometry(draw(SIZES), spacing, origin, tuple((tilt @ axes).ravel()))


def some_voxels(geometry: Geometry, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, geometry.shape).astype(np.int16)


@settings(max_examples=60, deadline=None)
@given(geometries(), st.integers(0, 2**16), st.booleans())
def test_every_voxel_comes_back_to_its_place(geometry, seed, singleton):
    array = some_voxels(geometry, seed)
    frames = frames_of(Volume(array, geometry, singleton))
    mask = array > np.median(array) - 1
    upright = canonical_mask(Volume(mask.astype(np.uint8), geometry), frames)
    assert upright.shape == frames.grey.shape == frames.canonical.shape
    back = native_volume(upright.astype(np.float32), frames)
    assert np.array_equal(back.array, mask.astype(np.float32))
    assert back.geometry == geometry
    assert back.trailing_singleton == singleton


@settings(max_examples=40, deadline=None)
@given(geometries(), st.integers(0, 2**16))
def test_a_voxel_keeps_its_place_in_the_patient(geometry, seed):
    """In the canonical frame the same grey value lies at the same LPS point, and slices run to superior."""
    array = np.zeros(geometry.shape, np.float32)
    index = tuple(np.random.default_rng(seed).integers(0, geometry.shape))
    array[index] = 1
    frames = frames_of(Volume(array, geometry))
    found = np.argwhere(canonical_mask(Volume(array, geometry), frames))[0][::-1]
    here = geometry.index_to_lps() @ [*index[::-1], 1.0]
    there = frames.canonical.index_to_lps() @ [*found, 1.0]
    assert np.allclose(here, there, atol=1e-3)
    # Each canonical axis is the native one nearest to left, posterior, superior, so it has a positive share of it.
    assert (np.diag(np.reshape(frames.canonical.direction, (3, 3))) > 0).all()


def test_a_sagittal_volume_is_propagated_slice_by_slice_from_below():
    # Voxel axes run to anterior, superior, left: what a sagittal acquisition writes.
    geometry = Geometry((5, 7, 3), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), (0, 0, 1, -1, 0, 0, 0, 1, 0))
    frames = frames_of(Volume(some_voxels(geometry, 3), geometry))
    assert frames.grey.shape == (7, 5, 3)
    assert frames.canonical.spacing == pytest.approx((3.0, 1.0, 2.0))


def test_one_slice_is_a_volume():
    geometry = Geometry((8, 6, 1), (1.5, 1.5, 5.0))
    frames = frames_of(Volume(some_voxels(geometry, 1), geometry))
    assert len(frames) == 1
    assert frames.pixels(16).shape == (1, 3, 16, 16)


def test_intensities_are_scaled_as_published():
    values = np.concatenate([np.zeros(500), np.arange(1, 2001)]).reshape(1, 50, 50)
    grey, (low, high) = published_grey(values)
    # Percentiles of 1 … 2000 by linear interpolation: 1 + 1999 · q.
    assert (low, high) == pytest.approx((1 + 1999 * 0.005, 1 + 1999 * 0.995))
    assert (grey[values == 0] == 0).all()
    assert grey.ravel()[500 + 999] == pytest.approx((1000 - low) / (high - low) * 255, abs=1e-3)
    assert (grey.min(), grey.max()) == (0, 255)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 100.0), st.integers(0, 99))
def test_the_scanners_scale_does_not_matter(gain, seed):
    values = np.random.default_rng(seed).gamma(2.0, 100.0, (3, 8, 8)).astype(np.float32)
    values[0] = 0
    assert np.allclose(published_grey(values)[0], published_grey(values * np.float32(gain))[0], atol=0.02)


@pytest.mark.parametrize("value", [0.0, -4.0, 7.0, np.nan, np.inf])
def test_an_image_without_contrast_is_black(value):
    geometry = Geometry((4, 4, 2), (1.0, 1.0, 1.0))
    frames = frames_of(Volume(np.full(geometry.shape, value, np.float32), geometry))
    assert (frames.grey == 0).all()
    assert np.isfinite(frames.pixels(8)).all()


def test_pixels_are_what_the_published_steps_give():
    """8 bit, RGB, Pillow's default filter, ImageNet: written as the published steps, one slice after the other."""
    geometry = Geometry((37, 52, 3), (1.0, 1.0, 1.0))
    frames = frames_of(Volume(some_voxels(geometry, 5), geometry))
    expected = []
    for plane in frames.grey:
        picture = np.asarray(Image.fromarray(plane.astype(np.uint8)).convert("RGB").resize((64, 64))) / 255.0
        expected.append(((picture - IMAGENET_MEAN) / IMAGENET_STD).transpose(2, 0, 1))
    assert np.allclose(frames.pixels(64), expected, atol=1e-5)
    assert np.array_equal(frames.pixels(64, [2, 0]), frames.pixels(64)[[2, 0]])


def test_an_empty_mask_is_refused_with_a_remedy():
    geometry = Geometry((4, 4, 2), (1.0, 1.0, 1.0))
    frames = frames_of(Volume(some_voxels(geometry, 1), geometry))
    with pytest.raises(LabelError, match=r"patient 7: the mask is empty.*label the liver"):
        canonical_mask(Volume(np.zeros(geometry.shape, np.uint8), geometry), frames, "patient 7")


def test_a_mask_on_another_grid_is_refused():
    geometry = Geometry((4, 4, 2), (1.0, 1.0, 1.0))
    frames = frames_of(Volume(some_voxels(geometry, 1), geometry))
    other = Geometry((4, 4, 2), (1.0, 1.0, 1.5))
    with pytest.raises(GeometryError, match="not on its image's grid"):
        canonical_mask(Volume(np.ones(other.shape, np.uint8), other), frames)


@settings(max_examples=40, deadline=None)
@given(st.tuples(st.integers(1, 5), st.integers(1, 90), st.integers(1, 90)), st.integers(8, 64))
def test_a_mask_that_touches_every_border_stays_whole(shape, size):
    prompts = prompts_of(np.ones(shape, bool), size)
    assert sorted(prompts) == list(range(shape[0]))
    assert all(prompt.shape == (size, size) and prompt.all() for prompt in prompts.values())


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 40), st.integers(8, 40), st.integers(0, 99))
def test_prompts_are_pillows_nearest(rows, columns, seed):
    mask = np.random.default_rng(seed).random((1, rows, columns)) > 0.5
    expected = Image.fromarray(mask[0].astype(np.uint8)).resize((32, 32), Image.Resampling.NEAREST)
    assert np.array_equal(prompts_of(mask, 32)[0], np.asarray(expected) > 0)


def test_slices_without_liver_are_no_prompts():
    mask = np.zeros((5, 16, 16), bool)
    mask[1, 4:8, 4:8] = mask[3, 2:3, 2:14] = True
    assert sorted(prompts_of(mask, 16)) == [1, 3]


@settings(max_examples=30, deadline=None)
@given(st.integers(20, 90), st.integers(20, 90), st.floats(0.3, 0.7))
def test_a_straight_border_comes_back_where_it_was(rows, columns, place):
    """Logits that fall linearly across the columns: bilinear resizing keeps the line where they are zero."""
    geometry = Geometry((columns, rows, 1), (1.0, 1.0, 1.0))
    frames = frames_of(Volume(np.ones(geometry.shape, np.float32), geometry))
    along = (torch.arange(32) + 0.5) / 32
    logits = (10 * (place - along)).expand(1, 32, 32)
    found = probability_of(logits, frames)
    assert found.shape == (1, rows, columns)
    centres = (np.arange(columns) + 0.5) / columns
    inner = (centres > 1 / 64) & (centres < 1 - 1 / 64)
    expected = 1 / (1 + np.exp(-10 * (place - centres)))
    assert np.allclose(found[0, :, inner], expected[inner], atol=1e-4)
