"""METHODS 3: metrics a–f, against closed forms, brute force, SimpleITK and DeepMind's surface-distance."""

import math
import warnings
from time import process_time

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from LiverSegSSLLib.errors import GeometryError
from LiverSegSSLLib.evaluate.metrics import dice, image_diagonal_mm, measure
from LiverSegSSLLib.evaluate.surfaces import surface, surface_distances

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import surface_distance as deepmind

MASKS = arrays(np.bool_, (4, 5, 6))
SPACINGS = st.tuples(*[st.floats(0.5, 8.0).map(lambda value: round(value, 2))] * 3)
SPACING = (3.0, 1.25, 1.1)


def ellipsoid(shape, centre, radii) -> np.ndarray:
    grid = np.ogrid[tuple(slice(length) for length in shape)]
    return sum(((axis - c) / r) ** 2 for axis, c, r in zip(grid, centre, radii, strict=True)) < 1


LIVER = ellipsoid((24, 60, 64), (12, 30, 30), (9, 20, 24))
OTHER = ellipsoid((24, 60, 64), (13, 31, 28), (9, 22, 21))
STRAY = OTHER.copy()
STRAY[1, 1, 1] = True
PAIRS = {
    "near": (LIVER, OTHER),
    "stray voxel": (LIVER, STRAY),
    "apart": (LIVER[:, :30], LIVER[:, 30:]),
    "same": (LIVER,) * 2,
}


# (a) … (f) of METHODS 3 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slices", [1, 2, 7])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_two_voxels_k_slices_apart_have_the_distance_k_spacings(slices, axis):
    truth, mask = np.zeros((10, 10, 10), bool), np.zeros((10, 10, 10), bool)
    here, there = [1, 1, 1], [1, 1, 1]
    there[axis] += slices
    truth[tuple(here)], mask[tuple(there)] = True, True
    assert measure(truth, mask, SPACING).hd_mm == pytest.approx(slices * SPACING[axis])


def test_b_a_mask_agrees_with_itself():
    same = measure(LIVER, LIVER, SPACING)
    assert (same.dice, same.hd_mm, same.hd95_mm, same.assd_mm, same.nsd) == (1, 0, 0, 0, 1)


@given(MASKS, MASKS, SPACINGS)
def test_c_every_measure_is_symmetric(a, b, spacing):
    forth, back = measure(a, b, spacing), measure(b, a, spacing)
    assert dice(a, b) == dice(b, a)
    for name in ("dice", "hd_mm", "hd95_mm", "assd_mm", "nsd"):
        assert getattr(forth, name) == pytest.approx(getattr(back, name), nan_ok=True)


@pytest.mark.parametrize("pair", PAIRS)
def test_d_agrees_with_surface_distance(pair):
    truth, mask = PAIRS[pair]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = deepmind.compute_surface_distances(truth, mask, SPACING)
    ours = measure(truth, mask, SPACING, tolerance_mm=2.0)
    assert ours.hd_mm == pytest.approx(deepmind.compute_robust_hausdorff(theirs, 100))
    assert ours.hd95_mm == pytest.approx(deepmind.compute_robust_hausdorff(theirs, 95))
    assert ours.nsd == pytest.approx(deepmind.compute_surface_dice_at_tolerance(theirs, 2.0))
    forth, back = deepmind.compute_average_surface_distance(theirs)
    assert min(forth, back) - 1e-9 <= ours.assd_mm <= max(forth, back) + 1e-9


@given(MASKS.filter(np.any), MASKS.filter(np.any))
@settings(max_examples=40)
def test_d_agrees_with_surface_distance_on_any_mask(truth, mask):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = deepmind.compute_surface_distances(truth, mask, SPACING)
    ours = measure(truth, mask, SPACING, tolerance_mm=1.2)
    assert ours.hd_mm == pytest.approx(deepmind.compute_robust_hausdorff(theirs, 100))
    assert ours.nsd == pytest.approx(deepmind.compute_surface_dice_at_tolerance(theirs, 1.2))


@given(MASKS.filter(np.any), MASKS.filter(np.any), SPACINGS, st.floats(0, 10), st.floats(0, 10))
def test_e_surface_dice_grows_with_the_tolerance(truth, mask, spacing, one, other):
    distances = surface_distances(surface(truth, spacing), surface(mask, spacing))
    low, high = sorted((one, other))
    assert distances.surface_dice(low) <= distances.surface_dice(high) <= 1 + 1e-12
    assert distances.surface_dice(distances.hausdorff()) == pytest.approx(1.0)


EMPTY = np.zeros_like(LIVER)


def test_f_both_empty_is_perfect():
    both = measure(EMPTY, EMPTY, SPACING)
    assert (both.dice, both.nsd, both.hd_mm, both.assd_mm) == (1, 1, 0, 0)
    assert both.mask_empty and both.truth_empty


@pytest.mark.parametrize(("truth", "mask"), [(LIVER, EMPTY), (EMPTY, LIVER)])
def test_f_one_empty_has_no_distance_or_the_diagonal(truth, mask):
    one = measure(truth, mask, SPACING)
    assert (one.dice, one.nsd) == (0, 0)
    assert all(math.isnan(value) for value in (one.hd_mm, one.hd95_mm, one.assd_mm))
    assert (one.truth_empty, one.mask_empty) == (truth is EMPTY, mask is EMPTY)
    punished = measure(truth, mask, SPACING, empty_is_diagonal=True)
    assert punished.hd_mm == punished.hd95_mm == punished.assd_mm == image_diagonal_mm(LIVER.shape, SPACING)


