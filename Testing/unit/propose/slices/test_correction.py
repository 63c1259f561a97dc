"""Corrections of an earlier label carried through the volume, against closed forms."""

import numpy as np
import pytest

from LiverSegSSLLib.propose.slices import propagate
from LiverSegSSLLib.propose.slices.correction import weights
from Testing.unit.propose.slices.shapes import assert_disc, blank, disc, stack

IMAGE = blank(spacing_xyz=(1.0, 1.0, 3.0))
DEPTH = 24
SPHERE = np.sqrt(np.maximum(26.0**2 - ((np.arange(DEPTH) - 11.5) * 2) ** 2, 0))


def carry(given, previous, fade_mm=12.0, image=IMAGE):
    result = propagate(image, given, previous=image.with_array(previous), fade_mm=fade_mm)
    return result, result.labels.array


def test_a_sphere_that_was_drawn_too_small_grows_by_what_was_added():
    """Slices 8 and 16 of the sphere get 4 mm more: so do all between, and it fades over 12 mm = 4 slices beyond."""
    given = {8: disc(SPHERE[8] + 4), 16: disc(SPHERE[16] + 4)}
    result, labels = carry(given, stack(SPHERE).astype(np.uint8))
    for z in range(DEPTH):
        beyond = max(8 - z, z - 16, 0)
        more = 4 * max(0.0, 1 - beyond / 4)
        if more == 0:
            assert np.array_equal(labels[z] == 1, stack(SPHERE)[z]), "out of reach: untouched"
        else:
            assert_disc(labels[z] == 1, SPHERE[z] + more)
    assert result.method == "correction" and set(result.changed) == {5, 6, 7, *range(9, 16), 17, 18, 19}
    assert "carried to slices 5 to 7, 9 to 15, 17 to 19" in result.note and "12 mm beyond" in result.note


def test_different_corrections_go_over_into_each_other():
    given = {4: disc(20 - 6), 20: disc(20 + 6)}
    _, labels = carry(given, stack([20.0] * DEPTH).astype(np.uint8))
    for z in range(4, 21):
        assert_disc(labels[z] == 1, 20 - 6 + 12 * (z - 4) / 16)


def test_a_shifted_disc_moves_its_neighbours_by_their_share():
    """Moved by 5 mm in one slice, by 5 w in those beside: the rims on the line of the move lie exactly there."""
    moved = disc(15, (32, 35))
    _, labels = carry({12: moved}, stack([15.0] * DEPTH).astype(np.uint8), fade_mm=15.0)
    for z in range(12, 18):
        share = 1 - (z - 12) / 5
        row = np.flatnonzero(labels[z, 32])
        assert abs(row.min() - (15 + 5 * share)) <= 1 and abs(row.max() - (45 + 5 * share)) <= 1


def test_a_dent_stays_where_it_is():
    """A straight edge pushed in at one place: only that place follows."""
    box = np.zeros((64, 60), bool)
    box[10:50, 10:50] = True
    dented = box & ~disc(8, (10, 20))
    _, labels = carry({12: dented}, np.stack([box] * DEPTH).astype(np.uint8))
    assert np.array_equal(labels[13, :, 32:] == 1, box[:, 32:]), "the far side is untouched"
    assert not labels[13, 10:14, 20].any() and labels[13, 20:30, 20].all()


def test_slices_given_unchanged_are_anchors():
    before = stack(SPHERE).astype(np.uint8)
    result, labels = carry({3: before[3], 12: before[12]}, before)
    assert np.array_equal(labels, before) and result.changed == ()
    assert "reach no other slice" in result.note
    before = stack(SPHERE - 6).astype(np.uint8)
    _, labels = carry({8: disc(SPHERE[8] - 1), 10: before[10]}, before)
    assert np.array_equal(labels[10:], before[10:]), "the correction ends at the anchor"
    assert_disc(labels[9] == 1, SPHERE[9] - 3.5)


def test_a_missing_dome_is_filled_up_to_the_slice_that_was_drawn():
    radii = np.where(np.arange(DEPTH) < 14, 22.0, 0.0)
    result, labels = carry({18: disc(7)}, stack(radii).astype(np.uint8))
    for z in range(13, 19):
        assert_disc(labels[z] == 1, np.interp(z, (13, 18), (22, 7)))
    assert np.array_equal(labels[:14], stack(radii)[:14]), "what was there stays"
    assert not labels[19:].any(), "beyond the drawn slice nothing is invented"
    assert "Where an object is new, slices 14 to 17 filled" in result.note


