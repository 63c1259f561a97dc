"""FLARE24's rules, case by case (METHODS 3), checked against its own arithmetic through surface-distance."""

import math
import warnings

import numpy as np
import pytest

from LiverSegSSLLib.evaluate.flare import FlareScore, flare_score, flare_scores

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import surface_distance as deepmind

SPACING = (2.5, 0.8, 0.8)


def box(z: slice, y: slice, x: slice) -> np.ndarray:
    mask = np.zeros((12, 30, 30), bool)
    mask[z, y, x] = True
    return mask


SOME = box(slice(2, 9), slice(5, 20), slice(5, 20))
NONE = np.zeros_like(SOME)


@pytest.mark.parametrize(
    ("truth", "mask", "expected"),
    [
        (NONE, NONE, FlareScore(1, 1)),
        (NONE, SOME, FlareScore(0, 0)),
        (SOME, NONE, FlareScore(0, 0)),
        (SOME, SOME, FlareScore(1, 1)),
    ],
)
def test_empties(truth, mask, expected):
    assert flare_score(truth, mask, SPACING) == expected


@pytest.mark.parametrize(("shift", "judged"), [(11, True), (12, True), (13, False)])
def test_no_surface_dice_below_dice_one_fifth(shift, judged):
    """A box of 15 voxels width, shifted: Dice is (15 − shift) / 15; at 12 exactly 0.2, which is not below it."""
    score = flare_score(SOME, np.roll(SOME, shift, axis=2), SPACING)
    assert score.dice == round((15 - shift) / 15, 4)
    assert (score.nsd > 0) is judged


@pytest.mark.parametrize("organ", ["liver", "spleen", "duodenum", "aorta"])
def test_the_numbers_of_the_official_arithmetic(organ):
    mask = np.roll(SOME, (1, 3, 2), axis=(0, 1, 2))
    tolerance = {"liver": 5, "spleen": 3, "duodenum": 7, "aorta": 2}[organ]
    truth, other = (SOME[2:8], mask[2:8]) if organ == "aorta" else (SOME, mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = deepmind.compute_surface_distances(truth, other, SPACING)
    expected = round(float(deepmind.compute_surface_dice_at_tolerance(theirs, tolerance)), 4)
    assert flare_score(SOME, mask, SPACING, organ).nsd == expected
    assert flare_score(SOME, mask, SPACING, organ).dice == round(deepmind.compute_dice_coefficient(truth, other), 4)


@pytest.mark.parametrize("organ", ["aorta", "inferior_vena_cava", "oesophagus"])
def test_tubes_are_judged_within_the_labelled_slices_without_the_last(organ):
    longer = SOME | box(slice(0, 12), slice(5, 20), slice(5, 20))
    assert flare_score(SOME, longer, SPACING, organ) == FlareScore(1, 1)
    assert flare_score(SOME, longer, SPACING, "stomach").dice < 1
    wrong_last = SOME.copy()
    wrong_last[8] = False
    assert flare_score(SOME, wrong_last, SPACING, organ) == FlareScore(1, 1)
    wrong_first = SOME.copy()
    wrong_first[2] = False
    assert flare_score(SOME, wrong_first, SPACING, organ).dice < 1


def test_a_tube_labelled_in_one_slice_leaves_nothing_to_judge():
    one = box(slice(4, 5), slice(5, 20), slice(5, 20))
    assert math.isnan(flare_score(one, SOME, SPACING, "aorta").dice)
    assert flare_score(one, one, SPACING, "liver") == FlareScore(1, 1)


def test_a_label_map_of_thirteen_organs():
    truth, prediction = np.zeros((2, 12, 30, 30), np.uint8)
    truth[SOME], prediction[SOME] = 1, 1
    prediction[0, 0, 0] = 13
    scores = flare_scores(truth, prediction, SPACING)
    assert len(scores) == 13
    assert scores["liver"] == FlareScore(1, 1)
    assert scores["left_kidney"] == FlareScore(0, 0)
    assert scores["spleen"] == FlareScore(1, 1)
