"""Tables for people: what a cohort holds, and what to review first."""

from __future__ import annotations

from typing import Any

from LiverSegSSLLib.cohort.summary import CohortSummary, Range
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.reviewing import review_queue

Table = dict[str, Any]
"""``title``, ``columns`` and ``rows`` of text or numbers."""


def phase_table(summary: CohortSummary) -> Table:
    """Phases × vendors: cases, labels, missing, grids."""
    vendors = list(summary.vendors)
    columns = ["Phase", "Cases", "Labelled", "Missing", *vendors, "In-plane mm", "Slice mm", "Slices"]
    rows = [
        [
            phase.phase,
            phase.cases,
            phase.labelled,
            phase.missing,
            *(phase.vendors.get(vendor, 0) for vendor in vendors),
            _range(phase.in_plane_mm, 2),
            _range(phase.thickness_mm, 1),
            _range(phase.slices, 0),
        ]
        for phase in summary.phases
    ]
    return {"title": "", "columns": columns, "rows": rows}


def cohort_overview(summary: CohortSummary) -> dict[str, Any]:
    """A cohort as a verb's result."""
    vendors = ", ".join(f"{vendor} {count}" for vendor, count in summary.vendors.items())
    lines = [
        f"{summary.root}: {summary.layout} layout, {summary.studies} studies of {summary.patients} patients, "
        f"{summary.cases} cases, {summary.labelled} labelled",
        f"Vendors: {vendors}",
    ]
    if summary.liver_ml is not None:
        lines.append(f"Livers in the masks: {_range(summary.liver_ml, 0)} mL")
    problems = [
        f"{problem.where}: {problem.what}" + (f" – {problem.remedy}" if problem.remedy else "")
        for problem in summary.problems
    ]
    return {
        "tables": [phase_table(summary)],
        "lines": lines,
        "problems": problems,
        "summary": summary.as_dict(),
    }


def queue_table(store: LabelStore, limit: int) -> Table:
    """The head of the review queue; slices are counted from 1."""
    rows = [
        [item.rank, item.case_id, item.reason, " ".join(str(number + 1) for number in item.slices)]
        for item in review_queue(store, limit)
    ]
    return {"title": "Review first", "columns": ["", "Case", "Why", "Slices"], "rows": rows}


def _range(values: Range | None, digits: int) -> str:
    if values is None:
        return "–"
    low, high = f"{values.low:.{digits}f}", f"{values.high:.{digits}f}"
    return low if low == high else f"{low}–{high}"
