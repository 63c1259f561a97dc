"""The cohort as a table: a row for each study, a cell for each of its phases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Cohort
    from LiverSegSSLLib.labels.label import Label
    from LiverSegSSLLib.types import Decision

NONE, PROPOSED, REJECTED = "none", "proposed", "rejected"

ATTENTION = (PROPOSED, REJECTED, NONE, "accepted", "corrected", "expert")
"""States of a label, those first that ask most for a person. ``none``: there is no label."""


@dataclass(frozen=True)
class PhaseCell:
    """One phase of a study. ``doubt``: need of a review, 0 to 1; ``None``: not judged, or a person has looked."""

    case_id: str
    phase: str
    state: str
    doubt: float | None
    label_id: str


@dataclass(frozen=True)
class StudyRow:
    """One study: its phases in the order of the cohort."""

    study: str
    patient: str
    vendor: str
    phases: tuple[PhaseCell, ...]

    @property
    def state(self) -> str:
        """The state among its phases that asks most for a person."""
        return min((cell.state for cell in self.phases), key=ATTENTION.index)

    @property
    def doubt(self) -> float | None:
        """The largest doubt of its phases."""
        return max((cell.doubt for cell in self.phases if cell.doubt is not None), default=None)


def study_rows(cohort: Cohort, labels: Iterable[Label], decisions: Mapping[str, Decision]) -> list[StudyRow]:
    """A row for each study of a cohort.

    :param labels: all that the ledger has, in order of version.
    :param decisions: the newest decision by label id.
    """
    from LiverSegSSLLib.labels.queries import standing

    known = list(labels)
    current = standing(known)
    rejected = {label.case_id: label for label in known if label.case_id not in current}
    rows = []
    for study in cohort.studies:
        cells = []
        for phase, case in study.cases.items():
            label = current.get(case.id) or rejected.get(case.id)
            state = label.state.value if label is not None else "expert" if case.expert is not None else NONE
            decision = decisions.get(label.id) if label is not None and state == PROPOSED else None
            doubt = None if decision is None or math.isnan(decision.need) else decision.need
            cells.append(PhaseCell(case.id, phase.value, state, doubt, "" if label is None else label.id))
        rows.append(StudyRow(study.key, study.patient or study.key, study.vendor, tuple(cells)))
    return rows


def filtered(
    rows: Sequence[StudyRow], state: str = "", phase: str = "", vendor: str = "", text: str = ""
) -> list[StudyRow]:
    """The rows that fit all that is given; ``state`` and ``phase`` together mean one and the same phase.

    :param text: is looked for in study, patient and vendor, whatever the case of its letters.
    """
    wanted = text.casefold().split()
    return [
        row
        for row in rows
        if (not vendor or row.vendor == vendor)
        and any((not state or cell.state == state) and (not phase or cell.phase == phase) for cell in row.phases)
        and all(word in f"{row.study} {row.patient} {row.vendor}".casefold() for word in wanted)
    ]