# closed forms and other implementations --------------------------------------------------------------------------


def test_dice_of_overlapping_boxes():
    a, b = np.zeros((1, 1, 12)), np.zeros((1, 1, 12))
    a[..., :6], b[..., 2:10] = 1, 1
    assert dice(a, b) == pytest.approx(2 * 4 / (6 + 8))


def test_box_grown_by_one_voxel_all_round():
    a, b = np.zeros((12, 12, 12)), np.zeros((12, 12, 12))
    a[4:8, 4:8, 4:8], b[3:9, 3:9, 3:9] = 1, 1
    assert measure(a, b, (2.0, 1.0, 1.0)).hd_mm == pytest.approx(math.sqrt(2**2 + 1 + 1))


def test_concentric_balls_are_their_radii_apart():
    inner, outer = (ellipsoid((50, 50, 50), (25, 25, 25), (radius,) * 3) for radius in (16, 20))
    balls = measure(inner, outer, (1.5, 1.5, 1.5), tolerance_mm=7.5)
    # Between staircases the nearest corner is up to half a voxel nearer than between smooth surfaces.
    assert 4 * 1.5 - 0.75 <= balls.assd_mm <= 4 * 1.5
    assert balls.hd_mm == pytest.approx(4 * 1.5, abs=1.5)
    assert balls.dice == pytest.approx(2 * 16**3 / (16**3 + 20**3), abs=0.01)
    assert balls.nsd == 1
    assert measure(inner, outer, (1.5, 1.5, 1.5), tolerance_mm=2.5).nsd == 0


def test_a_mask_at_the_border_of_the_image_has_a_surface_there():
    full = np.ones((3, 4, 5))
    assert measure(full, full, SPACING).nsd == 1
    closed = surface(full, SPACING)
    assert len(closed) == 4 * 5 * 6 - 2 * 3 * 4
    assert np.allclose(closed.points_mm.min(axis=0), -0.5 * np.array(SPACING))
    assert np.allclose(closed.points_mm.max(axis=0), (np.array(full.shape) - 0.5) * SPACING)


@given(MASKS.filter(np.any), MASKS.filter(np.any), SPACINGS)
@settings(max_examples=60)
def test_hausdorff_is_that_of_all_pairs_of_voxel_corners(truth, mask, spacing):
    def corners(array: np.ndarray) -> np.ndarray:
        padded = np.pad(array, 1)
        blocks = np.lib.stride_tricks.sliding_window_view(padded, (2, 2, 2)).reshape(*(n + 1 for n in array.shape), 8)
        return np.argwhere(blocks.any(-1) & ~blocks.all(-1)) * np.array(spacing)

    pairs = cdist(corners(truth), corners(mask))
    assert measure(truth, mask, spacing).hd_mm == pytest.approx(max(pairs.min(0).max(), pairs.min(1).max()))


@pytest.mark.parametrize("pair", ["near", "stray voxel", "apart"])
def test_hausdorff_is_within_a_voxel_diagonal_of_simpleitk(pair):
    images = []
    for array in PAIRS[pair]:
        images.append(sitk.GetImageFromArray(array.astype(np.uint8)))
        images[-1].SetSpacing(SPACING[::-1])
    theirs = sitk.HausdorffDistanceImageFilter()
    theirs.Execute(*images)
    ours = measure(*PAIRS[pair], SPACING).hd_mm
    assert abs(ours - theirs.GetHausdorffDistance()) <= math.hypot(*SPACING)


@given(MASKS, MASKS, SPACINGS)
def test_robust_never_exceeds_full_and_mean_never_exceeds_it_either(truth, mask, spacing):
    one = measure(truth, mask, spacing)
    if not math.isnan(one.hd_mm):
        assert one.hd95_mm <= one.hd_mm
        assert one.assd_mm <= one.hd_mm + 1e-9


@given(MASKS.filter(np.any), MASKS.filter(np.any), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=40)
def test_moving_both_masks_in_a_larger_image_changes_nothing(truth, mask, before, after):
    pad = [(before, after)] * 3
    small, large = measure(truth, mask, SPACING), measure(np.pad(truth, pad), np.pad(mask, pad), SPACING)
    assert large.hd_mm == pytest.approx(small.hd_mm) and large.nsd == pytest.approx(small.nsd)


def test_different_grids_are_refused():
    with pytest.raises(GeometryError, match="resample the mask"):
        measure(LIVER, LIVER[1:], SPACING)


def test_a_liver_of_usual_size_takes_well_under_a_second():
    shape = (64, 256, 256)
    truth, mask = ellipsoid(shape, (32, 128, 110), (24, 60, 80)), ellipsoid(shape, (33, 130, 112), (24, 61, 78))
    measure(truth[:8], mask[:8], SPACING)  # imports
    begun = process_time()
    measure(truth, mask, SPACING)
    assert process_time() - begun < 1.0
