"""What a cohort consists of, in numbers: for ``liversegssl inspect``, the panel and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.facts import Facts, facts_reader
from LiverSegSSLLib.cohort.study import Case, Cohort, Phase, Study
from LiverSegSSLLib.errors import one_line
from LiverSegSSLLib.volume import Geometry

NO_VENDOR = "–"
"""Stands for studies whose vendor is not known."""


@dataclass(frozen=True)
class Range:
    """Smallest, median and largest."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class PhaseSummary:
    """One phase over all studies. ``missing``: studies without it. Spacing in mm, ``slices`` along the coarsest axis.

    ``in_plane_mm`` is the finer of the two in-plane spacings of each image, ``thickness_mm`` the spacing of slices.
    """

    phase: str
    cases: int
    labelled: int
    missing: int
    vendors: dict[str, int]
    in_plane_mm: Range | None
    thickness_mm: Range | None
    slices: Range | None


@dataclass(frozen=True)
class ProblemSummary:
    """A problem as plain data."""

    where: str
    what: str
    remedy: str
    fatal: bool


@dataclass(frozen=True)
class CohortSummary:
    """A cohort in numbers. ``vendors``: studies of each; ``b_values``: diffusion images of each (s/mm²).

    ``liver_ml``: volumes of the livers in the masks that came with the data.
    """

    root: str
    layout: str
    studies: int
    patients: int
    cases: int
    labelled: int
    vendors: dict[str, int]
    phases: tuple[PhaseSummary, ...]
    b_values: dict[str, int]
    liver_ml: Range | None
    problems: tuple[ProblemSummary, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)


def summarize(cohort: Cohort, *, cache: Path | None = None, threads: int = 8) -> CohortSummary:
    """Count and measure a cohort; with the cache that ``open_cohort`` filled, no file is read."""
    cases = list(cohort.cases())
    labelled = [case for case in cases if case.expert is not None]
    with facts_reader(cohort.root, cache) as reader:
        images = reader.facts((case.image for case in cases), threads=threads)
        masks = reader.facts((case.expert for case in labelled if case.expert), voxels=True, threads=threads)
    return CohortSummary(
        root=str(cohort.root),
        layout=cohort.layout,
        studies=len(cohort.studies),
        patients=len({study.patient or study.key for study in cohort.studies}),
        cases=len(cases),
        labelled=len(labelled),
        vendors=_counted(study.vendor for study in cohort.studies),
        phases=tuple(
            _phase_summary(phase, cohort.studies, images)
            for phase in Phase
            if any(phase in study.cases for study in cohort.studies)
        ),
        b_values=_counted(
            "unknown" if case.b_value is None else str(case.b_value) for case in cases if case.phase is Phase.DWI
        ),
        liver_ml=_range(_liver_ml(case, masks[case.expert]) for case in labelled if case.expert in masks),
        problems=tuple(
            ProblemSummary(one_line(problem.where), one_line(problem.what), problem.remedy, problem.fatal)
            for problem in cohort.problems
        ),
    )


def _phase_summary(phase: Phase, studies: tuple[Study, ...], images: dict[Path, Facts]) -> PhaseSummary:
    cases = [study.cases[phase] for study in studies if phase in study.cases]
    grids: list[Geometry] = [grid for case in cases if (grid := images[case.image].geometry) is not None]
    # The slice axis is the one with the coarsest spacing, whatever the order in the file; of equals the last.
    slices = [max(range(3), key=lambda axis: (round(grid.spacing[axis], 3), axis)) for grid in grids]
    return PhaseSummary(
        phase=phase.value,
        cases=len(cases),
        labelled=sum(case.expert is not None for case in cases),
        missing=len(studies) - len(cases),
        vendors=_counted(case.vendor for case in cases),
        in_plane_mm=_range(min(grid.spacing) for grid in grids),
        thickness_mm=_range(grid.spacing[axis] for grid, axis in zip(grids, slices, strict=True)),
        slices=_range(float(grid.size[axis]) for grid, axis in zip(grids, slices, strict=True)),
    )


def _liver_ml(case: Case, facts: Facts) -> float:
    counts = facts.counts or ()
    voxels = sum(count for value, count in counts if case.liver_value in (None, value))
    return voxels * (facts.geometry.voxel_ml if facts.geometry else 0.0)


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(name or NO_VENDOR for name in names).items()))


def _range(values: Iterable[float]) -> Range | None:
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    median = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return Range(ordered[0], median, ordered[-1])
