"""METHODS 6.4: the kidney gate's truth table, opposed phase, and the liver-only gate."""

import itertools
from pathlib import Path

import pytest

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.score.evidence import Evidence
from LiverSegSSLLib.score.gate import GateScore, OrganGateScore

DICE = (0.79, 0.82, 0.86)

CONTRAST_ACCEPTS = {(0.79, 0.86), (0.82, 0.86), (0.86, 0.79), (0.86, 0.82), (0.86, 0.86)}
OTHER_ACCEPTS = {(0.82, 0.86), (0.86, 0.82), (0.86, 0.86)}


def kidneys(right: float, left: float) -> dict[str, float]:
    return {"right_kidney_dice": right, "left_kidney_dice": left}


@pytest.mark.parametrize("phase", [Phase.GED1, Phase.GED2, Phase.GED3])
@pytest.mark.parametrize("dice", list(itertools.product(DICE, DICE)))
def test_contrast_phases_are_rejected_only_if_both_kidneys_are_off(phase, dice):
    assert OrganGateScore().judge(phase, kidneys(*dice)).ok is (dice in CONTRAST_ACCEPTS)


@pytest.mark.parametrize("phase", [Phase.T2, Phase.DWI, Phase.IP])
@pytest.mark.parametrize("dice", list(itertools.product(DICE, DICE)))
def test_the_other_phases_are_rejected_if_any_kidney_is_far_off(phase, dice):
    assert OrganGateScore().judge(phase, kidneys(*dice)).ok is (dice in OTHER_ACCEPTS)


def test_exactly_the_limits_pass():
    assert OrganGateScore().judge(Phase.T2, kidneys(0.80, 0.85)).ok
    assert not OrganGateScore().judge(Phase.T2, kidneys(0.80, 0.8499)).ok


@pytest.mark.parametrize("dice", list(itertools.product(DICE, DICE)))
def test_opposed_phase_follows_in_phase(dice):
    scores = OrganGateScore().judge_study({Phase.IP: kidneys(*dice), Phase.OP: {}, Phase.GED2: kidneys(0.9, 0.9)})
    assert scores[Phase.OP] == scores[Phase.IP]


def test_a_study_without_any_match_loses_its_t1_if_asked():
    bad = {Phase.T1: kidneys(1, 1), Phase.T2: kidneys(0.1, 0.1), Phase.GED3: kidneys(0.2, 0.8)}
    assert not OrganGateScore().judge_study(bad)[Phase.T1].ok
    assert OrganGateScore().judge_study(bad, all_or_nothing=False)[Phase.T1].ok
    good = {**bad, Phase.GED3: kidneys(0.9, 0.1)}
    assert OrganGateScore().judge_study(good)[Phase.T1].ok


def evidence(**measurements: float) -> Evidence:
    return Evidence(Case("P1", Phase.T2, Path("t2.nii.gz")), None, measurements=measurements)


def test_what_was_not_measured_is_not_judged():
    assert GateScore()(evidence()) is None
    assert OrganGateScore()(evidence(right_kidney_dice=0.9)) is None


@pytest.mark.parametrize(
    ("measured", "passes"),
    [
        ({"inverse_consistency_mm": 2.9}, True),
        ({"inverse_consistency_mm": 3.0}, False),
        ({"inverse_consistency_mm": float("nan")}, False),
        ({"boundary_alignment": 1.4}, True),
        ({"boundary_alignment": 1.0}, False),
        ({"agreement": 0.7}, True),
        ({"agreement": 0.69}, False),
        ({"mi_gain": 0.0}, True),
        ({"mi_gain": -0.2}, False),
        ({"inverse_consistency_mm": 1.0, "agreement": 0.1}, False),
        ({"unknown": 1.0, "mi_gain": 0.3}, True),
    ],
)
def test_every_measured_test_must_pass(measured, passes):
    score = GateScore()(evidence(**measured))
    assert score.ok is passes
    assert 0 <= score.value <= 1


def test_the_reason_names_only_what_is_wrong():
    score = GateScore()(evidence(inverse_consistency_mm=1.2, agreement=0.31))
    assert score.reason == "disagrees with a second opinion (Dice 0.31)"


def test_a_better_registration_has_a_better_value():
    values = [GateScore()(evidence(inverse_consistency_mm=error)).value for error in (0.0, 1.0, 3.0, 10.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0


def test_images_that_matched_from_the_start_are_not_ranked_behind_those_that_did_not():
    already, moved = (GateScore()(evidence(boundary_alignment=1.4, mi_gain=gain)) for gain in (0.01, 0.4))
    assert already.value == moved.value
