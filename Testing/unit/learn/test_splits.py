"""Folds: the model that judges a pseudo label has never seen it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.splits import held_out_fold, make_folds

PHASES = ("GED4", "T1", "T2", "DWI")


def case(study: int, phase: str, role: str, vendor: str = "A", group: str = "") -> TrainingCase:
    return TrainingCase(f"p{study:03d}__{phase}", Path("i.nii"), Path("l.nii"), role, group, vendor)  # type: ignore[arg-type]


@st.composite
def cohorts(draw: st.DrawFn) -> list[TrainingCase]:
    cases = []
    for study in range(draw(st.integers(1, 12))):
        vendor = draw(st.sampled_from("ABC"))
        group = draw(st.sampled_from(["", "twice"]))
        phases = draw(st.lists(st.sampled_from(PHASES), unique=True, min_size=1))
        labelled = draw(st.booleans())
        for phase in phases:
            cases.append(case(study, phase, "expert" if labelled and phase == "GED4" else "pseudo", vendor, group))
    return cases


def units_of(cases: list[TrainingCase], ids: set[str]) -> set[str]:
    return {c.unit for c in cases if c.case_id in ids}


@given(cohorts(), st.integers(1, 6), st.integers(0, 9))
def test_the_out_of_fold_rule_holds_for_every_cohort(cases: list[TrainingCase], k: int, seed: int) -> None:
    expert = {c.case_id for c in cases if c.role == "expert"}
    pseudo = {c.case_id for c in cases if c.role == "pseudo"}
    dealt = [c for c in cases if c.role == "pseudo"] or cases
    try:
        folds = make_folds(cases, k, seed)
    except BadInputError:
        assert min(k, len({c.unit for c in dealt})) == 1  # nothing left to train on
        assert not (pseudo and expert)
        return
    assert len(folds) == min(k, len({c.unit for c in dealt}))
    for fold in folds:
        assert fold.val and not set(fold.train) & set(fold.val)
        assert set(fold.train) | set(fold.val) == {c.case_id for c in cases}
        if pseudo:
            assert expert <= set(fold.train)
            # No phase of a patient judges while another one of the patient's pseudo labels taught.
            assert not units_of(dealt, set(fold.train)) & units_of(dealt, set(fold.val))
    held_out = [case_id for fold in folds for case_id in fold.val]
    assert sorted(held_out) == sorted(c.case_id for c in dealt)


@given(cohorts(), st.randoms())
def test_order_does_not_matter(cases: list[TrainingCase], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = list(cases)
    random.shuffle(shuffled)
    try:
        folds = make_folds(cases, 3)
    except BadInputError:
        return
    assert make_folds(shuffled, 3) == folds


def test_vendors_are_spread_evenly() -> None:
    cases = [case(i, "GED4", "pseudo", "AB"[i % 2]) for i in range(20)] + [case(99, "GED4", "expert")]
    for fold in make_folds(cases, 5, seed=3):
        vendors = [c.stratum for c in cases if c.case_id in fold.val]
        assert sorted(vendors) == ["A", "A", "B", "B"]


def test_another_seed_gives_another_split() -> None:
    cases = [case(i, "GED4", "pseudo") for i in range(20)] + [case(99, "GED4", "expert")]
    assert make_folds(cases, 5, 0) == make_folds(cases, 5, 0) != make_folds(cases, 5, 1)


def test_without_pseudo_labels_the_experts_are_cross_validated() -> None:
    cases = [case(i, "GED4", "expert") for i in range(4)]
    folds = make_folds(cases, 2)
    assert [len(fold.train) for fold in folds] == [2, 2]
    assert set(held_out_fold(folds)) == {c.case_id for c in cases}


def test_a_single_pseudo_study_leaves_nothing_to_train_on() -> None:
    with pytest.raises(BadInputError, match="nothing to train on"):
        make_folds([case(1, "GED4", "pseudo"), case(1, "T1", "pseudo")], 5)
