"""Connected parts of a mask, against SimpleITK and by hand."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from LiverSegSSLLib.components import bounding_box, component_sizes, largest_component, near_largest

MASKS = arrays(np.bool_, st.tuples(*[st.integers(1, 7)] * 3))


@given(MASKS, st.sampled_from([6, 26]))
@settings(deadline=None)
def test_parts_are_those_of_simpleitk(mask, connectivity):
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    parts = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, connectivity == 26))
    sizes = np.sort(np.bincount(parts.ravel())[1:])[::-1]
    assert component_sizes(mask, connectivity).tolist() == sizes.tolist()
    kept = largest_component(mask, connectivity)
    assert kept.sum() == (sizes[0] if sizes.size else 0)
    assert not (kept & ~mask).any()
    assert component_sizes(kept, connectivity).size == bool(sizes.size)


def test_a_corner_joins_two_voxels_only_with_26_neighbours():
    mask = np.zeros((3, 3, 3))
    mask[0, 0, 0] = mask[1, 1, 1] = 1
    assert component_sizes(mask).tolist() == [2]
    assert component_sizes(mask, 18).tolist() == component_sizes(mask, 6).tolist() == [1, 1]


def test_of_two_equal_parts_the_first_is_kept():
    mask = np.zeros((5, 1, 1))
    mask[1] = mask[3] = 1
    assert np.flatnonzero(largest_component(mask)).tolist() == [1]


def test_what_lies_beyond_the_slices_of_the_organ_is_cleared():
    mask = np.zeros((60, 10, 10), np.uint8)
    mask[20:40, 2:6, 2:6] = 1
    for slice_index in (11, 12, 25, 47, 48):
        mask[slice_index, 9, 9] = 1
    kept = near_largest(mask, margin_slices=8)
    assert np.flatnonzero(kept[:, 9, 9]).tolist() == [12, 25, 47]
    assert kept[20:40, 2:6, 2:6].all()
    assert not near_largest(np.zeros((3, 3, 3))).any()


@given(MASKS, st.integers(0, 3))
@settings(deadline=None)
def test_the_box_holds_the_mask_and_touches_it(mask, margin):
    box = bounding_box(mask, margin)
    if not mask.any():
        assert box is None
        return
    assert mask[box].sum() == mask.sum()
    tight = bounding_box(mask)
    assert all(face.any() for axis in range(3) for face in (mask[tight].take(0, axis), mask[tight].take(-1, axis)))
    assert all(0 <= wide.start <= side.start < side.stop <= wide.stop for wide, side in zip(box, tight, strict=True))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.float32])
def test_every_kind_of_mask_is_understood(dtype):
    mask = np.zeros((4, 4, 4), dtype)
    mask[1:3, 1:3, 1:3] = 1
    assert component_sizes(mask).tolist() == [8] and largest_component(mask).dtype == bool
