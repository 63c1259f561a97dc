"""What came back from the supports judges a few-shot proposal."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.score.consistency import ConsistencyScore
from LiverSegSSLLib.score.evidence import Evidence
from LiverSegSSLLib.score.registry import make_scores

CASE = Case("P1", Phase.T2, Path("P1/T2.nii.gz"), vendor="A")


def test_the_share_of_what_could_come_back_is_the_value(case):
    """In Sobel space a support may return no more than half of its own mask to itself."""
    for returned, ceiling, share, ok in ((0.42, 0.5, 0.84, True), (0.42, 0.9, 0.4667, False), (0.6, 0.5, 1.0, True)):
        measured = {"consistency": returned, "consistency_ceiling": ceiling}
        score = ConsistencyScore()(Evidence(case, None, measurements=measured))
        assert (score.value, score.ok) == (pytest.approx(share, abs=1e-3), ok)
        assert f"(Dice {returned:.2f}; they find themselves with {ceiling:.2f})" in score.reason


@given(st.floats(0, 1), st.floats(0.25, 1), st.floats(0.05, 1))
def test_a_verdict_does_not_change_when_all_comes_back_worse_alike(returned, ceiling, worse):
    def verdict(factor):
        measured = {"consistency": returned * factor, "consistency_ceiling": ceiling * factor}
        return ConsistencyScore()(Evidence(CASE, None, measurements=measured))

    assert verdict(1.0).value == pytest.approx(verdict(worse).value)
    if abs(returned / ceiling - ConsistencyScore.least_share) > 1e-9:
        assert verdict(1.0).ok == verdict(worse).ok


@pytest.mark.parametrize(("returned", "ok"), [(0.95, True), (0.7, True), (0.6999, False), (0.0, False)])
def test_without_a_ceiling_the_dice_that_came_back_is_the_value(case, returned, ok):
    """Labels of earlier versions."""
    score = ConsistencyScore()(Evidence(case, None, measurements={"consistency": returned}))
    assert (score.value, score.ok) == (returned, ok)
    assert f"Dice {returned:.2f}" in score.reason


def test_nan_is_a_failed_measurement(case):
    score = ConsistencyScore()(Evidence(case, None, measurements={"consistency": float("nan")}))
    assert (score.value, score.ok) == (0.0, False)


def test_it_does_not_judge_what_was_not_propagated(case):
    assert ConsistencyScore()(Evidence(case, None, measurements={"similarity": 0.9})) is None


def test_a_recipe_can_ask_for_it():
    (scorer,) = make_scores({"consistency": {"least_dice": 0.8}})
    assert scorer == ConsistencyScore(least_dice=0.8)
