"""Without an earlier label: shapes between given slices, against closed forms."""

import numpy as np
import pytest

from LiverSegSSLLib.propose.slices import propagate
from Testing.unit.propose.slices.shapes import assert_disc, blank, disc


def carry(given, axis=0, **options):
    result = propagate(blank(**options), given, axis=axis)
    return result, np.moveaxis(result.labels.array, axis, 0)


def test_a_cone_is_a_cone():
    result, labels = carry({3: disc(8), 19: disc(24)})
    for index in range(3, 20):
        assert_disc(labels[index] == 1, 8 + (index - 3))
    assert not labels[:3].any() and not labels[20:].any(), "nothing is invented beyond"
    assert result.method == "interpolation" and result.given == (3, 19) and result.changed == tuple(range(4, 19))
    assert result.note == (
        "The shapes of slices 3, 19 were interpolated to slices 4 to 18; nothing is invented beyond them."
    )


def test_of_a_sphere_every_chord_is_exact():
    radius = 24.0
    slices = {z: disc(np.sqrt(radius**2 - (z - 12) ** 2)) for z in (0, 6, 12, 18, 23)}
    _, labels = carry(slices)
    for low, high in ((0, 6), (6, 12), (12, 18), (18, 23)):
        ends = [np.sqrt(radius**2 - (z - 12) ** 2) for z in (low, high)]
        for z in range(low, high + 1):
            assert_disc(labels[z] == 1, np.interp(z, (low, high), ends))
    truth = sum(np.pi * (radius**2 - (z - 12) ** 2) for z in range(24))
    assert 0.98 * truth < np.count_nonzero(labels) < truth, "chords lie inside"


def test_an_oblique_cylinder_is_carried_along_its_axis_exactly():
    _, labels = carry({0: disc(7, (12, 14)), 10: disc(7, (42, 44))})  # no overlap at all
    for z in range(11):
        assert np.array_equal(labels[z] == 1, disc(7, (12 + 3 * z, 14 + 3 * z)))


def test_a_slanted_cylinder_that_overlaps_keeps_its_size():
    _, labels = carry({0: disc(12, (25, 20)), 8: disc(12, (25, 36))})
    for z in range(9):
        assert np.array_equal(labels[z] == 1, disc(12, (25, 20 + 2 * z)))


def test_a_part_that_ends_closes_like_a_paraboloid_and_the_other_goes_on():
    both = disc(8, (15, 15)) | disc(12, (45, 40))
    _, labels = carry({2: both, 18: disc(12, (45, 40))})
    for z in range(2, 19):
        left = 1 - (z - 2) / 16
        assert np.array_equal(labels[z, 32:] == 1, disc(12, (45, 40))[32:])
        assert_disc(labels[z, :32] == 1, 8 * np.sqrt(left), centre=(15, 15)) if left else None
    assert not labels[18, :32].any()


def test_two_parts_that_join_are_joined():
    apart = disc(9, (20, 20)) | disc(9, (20, 42))
    _, labels = carry({0: apart, 10: disc(20, (20, 31))})
    sizes = np.count_nonzero(labels[:11], axis=(1, 2))
    assert (np.diff(sizes) > 0).all()
    assert labels[:11, 20, 20].all() and labels[:11, 20, 42].all(), "what both have stays"


def test_an_object_closes_up_to_a_given_slice_without_it():
    _, labels = carry({4: disc(16), 12: disc(0.0) & False, 16: disc(6), 20: disc(6)})
    for z in range(4, 12):
        assert_disc(labels[z] == 1, 16 * np.sqrt(1 - (z - 4) / 8))
    assert not labels[12].any(), "the person says that it is not there"
    assert labels[15].any() and labels[18].any()


def test_one_slice_stays_alone():
    result, labels = carry({7: disc(10)})
    assert np.array_equal(labels[7] == 1, disc(10)) and np.count_nonzero(labels.any(axis=(1, 2))) == 1
    assert result.changed == () and result.note.startswith("Nothing to interpolate: only slice 7 given")


def test_adjacent_slices_leave_nothing_between():
    result, labels = carry({7: disc(10), 8: disc(4)})
    assert result.changed == () and np.array_equal(labels[8] == 1, disc(4))


def test_empty_slices_give_an_empty_volume():
    result, labels = carry({2: disc(5) & False, 9: disc(5) & False})
    assert not labels.any() and result.changed == ()


def test_masks_that_touch_every_border_and_single_pixels():
    everything, dot = np.ones((64, 60), bool), np.zeros((64, 60), bool)
    dot[0, 0] = True
    _, labels = carry({0: everything, 9: everything, 12: dot, 15: dot})
    assert labels[:10].all()
    assert labels[9:16, 0, 0].all()
    assert np.array_equal(labels[13] == 1, dot)
    sizes = np.count_nonzero(labels[9:13], axis=(1, 2))
    assert (np.diff(sizes) <= 0).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_every_axis_and_uneven_voxels(axis):
    """Discs in mm on pixels of 1 by 2 mm: growth is the same in every direction, in mm."""
    spacing_zyx = tuple(np.insert([1.0, 2.0], axis, 5.0))
    shape = tuple(np.insert([64, 40], axis, 9))
    where = {"centre": (32, 20), "spacing": (1.0, 2.0)}
    given = {index: disc(radius, shape=(64, 40), **where) for index, radius in ((0, 10), (8, 26))}
    result, labels = carry(given, axis=axis, shape=shape, spacing_xyz=spacing_zyx[::-1])
    assert result.labels.array.shape == shape
    for index in range(9):
        assert_disc(labels[index] == 1, 10 + 2 * index, tolerance=1.5, **where)


def test_the_middle_of_two_objects_that_want_the_same_place_goes_to_the_deeper_one():
    """A shrinks and B grows across: every voxel has one owner, and both are where they alone reach."""
    first = np.where(disc(18, (32, 18)), 5, 0) + np.where(disc(6, (32, 48)), 9, 0)
    last = np.where(disc(6, (32, 12)), 5, 0) + np.where(disc(18, (32, 42)), 9, 0)
    _, labels = carry({0: first, 10: last})
    assert set(np.unique(labels)) == {0, 5, 9}
    for z in range(11):
        assert np.flatnonzero(labels[z, 32] == 5).max() < np.flatnonzero(labels[z, 32] == 9).min()
