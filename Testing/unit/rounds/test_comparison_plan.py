"""Who is trained on and who is tested: nobody is both, and nobody's order of arrival matters."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.study import Case, Cohort, Phase, Study
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.rounds.comparison_plan import ComparisonPlan, plan_comparison

GED4 = (Phase.GED4,)


def cohort_of(kinds: str, phases: tuple[Phase, ...] = GED4, patients: dict[int, str] | None = None) -> Cohort:
    """A study a letter: ``L`` labelled, ``u`` with images alone."""
    studies = []
    for number, kind in enumerate(kinds):
        key = f"S{number:02d}"
        mask = Path(f"{key}-mask.nii.gz") if kind == "L" else None
        cases = {phase: Case(key, phase, Path(f"{key}-{phase}.nii.gz"), expert=mask) for phase in phases}
        studies.append(Study(key, patient=(patients or {}).get(number, key), cases=MappingProxyType(cases)))
    return Cohort(Path("data"), "folder", tuple(studies))


def ids(cohort: Cohort) -> set[str]:
    return {case.id for case in cohort.cases()}


def plan(cohort: Cohort, truths: set[str] | None = None, **options) -> ComparisonPlan:
    known = {case.id for case in cohort.cases() if case.expert is not None} if truths is None else truths
    return plan_comparison(cohort, **{"phases": GED4, "with_truth": known, "labelled": (1,), "seeds": 1, **options})


@st.composite
def situations(draw):
    """A cohort, who has a truth, and a request that may or may not be possible."""
    kinds = draw(st.text("Lu", min_size=1, max_size=14))
    owners = {number: f"P{draw(st.integers(0, 11))}" for number in range(len(kinds))}
    cohort = cohort_of(kinds, draw(st.sampled_from([GED4, (Phase.GED4, Phase.T2)])), owners)
    truths = {case.id for case in cohort.cases() if case.expert is not None or draw(st.booleans())}
    labelled = sorted(draw(st.sets(st.integers(1, 6), min_size=1, max_size=3)))
    request = {
        "phases": draw(st.sampled_from([GED4, (Phase.GED4, Phase.T2)])),
        "labelled": tuple(labelled),
        "seeds": draw(st.integers(1, 3)),
        "test": draw(st.none() | st.integers(1, 4)),
    }
    return cohort, truths, request


@settings(deadline=None)
@given(situations())
def test_nobody_is_trained_on_and_tested_and_smaller_sets_lie_within_larger(situation):
    cohort, truths, request = situation
    try:
        made = plan(cohort, truths, **request)
    except BadInputError as error:
        assert error.remedy
        return
    images = {case.id for case in cohort.cases(frozenset(request["phases"]))}
    patient = {case.id: study.patient for study in cohort.studies for case in study.cases.values()}
    tested = {patient[case_id] for case_id in made.test}
    assert made.test and set(made.test) <= truths & images
    if request["test"] is not None:
        assert len({case_id.split("__")[0] for case_id in made.test}) == request["test"]
    for cell in made.cells:
        train, unlabelled = set(cell.train), set(cell.unlabelled)
        assert not train & unlabelled
        assert not tested & {patient[case_id] for case_id in train | unlabelled}
        assert all(cohort.case(case_id).expert is not None for case_id in train)
        assert len({case_id.split("__")[0] for case_id in train}) == cell.labelled
        # Every image has one use, but those of tested patients that have no truth.
        rest = images - train - unlabelled - set(made.test) - set(made.left_out)
        assert {patient[case_id] for case_id in rest} <= tested
    assert [cell.number for cell in made.cells] == list(range(len(request["labelled"]) * request["seeds"]))
    for small in made.cells:
        for large in made.cells:
            if small.seed == large.seed and small.labelled <= large.labelled:
                assert set(small.train) <= set(large.train)


@settings(deadline=None)
@given(situations(), st.randoms())
def test_the_order_of_studies_does_not_matter(situation, random):
    cohort, truths, request = situation
    studies = list(cohort.studies)
    random.shuffle(studies)

    def sets(one: Cohort):
        try:
            made = plan(one, truths, **request)
        except BadInputError as error:
            return str(error)
        return set(made.test), set(made.pool), made.cells, set(made.left_out)

    assert sets(cohort) == sets(replace(cohort, studies=tuple(studies)))


def test_other_seeds_choose_other_studies_and_the_same_are_tested():
    cohort = cohort_of("L" * 12 + "u")
    one, three = plan(cohort, labelled=(2, 4), seeds=1), plan(cohort, labelled=(2, 4), seeds=3)
    assert one.test == three.test
    chosen = {cell.seed: cell.train for cell in three.cells if cell.labelled == 4}
    assert len(set(chosen.values())) == 3
    assert one.cells[0].train == three.cells[0].train


def test_studies_without_a_mask_are_tested_first_so_that_masks_are_left_to_learn_from():
    cohort = cohort_of("LLLLuuuu")
    made = plan(cohort, ids(cohort), labelled=(4,), test=3)
    assert len(made.pool) == 4 and len(made.test) == 3
    assert not {case_id.split("__")[0] for case_id in made.test} & set(made.pool)
    # Two more than there are without a mask are taken from the masked.
    assert len(plan(cohort, ids(cohort), labelled=(1,), test=6).pool) == 2


@pytest.mark.parametrize(("kinds", "tested"), [("Lu", 1), ("LLu", 1), ("LLLLLLLu", 2), ("L" * 30 + "u" * 300, 10)])
def test_a_third_of_those_with_a_truth_is_tested_unless_said_otherwise(kinds, tested):
    cohort = cohort_of(kinds)
    if kinds == "Lu":  # the only mask is tested with: none is left
        with pytest.raises(BadInputError, match="1 labelled studies are asked for, 0 are left"):
            plan(cohort)
        return
    assert len(plan(cohort).test) == tested


def test_hidden_masks_count_as_unlabelled_images():
    cohort = cohort_of("LLLLL")
    (cell,) = plan(cohort, labelled=(2,)).cells
    assert len(cell.train) == 2 and len(cell.unlabelled) == 2


def test_other_studies_of_a_tested_patient_are_not_used():
    cohort = cohort_of("LLLu", patients={2: "same", 3: "same"})
    made = plan(cohort, ids(cohort), test=1)
    assert made.test == ("S03__GED4",) and made.left_out == ("S02__GED4",)
    assert made.pool == ("S00", "S01")


@pytest.mark.parametrize(
    ("kinds", "options", "says"),
    [
        ("uuu", {}, "no true mask to test against"),
        ("LLLu", {"labelled": (2, 4)}, "4 labelled studies are asked for, 2 are left beside 1 for the test"),
        ("LLu", {"test": 3}, "3 test studies are asked for, 2 have a true mask"),
        ("LLL", {"labelled": (2,)}, "no unlabelled image is left beside 2 labelled studies"),
        ("LLL", {"phases": (Phase.T2,)}, "has no image of T2"),
    ],
)
def test_what_is_too_little_is_said_with_what_to_do(kinds, options, says):
    with pytest.raises(BadInputError, match=says) as raised:
        plan(cohort_of(kinds), **options)
    assert raised.value.remedy and "\n" not in str(raised.value)


def test_supervised_training_alone_needs_no_unlabelled_image():
    assert plan(cohort_of("LLL"), labelled=(2,), need_unlabelled=False).cells[0].unlabelled == ()
