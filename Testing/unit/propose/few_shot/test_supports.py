"""Which support comes first."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.propose.few_shot.supports import Looks, choose_supports, looks_of, unlikeness
from LiverSegSSLLib.types import Support
from LiverSegSSLLib.volume import Volume, orient
from Testing.unit.align.scenes import abdomen


def support(study: str, vendor: str = "A", phase: Phase = Phase.GED4, expert: bool = True) -> Support:
    return Support(
        Case(study, phase, Path(f"{study}-{phase}.nii.gz"), vendor), Path("mask.nii.gz"), study, expert=expert
    )


def looks_by_name(case: Case) -> Looks:
    """Patients named by a number look as different as their numbers are."""
    return Looks(np.full(49, int(case.study) / 100.0), 500.0)


def studies(chosen: list[Support]) -> list[str]:
    return [support.case.study for support in chosen]


def chosen(target: Case, available: list[Support], most: int = 10, fewest: int = 3) -> list[str]:
    return studies(choose_supports(target, available, most, fewest, looks_by_name))


def test_the_vendor_decides_before_the_looks():
    target = support("50").case
    available = [support("51", "B"), support("10"), support("90"), support("60")]
    assert chosen(target, available) == ["60", "10", "90"]


def test_too_few_of_the_vendor_are_filled_up():
    target = support("50").case
    available = [support("20", "B"), support("49", "B"), support("10")]
    assert chosen(target, available) == ["10", "49", "20"]
    assert chosen(target, available, fewest=2) == ["10", "49"]
    assert chosen(target, available, fewest=1) == ["10"]
    assert chosen(target, available, most=1) == ["10"]


def test_an_unknown_vendor_gets_the_nearest_looks():
    available = [support("10", "A"), support("55", "B"), support("70", "A")]
    for vendor in ("C", ""):
        assert chosen(support("50", vendor).case, available, most=2) == ["55", "70"]


def test_the_same_study_comes_first_and_never_the_case_itself():
    target = support("50", phase=Phase.T2).case
    available = [support("51", phase=Phase.T2), support("50"), support("50", phase=Phase.T2), support("49")]
    assert chosen(target, available) == ["50", "51", "49"]


def test_experts_come_before_pseudo_labels():
    available = [support("51", expert=False), support("90")]
    assert chosen(support("50").case, available) == ["90", "51"]


def test_nothing_to_choose_from():
    target = support("50")
    assert chosen(target.case, []) == []
    assert chosen(target.case, [target]) == []


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 99), max_size=12), st.integers(1, 10), st.randoms(use_true_random=False))
def test_the_order_in_which_supports_are_known_does_not_matter(numbers, most, random):
    available = [support(str(number), "ABC"[number % 3]) for number in sorted(numbers)]
    shuffled = available[:]
    random.shuffle(shuffled)
    target = support("200", "A").case
    found = chosen(target, available, most)
    assert found == chosen(target, shuffled, most)
    assert len(found) == len(set(found)) <= most


def test_looks_see_contrast_and_size_but_neither_orientation_nor_gain():
    image = abdomen()
    same = looks_of(image)
    assert unlikeness(same, looks_of(orient(image, "RAI"))) == pytest.approx(0, abs=1e-6)
    assert unlikeness(same, looks_of(image.with_array(image.array * 3.0))) == pytest.approx(0, abs=0.02)
    inverted = image.with_array(np.where(image.array > 5, 230 - image.array, 0))
    assert unlikeness(same, looks_of(inverted)) > 1
    grid = image.geometry
    wider = type(grid)(grid.size, (grid.spacing[0] * 1.3, grid.spacing[1] * 1.3, grid.spacing[2]))
    assert unlikeness(same, looks_of(Volume(image.array, wider))) > 1


def test_an_image_of_air_has_looks():
    image = abdomen()
    assert np.isfinite(unlikeness(looks_of(image), looks_of(image.with_array(np.zeros_like(image.array)))))
