"""Image spaces: what each keeps and what it changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.exposure import match_histograms

from LiverSegSSLLib.align.body_mask import body_array
from LiverSegSSLLib.propose.few_shot.frames import frames_of
from LiverSegSSLLib.propose.few_shot.spaces import (
    SPACES,
    case_in,
    histogram_of,
    inverted,
    matched,
    mean_histogram,
    support_in,
)
from Testing.unit.align.scenes import abdomen


@pytest.fixture(scope="module")
def frames():
    return frames_of(abdomen())


@pytest.mark.parametrize("space", SPACES)
def test_every_space_keeps_grid_range_and_type(space, frames):
    for changed in (support_in(space, frames), case_in(space, frames, histogram_of(frames.grey))):
        assert changed.grey.shape == frames.grey.shape
        assert changed.grey.dtype == np.float32
        assert 0 <= changed.grey.min() <= changed.grey.max() <= 255
        assert changed.native == frames.native


def test_only_sobel_changes_the_support(frames):
    changed = {space for space in SPACES if support_in(space, frames) is not frames}
    assert changed == {"sobel"}


def test_plain_changes_nothing(frames):
    assert case_in("plain", frames, histogram_of(frames.grey)) is frames


def test_sobel_does_not_see_which_side_is_brighter(frames):
    other = frames.with_grey((255 - frames.grey).astype(np.float32))
    assert np.allclose(support_in("sobel", frames).grey, support_in("sobel", other).grey, atol=1e-3)


def test_inverting_twice_is_nothing_and_air_stays_dark(frames):
    body = body_array(frames.grey)
    once = inverted(frames.grey, body)
    assert np.allclose(inverted(once, body), frames.grey, atol=1e-4)
    assert np.array_equal(once[~body], frames.grey[~body])
    assert np.allclose(once[body] + frames.grey[body], 255, atol=1e-4)


def test_matching_to_itself_is_nothing(frames):
    body = body_array(frames.grey)
    moved = np.abs(matched(frames.grey, body, histogram_of(frames.grey)) - frames.grey)
    # Where no voxel has a grey value (between organs), the quantile function is a straight line between 256 points.
    assert (moved > 2.0).mean() < 0.01
    assert moved.mean() < 0.2


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.floats(0.4, 2.5))
def test_matching_undoes_any_rising_change_of_contrast(seed, gamma):
    """Whatever a scanner does to contrast, as long as brighter stays brighter; checked against scikit-image."""
    rng = np.random.default_rng(seed)
    wanted = rng.uniform(5, 250, (2, 40, 40)).astype(np.float32)
    changed = (255 * (wanted / 255) ** gamma).astype(np.float32)
    body = np.ones(wanted.shape, bool)
    ours = matched(changed, body, histogram_of(wanted, body))
    assert np.abs(ours - wanted).max() < 4.0
    assert np.abs(ours - match_histograms(changed, wanted)).mean() < 1.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999))
def test_matching_keeps_the_order_of_grey_values(seed):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 40, (1, 20, 20)).astype(np.float32)
    result = matched(grey, np.ones(grey.shape, bool), histogram_of(rng.gamma(2.0, 30.0, (1, 20, 20)).clip(0, 255)))
    order = np.argsort(grey.ravel(), kind="stable")
    assert (np.diff(result.ravel()[order]) >= -1e-4).all()
    for value in np.unique(grey):
        assert np.ptp(result[grey == value]) == 0


def test_the_mean_histogram_of_equal_ones_is_theirs_and_lies_between_others(frames):
    one = histogram_of(frames.grey)
    assert np.allclose(mean_histogram([one, one, one]).quantiles, one.quantiles)
    darker = histogram_of((frames.grey * 0.5).astype(np.float32))
    between = mean_histogram([one, darker]).quantiles
    assert (between <= np.maximum(one.quantiles, darker.quantiles) + 1e-9).all()
    assert (between >= np.minimum(one.quantiles, darker.quantiles) - 1e-9).all()


@pytest.mark.parametrize("space", SPACES)
def test_a_black_image_stays_black(space, frames):
    black = frames.with_grey(np.zeros_like(frames.grey))
    assert (case_in(space, black, histogram_of(frames.grey)).grey == 0).all()
