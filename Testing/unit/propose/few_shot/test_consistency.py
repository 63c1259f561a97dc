"""Consistency with a tracker that can be worked out by hand: it marks what is as bright as the prompted voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.propose.few_shot.consistency import (
    FLOOR,
    Member,
    case_score,
    dice,
    returned_dice,
    weight_of,
)
from LiverSegSSLLib.propose.few_shot.frames import Frames, frames_of
from LiverSegSSLLib.propose.few_shot.spaces import case_in, histogram_of
from LiverSegSSLLib.volume import Geometry, Volume

GEOMETRY = Geometry((30, 30, 4), (3.0, 3.0, 5.0))


def by_brightness(labelled: Frames, mask: np.ndarray, other: Frames) -> np.ndarray:
    """A toy tracker: what lies within 15 grey levels of the mean of the prompts."""
    return (np.abs(other.grey - labelled.grey[mask].mean()) < 15).astype(np.float32)


def patient(liver: float, spleen: float, rest: float = 100.0) -> tuple[Frames, np.ndarray]:
    image = np.zeros(GEOMETRY.shape, np.float32)
    image[:, 3:27, 3:27] = rest
    image[:, 6:20, 5:14] = liver
    image[:, 10:18, 19:24] = spleen
    image[:, 4:6, 20:26] = 10.0
    image[:, 24:26, 20:26] = 250.0
    truth = np.zeros(GEOMETRY.shape, bool)
    truth[:, 6:20, 5:14] = True
    return frames_of(Volume(image, GEOMETRY)), truth


def test_a_mask_that_found_the_liver_comes_back_whole():
    support, truth = patient(200, 150)
    case, _ = patient(203, 148)
    found = by_brightness(support, truth, case)
    assert returned_dice(by_brightness, support, truth, case, found) == 1.0


def test_its_limit_is_an_exchange_that_reads_the_same_both_ways():
    """A spleen as bright as the support's liver, and a liver as dark as its spleen: all comes back, all is wrong."""
    support, truth = patient(200, 50)
    case, wanted = patient(50, 200)
    found = by_brightness(support, truth, case)
    assert dice(found > 0, wanted) == 0
    assert returned_dice(by_brightness, support, truth, case, found) == 1.0


def test_the_right_space_gives_itself_away():
    """In the plain space other tissue is taken for the liver; with grey values turned over the liver stands alone."""
    support, truth = patient(200, 150)
    case, wanted = patient(60, 105, rest=150)
    returned, right = {}, {}
    for space in ("plain", "inverted"):
        seen = case_in(space, case, histogram_of(support.grey))
        found = by_brightness(support, truth, seen)
        returned[space] = returned_dice(by_brightness, support, truth, seen, found)
        right[space] = dice(found >= 0.5, wanted)
    assert right["inverted"] > right["plain"]
    assert returned["inverted"] > returned["plain"]


def test_nothing_found_is_nothing_returned():
    support, truth = patient(200, 150)
    assert returned_dice(by_brightness, support, truth, support, np.zeros(GEOMETRY.shape)) == 0.0


def test_only_the_largest_part_goes_back():
    support, truth = patient(200, 150)
    case, wanted = patient(200, 150)
    found = wanted.astype(np.float32)
    found[0, 25, 21] = 1.0  # a stray voxel on the brightest part
    asked = []

    def carry(labelled, mask, other):
        asked.append(mask)
        return by_brightness(labelled, mask, other)

    assert returned_dice(carry, support, truth, case, found) == 1.0
    assert np.array_equal(asked[0], wanted)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_weights_are_above_zero_and_rise(one, two):
    assert weight_of(one) > 0
    if max(one, two) - min(one, two) > 1e-6 and max(one, two) > FLOOR:
        assert (weight_of(one) > weight_of(two)) == (one > two)


def test_weights_of_members_that_were_not_asked_are_equal():
    assert Member("a", "plain").weight == Member("b", "plain").weight == 1.0


def test_the_score_leans_on_those_that_count():
    members = [Member("a", "plain", 0.9, 0.95), Member("a", "sobel", 0.3, 0.6)]
    returned, ceiling = case_score(members)
    assert 0.89 < returned <= 0.9 and 0.94 < ceiling <= 0.95
    assert case_score([Member("a", "plain", 0.0)] * 3) == (0.0, 1.0)
    assert case_score([Member("a", "plain")]) is None


def test_dice_of_two_empty_masks_is_one():
    empty = np.zeros((1, 2, 2), bool)
    assert dice(empty, empty) == 1.0
    assert dice(empty, ~empty) == 0.0
    assert dice(np.array([[[True, True, False]]]), np.array([[[False, True, True]]])) == pytest.approx(0.5)
