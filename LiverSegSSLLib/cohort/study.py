"""Phase, Case, Study and Cohort: what there is to segment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from LiverSegSSLLib.errors import one_line


class Phase(StrEnum):
    """An MRI phase or sequence of a liver study (or CT); how files may spell it stands in ``Resources/phases.yaml``."""

    GED1 = "GED1"
    GED2 = "GED2"
    GED3 = "GED3"
    GED4 = "GED4"
    T1 = "T1"
    T2 = "T2"
    DWI = "DWI"
    IP = "IP"
    OP = "OP"
    CT = "CT"


SEPARATOR = "__"
"""Between study key and phase in a case id."""


@dataclass(frozen=True)
class Case:
    """One image to segment: one phase of one study. Identity is :attr:`id`.

    ``expert`` is the mask that came with the data, on the image's grid; ``organs`` maps organ names to the
    values in it (empty: every value above 0 is liver).
    """

    study: str
    phase: Phase
    image: Path
    vendor: str = ""
    expert: Path | None = None
    organs: tuple[tuple[str, int], ...] = ()
    b_value: int | None = None

    @property
    def id(self) -> str:
        """``<study>__<phase>``: unique in the cohort, reversible, the nnU-Net identifier."""
        return f"{self.study}{SEPARATOR}{self.phase.value}"

    @property
    def liver_value(self) -> int | None:
        """The value of the liver in the expert mask; ``None``: every value above 0."""
        return dict(self.organs).get("liver")


def split_case_id(case_id: str) -> tuple[str, Phase]:
    """Study key and phase of a case id.

    :raises ValueError: it is not a case id.
    """
    study, separator, phase = case_id.rpartition(SEPARATOR)
    if not separator or not study:
        raise ValueError(f"{case_id!r} is not <study>{SEPARATOR}<phase>")
    return study, Phase(phase)


@dataclass(frozen=True)
class Study:
    """One examination of one patient: its cases by phase. ``patient`` groups the studies of one person."""

    key: str
    vendor: str = ""
    patient: str = ""
    cases: Mapping[Phase, Case] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Problem:
    """Something wrong with the data, found while indexing; the rest of the cohort goes on."""

    where: str
    what: str
    remedy: str = ""
    fatal: bool = False
    """The case or study is left out."""

    def __str__(self) -> str:
        return one_line(f"{self.where}: {self.what}" + (f" – {self.remedy}" if self.remedy else ""))


@dataclass(frozen=True)
class Cohort:
    """All studies under one folder, sorted by key."""

    root: Path
    layout: str
    studies: tuple[Study, ...]
    problems: tuple[Problem, ...] = ()

    def cases(self, phases: set[Phase] | frozenset[Phase] | None = None) -> Iterator[Case]:
        """Every case, study by study, in the order of :class:`Phase`; only ``phases`` if given."""
        for study in self.studies:
            for phase in Phase:
                if phase in study.cases and (phases is None or phase in phases):
                    yield study.cases[phase]

    def case(self, case_id: str) -> Case:
        """The case with this id.

        :raises KeyError: there is none.
        """
        study_key, phase = split_case_id(case_id)
        for study in self.studies:
            if study.key == study_key and phase in study.cases:
                return study.cases[phase]
        raise KeyError(case_id)

    def study_of(self, case: Case) -> Study:
        """The study that a case belongs to."""
        return next(study for study in self.studies if study.key == case.study)

    def without(self, case_ids: Collection[str]) -> Cohort:
        """The cohort without some cases, and without the studies that lose all of theirs."""
        if not case_ids:
            return self
        studies = []
        for study in self.studies:
            cases = {phase: case for phase, case in study.cases.items() if case.id not in case_ids}
            if cases:
                studies.append(replace(study, cases=MappingProxyType(cases)))
        return replace(self, studies=tuple(studies))