def test_a_label_that_runs_on_past_the_organ_is_cut_off_with_one_slice():
    radii = np.where(np.arange(DEPTH) < 18, 20.0, np.where(np.arange(DEPTH) < 22, 10.0, 0.0))
    before = stack(radii).astype(np.uint8)
    result, labels = carry({18: np.zeros((64, 60), np.uint8)}, before)
    assert not labels[18:].any(), "19 to 21 hung on it"
    assert np.array_equal(labels[:18], before[:18]), "its neighbour inside stays"
    assert "removed from slices 19 to 21" in result.note


def test_erasing_one_slice_never_takes_a_large_part_away():
    before = stack([20.0] * DEPTH).astype(np.uint8)
    _, labels = carry({9: np.zeros((64, 60), np.uint8)}, before)
    assert not labels[9].any()
    assert np.array_equal(np.delete(labels, 9, 0), np.delete(before, 9, 0))


def test_a_part_cut_off_stays_when_a_given_slice_vouches_for_it():
    before = stack(np.where(np.arange(DEPTH) < 22, 20.0, 0.0)).astype(np.uint8)
    _, labels = carry({18: np.zeros((64, 60), np.uint8), 20: before[20]}, before)
    assert labels[19:22].any(axis=(1, 2)).all()


def test_an_erased_false_piece_goes_from_the_neighbours_and_the_organ_stays():
    liver, false = disc(16, (40, 24)), disc(4, (10, 50))
    before = np.stack([liver | false] * DEPTH).astype(np.uint8)
    _, labels = carry({12: liver}, before, fade_mm=30.0)
    assert not labels[9:16, :24, 40:].any()
    assert np.array_equal(labels[:, 24:, :42], before[:, 24:, :42])


def test_a_piece_added_in_two_slices_is_carried_between_them_and_shrinks_away_beyond():
    liver, piece = disc(16, (40, 24)), disc(5, (10, 50))
    before = np.stack([liver] * DEPTH).astype(np.uint8)
    _, labels = carry({8: liver | piece, 14: liver | piece}, before)
    for z in range(8, 15):
        assert_disc(labels[z, :22] == 1, 5, centre=(10, 50))
    beyond = [np.count_nonzero(labels[z, :22, 38:]) for z in (14, 15, 16, 17)]
    assert beyond == sorted(beyond, reverse=True) and beyond[-1] == 0


def test_the_border_between_two_organs_moves_for_both():
    halves = np.zeros((64, 60), np.uint8)
    halves[10:50, 10:30], halves[10:50, 30:50] = 1, 2
    moved = halves.copy()
    moved[10:50, 30:36] = 1
    _, labels = carry({12: moved}, np.stack([halves] * DEPTH), fade_mm=12.0)
    for z, columns in ((13, 4.5), (14, 3.0), (15, 1.5), (16, 0)):
        row = labels[z, 30]
        edge = np.flatnonzero(row == 1).max() + 1
        assert abs(edge - (30 + columns)) <= 1
        assert edge == np.flatnonzero(row == 2).min(), "no gap and no overlap"


def test_an_object_that_no_given_slice_touches_is_left_alone():
    before = np.stack([np.where(disc(6, (12, 12)), 7, 0)] * 6 + [np.where(disc(14, (40, 40)), 3, 0)] * 18)
    _, labels = carry({16: np.where(disc(17, (40, 40)), 3, 0)}, before.astype(np.uint8), fade_mm=200.0)
    assert np.array_equal(labels == 7, before == 7)


@pytest.mark.parametrize("index", range(12))
def test_weights_never_exceed_one_and_are_whole_in_given_slices(index):
    given = [3, 5, 9]
    shares = weights(index, given, step_mm=2.0, fade_mm=4.0)
    assert all(0 <= share <= 1 for share in shares.values())
    if index in given:
        assert shares == {index: 1.0}
    elif 3 < index < 9:
        assert sum(shares.values()) == pytest.approx(1)
    else:
        assert sum(shares.values()) == pytest.approx(max(0, 1 - min(abs(index - k) for k in given) * 2 / 4))
