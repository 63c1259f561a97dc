"""Which slices a person has drawn in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from Testing.slicer.grids import geometries

pytest.importorskip("slicer")

from LiverSegSSLPanel.scene.slices import changed_slices, drawn_axis, slice_checksums

from LiverSegSSLLib.errors import GeometryError
from LiverSegSSLLib.volume import Geometry

GRID = Geometry((9, 8, 6), (0.7, 0.7, 3.0))


@settings(max_examples=60, deadline=None)
@given(geometry=geometries(), flips=st.integers(0, 4), seed=st.integers(0, 2**32 - 1))
def test_exactly_the_slices_that_differ_are_named(geometry, flips, seed):
    random = np.random.default_rng(seed)
    before = (random.random(geometry.shape) < 0.4).astype(np.uint8)
    after = before.copy()
    for _ in range(flips):
        place = tuple(random.integers(0, size) for size in geometry.shape)
        after[place] = 1 - after[place]
    found = changed_slices(slice_checksums(before), slice_checksums(after))
    for axis, slices in enumerate(found):
        others = tuple(other for other in range(3) if other != axis)
        assert slices == tuple(np.flatnonzero((before != after).any(axis=others)))


@pytest.mark.parametrize(("axis", "index"), [(0, 3), (1, 5), (2, 7)])
def test_the_axis_is_the_one_across_which_was_drawn(axis, index):
    before = np.zeros(GRID.shape, np.uint8)
    after = before.copy()
    np.moveaxis(after, axis, 0)[index, 1:4, 2:5] = 1
    changed = changed_slices(slice_checksums(before), slice_checksums(after))
    assert drawn_axis(changed, GRID) == axis
    assert changed[axis] == (index,)


def test_where_nothing_tells_it_is_the_axis_of_the_thick_slices():
    assert drawn_axis(((), (), ()), GRID) == 0
    assert drawn_axis(((), (), ()), Geometry((9, 8, 6), (3.0, 0.7, 0.7))) == 2
    assert drawn_axis(((1,), (2,), (3,)), Geometry((9, 8, 6), (1.0, 1.0, 1.0))) == 0


def test_another_value_of_the_same_voxels_is_no_change():
    mask = np.zeros(GRID.shape, np.uint8)
    mask[2] = 1
    assert changed_slices(slice_checksums(mask), slice_checksums(mask.astype(np.int16) * 255)) == ((), (), ())


def test_a_label_of_another_size_is_refused():
    with pytest.raises(GeometryError, match="another size"):
        changed_slices(slice_checksums(np.zeros((2, 3, 4))), slice_checksums(np.zeros((2, 3, 5))))
