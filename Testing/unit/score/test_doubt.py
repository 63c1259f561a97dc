"""Entropy, largest component and the slices in doubt."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from LiverSegSSLLib.doubt import binary_entropy, slice_entropy
from LiverSegSSLLib.score.entropy import EntropyScore, doubtful_share, mean_entropy
from LiverSegSSLLib.score.evidence import Evidence
from LiverSegSSLLib.score.parts import LargestComponentScore
from LiverSegSSLLib.score.review_order import doubtful_slices
from LiverSegSSLLib.volume import Geometry, Volume


def volume(array: np.ndarray) -> Volume:
    z, y, x = array.shape
    return Volume(array.astype(np.float32), Geometry((x, y, z), (10.0, 10.0, 10.0)))


@given(st.floats(0, 1))
def test_entropy_is_that_of_scipy(p):
    # float32 cannot hold what lies closer to 0 or 1 than its last digit
    assert float(binary_entropy(np.array(p))) == pytest.approx(scipy_entropy([p, 1 - p], base=2), abs=2e-6)


def test_entropy_is_zero_where_all_agree_and_one_where_they_are_split():
    assert binary_entropy(np.array([0.0, 0.5, 1.0])).tolist() == [0.0, 1.0, 0.0]


def test_the_field_of_view_does_not_change_the_doubt_of_a_case():
    liver = np.full((4, 4, 4), 0.9)
    wide = np.pad(liver, 20)
    assert mean_entropy(wide) == pytest.approx(mean_entropy(liver))
    assert mean_entropy(wide, "image") < 0.01 * mean_entropy(liver, "image")


def test_band_sees_only_what_is_uncertain():
    p = np.ones((2, 10, 10))
    p[0, 0, 0] = 0.5
    assert mean_entropy(p, "band") == 1.0
    assert mean_entropy(p) == pytest.approx(1 / 200)


def test_doubtful_share_counts_the_possible_liver():
    p = np.zeros((1, 1, 100))
    p[..., :50], p[..., :7] = 1.0, 0.5
    assert doubtful_share(p) == pytest.approx(7 / 50)
    assert doubtful_share(np.zeros((1, 1, 5))) == 0.0


def test_the_score_says_how_much_is_in_doubt(case):
    p = np.zeros((1, 1, 100))
    p[..., :50], p[..., :7] = 1.0, 0.5
    score = EntropyScore()(Evidence(case, None, volume(p)))
    assert score.ok and score.value == pytest.approx(1 - 7 / 50)
    assert score.reason == "in doubt in 14 % of the volume"
    assert not EntropyScore(most_bits=0.1)(Evidence(case, None, volume(p))).ok


def test_nothing_likely_is_a_failure(case):
    score = EntropyScore()(Evidence(case, None, volume(np.full((2, 2, 2), 0.4))))
    assert (score.value, score.ok) == (0.0, False)


def test_without_a_probability_there_is_no_entropy(case):
    assert EntropyScore()(Evidence(case, volume(np.ones((1, 1, 1))))) is None


def test_slices_are_ranked_by_how_much_is_in_doubt():
    p = np.zeros((20, 8, 8))
    p[4, :2], p[5, :1], p[12, :4], p[18, 0, 0] = 0.5, 0.5, 0.5, 0.5
    assert slice_entropy(p)[[4, 5, 12, 18]].tolist() == [16, 8, 32, 1]
    assert doubtful_slices(p, count=3, apart=3) == (12, 4, 18)
    assert doubtful_slices(p, count=3, apart=1) == (12, 4, 5)


def test_certain_slices_are_never_named():
    assert doubtful_slices(np.ones((5, 2, 2))) == ()


def test_parts_of_a_mask(case):
    mask = np.zeros((10, 10, 10))
    mask[:5], mask[8, 0, :5] = 1, 1
    score = LargestComponentScore()(Evidence(case, volume(mask)))
    assert score.ok and score.value == pytest.approx(500 / 505)
    assert score.reason == "2 parts, 5 mL outside the largest"
    assert not LargestComponentScore(least_share=0.995)(Evidence(case, volume(mask))).ok
