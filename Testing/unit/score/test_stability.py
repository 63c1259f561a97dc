"""METHODS 5, eq. 7, and the ensembles of rounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from LiverSegSSLLib.score.ensemble import combine, union, vote
from LiverSegSSLLib.score.evidence import Evidence
from LiverSegSSLLib.score.stability import StabilityScore, change, instability
from LiverSegSSLLib.volume import Geometry, Volume

MAPS = st.lists(arrays(np.uint8, (2, 3, 4), elements=st.integers(0, 3)), min_size=1, max_size=5)


def row(labelled: int) -> np.ndarray:
    mask = np.zeros((1, 1, 20), np.uint8)
    mask[..., :labelled] = 1
    return mask


def test_the_example_of_the_specification():
    assert instability([row(10), row(12), row(12)]) == pytest.approx(0.08333, abs=5e-6)


def test_the_later_round_is_the_denominator():
    assert change(row(10), row(12)) == pytest.approx(2 / 12)
    assert change(row(12), row(10)) == pytest.approx(2 / 10)


def test_empties():
    assert change(row(0), row(0)) == 0
    assert change(row(3), row(0)) == float("inf")
    assert change(row(0), row(3)) == 1.0


def test_it_can_exceed_one():
    assert change(row(10), np.roll(row(2), 12)) == 6.0


@given(MAPS.filter(lambda maps: len(maps) > 1), st.permutations([1, 2, 3]))
def test_renaming_the_organs_changes_nothing(maps, names):
    table = np.array([0, *names], np.uint8)
    assert instability([table[one] for one in maps]) == instability(maps)


@given(MAPS)
def test_identical_rounds_are_stable(maps):
    assert instability([maps[0]] * 3) == 0


def test_one_round_has_no_stability():
    with pytest.raises(ValueError, match="two rounds"):
        instability([row(3)])


class TestScore:
    def volume(self, labelled: int) -> Volume:
        return Volume(row(labelled), Geometry((20, 1, 1), (1.0, 1.0, 1.0)))

    def test_it_waits_for_the_second_round(self, case):
        assert StabilityScore()(Evidence(case, self.volume(10))) is None

    def test_small_changes_pass_and_rank_above_large_ones(self, case):
        small = StabilityScore()(Evidence(case, self.volume(11), earlier=(self.volume(10),)))
        large = StabilityScore()(Evidence(case, self.volume(18), earlier=(self.volume(7),)))
        assert small.ok and not large.ok
        assert small.value > large.value > 0
        assert small.reason == "changes by 9 % from round to round"

    def test_a_vanished_liver_is_a_failure_not_an_error(self, case):
        score = StabilityScore()(Evidence(case, self.volume(0), earlier=(self.volume(10),)))
        assert (score.value, score.ok, score.reason) == (0.0, False, "the mask is empty now")

    def test_twice_empty_is_stable_but_flagged(self, case):
        score = StabilityScore()(Evidence(case, self.volume(0), earlier=(self.volume(0),)))
        assert (score.value, score.ok, score.reason) == (0.0, False, "the mask is empty as before")


@given(MAPS)
def test_union_contains_every_round_and_nothing_else(maps):
    assert np.array_equal(union(maps) > 0, np.any([one > 0 for one in maps], axis=0))


@given(MAPS)
def test_union_and_vote_of_the_same_map_are_that_map(maps):
    for method in (union, vote):
        assert np.array_equal(method([maps[0]] * 3), maps[0])
        assert np.array_equal(union([method(maps), method(maps)]), method(maps))


@given(st.lists(arrays(np.bool_, (2, 3, 4)), min_size=1, max_size=5), st.randoms())
def test_binary_union_does_not_depend_on_the_order(maps, random):
    shuffled = list(maps)
    random.shuffle(shuffled)
    assert np.array_equal(union(maps), union(shuffled))


def test_conflicts_go_to_most_votes_then_to_the_latest_round():
    maps = [
        np.array([[[1, 1, 0, 2]]]),
        np.array([[[2, 1, 0, 0]]]),
        np.array([[[2, 2, 0, 0]]]),
        np.array([[[1, 0, 1, 0]]]),
    ]
    assert union(maps).tolist() == [[[1, 1, 1, 2]]]  # 1:2 → the tie of voxel 0 goes to round 4, which says 1
    assert vote(maps).tolist() == [[[1, 1, 0, 0]]]


@given(
    st.lists(arrays(np.uint8, (2, 3, 4), elements=st.integers(0, 1)), min_size=3, max_size=5).filter(
        lambda m: len(m) % 2
    )
)
def test_a_binary_vote_is_the_majority(maps):
    assert np.array_equal(vote(maps), np.sum(maps, axis=0) * 2 > len(maps))


def test_auto_votes_from_three_rounds_on():
    maps = [np.array([[[1]]]), np.array([[[1]]]), np.array([[[0]]])]
    assert combine(maps).item() == 1
    assert combine(maps[1:]).item() == 0
    assert combine(maps[1:], "union").item() == 1
