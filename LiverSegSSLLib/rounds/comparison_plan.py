"""Who is trained on and who is tested in a comparison of methods: decided once, the same for every method. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from LiverSegSSLLib.cohort.study import Case, Cohort, Phase, Study
from LiverSegSSLLib.errors import BadInputError


@dataclass(frozen=True)
class Cell:
    """What one training of each method is given.

    :param number: the number of its fold; first weights and random numbers follow from it.
    :param labelled: number of labelled studies.
    :param seed: which of the random choices of labelled studies.
    :param train: case ids whose masks are learnt from, sorted.
    :param unlabelled: case ids of which only the image is used, sorted; masks they may have are hidden.
    """

    number: int
    labelled: int
    seed: int
    train: tuple[str, ...]
    unlabelled: tuple[str, ...]

    @property
    def name(self) -> str:
        """For files: ``4-1``."""
        return f"{self.labelled}-{self.seed}"

    def __str__(self) -> str:
        return f"{self.labelled} labelled, seed {self.seed}"


@dataclass(frozen=True)
class ComparisonPlan:
    """The cells of a comparison and what they are judged by.

    ``test``: case ids, in no training, not even as unlabelled images. ``pool``: keys of the studies whose masks may be
    learnt from. ``left_out``: case ids of other studies of the patients that are tested; used for nothing.
    """

    phases: tuple[Phase, ...]
    test: tuple[str, ...]
    pool: tuple[str, ...]
    cells: tuple[Cell, ...]
    left_out: tuple[str, ...] = ()


def plan_comparison(
    cohort: Cohort,
    phases: Sequence[Phase],
    with_truth: Collection[str],
    labelled: Sequence[int],
    seeds: int,
    test: int | None = None,
    need_unlabelled: bool = True,
) -> ComparisonPlan:
    """Draw test studies, then labelled ones: for each seed a random order of the pool, of which each cell takes the
    first ones, so that the smaller sets lie within the larger.

    :param phases: the phases that are trained on and tested.
    :param with_truth: ids of the cases that could be tested.
    :param labelled: numbers of labelled studies.
    :param seeds: how many random choices of each number.
    :param test: number of test studies; ``None``: a third of those with a truth, at least one. Those that have no mask
        of their own come first: the labelled ones are wanted for training.
    :param need_unlabelled: some method learns from unlabelled images too.
    :raises BadInputError: there are too few studies for that; says of which.
    """
    chosen = set(phases)
    studies = [study for study in cohort.studies if chosen & set(study.cases)]
    if not studies:
        raise BadInputError(f"has no image of {_listed(phases)}", cohort.root, "choose another --phase")
    tested = _test_studies(cohort, studies, chosen, with_truth, test)
    patients = {study.patient or study.key for study in tested}
    rest = [study for study in studies if (study.patient or study.key) not in patients]
    pool = [study for study in rest if _given(study, chosen)]
    _require_enough(cohort, pool, labelled, len(tested))
    images = [case for study in rest for case in _cases(study, chosen)]
    cells = list[Cell]()
    for count in labelled:
        for seed in range(seeds):
            train = {case.id for study in _shuffled(pool, f"seed {seed}")[:count] for case in _given(study, chosen)}
            unlabelled = tuple(sorted(case.id for case in images if case.id not in train))
            if need_unlabelled and not unlabelled:
                what = f"no unlabelled image is left beside {count} labelled studies"
                raise BadInputError(what, cohort.root, "add images, or lower --labelled or --test")
            cells.append(Cell(len(cells), count, seed, tuple(sorted(train)), unlabelled))
    keys = {study.key for study in (*tested, *rest)}
    return ComparisonPlan(
        phases=tuple(phase for phase in Phase if phase in chosen),
        test=tuple(case.id for study in tested for case in _cases(study, chosen) if case.id in with_truth),
        pool=tuple(study.key for study in pool),
        cells=tuple(cells),
        left_out=tuple(case.id for study in studies if study.key not in keys for case in _cases(study, chosen)),
    )


def _test_studies(
    cohort: Cohort, studies: Sequence[Study], phases: set[Phase], with_truth: Collection[str], wanted: int | None
) -> list[Study]:
    """In the cohort's order."""
    candidates = [study for study in studies if any(case.id in with_truth for case in _cases(study, phases))]
    if not candidates:
        remedy = "give --truth FOLDER with files <study>__<phase>.nii.gz, or choose a --phase that has masks"
        raise BadInputError("has no true mask to test against", cohort.root, remedy)
    count = max(1, len(candidates) // 3) if wanted is None else wanted
    if count > len(candidates):
        what = f"{count} test studies are asked for, {len(candidates)} have a true mask"
        raise BadInputError(what, cohort.root, f"use --test {len(candidates)} or fewer, or give more with --truth")
    unmasked = [study for study in candidates if not _given(study, phases)]
    masked = [study for study in candidates if _given(study, phases)]
    drawn = {study.key for study in (_shuffled(unmasked, "test") + _shuffled(masked, "test"))[:count]}
    return [study for study in candidates if study.key in drawn]


def _require_enough(cohort: Cohort, pool: Sequence[Study], labelled: Sequence[int], tested: int) -> None:
    most = max(labelled)
    if most > len(pool):
        what = f"{most} labelled studies are asked for, {len(pool)} are left beside {tested} for the test"
        remedy = f"use --labelled with {len(pool)} or fewer" if pool else "add masks"
        raise BadInputError(what, cohort.root, f"{remedy}, lower --test, or give true masks of others with --truth")


def _cases(study: Study, phases: set[Phase]) -> list[Case]:
    return [study.cases[phase] for phase in Phase if phase in phases and phase in study.cases]


def _given(study: Study, phases: set[Phase]) -> list[Case]:
    """The cases of a study that came with a mask."""
    return [case for case in _cases(study, phases) if case.expert is not None]


def _shuffled(studies: Iterable[Study], salt: str) -> list[Study]:
    """A random order that depends on salt and keys alone: one study more does not change that of the others."""
    return sorted(studies, key=lambda study: hashlib.sha256(f"{salt} {study.key}".encode()).hexdigest())


def _listed(phases: Iterable[Phase]) -> str:
    return ", ".join(phase.value for phase in phases)
