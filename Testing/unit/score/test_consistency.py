"""What came back from the supports judges a few-shot proposal."""

import pytest

from LiverSegSSLLib.score.consistency import ConsistencyScore
from LiverSegSSLLib.score.evidence import Evidence
from LiverSegSSLLib.score.registry import make_scores


@pytest.mark.parametrize(("returned", "ok"), [(0.95, True), (0.7, True), (0.6999, False), (0.0, False)])
def test_the_dice_that_came_back_is_the_value(case, returned, ok):
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
