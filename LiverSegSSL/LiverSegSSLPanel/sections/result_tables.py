"""What has come of a cohort as tables: rows of text for a QTableWidget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from LiverSegSSLPanel.results import Evaluation, LabelCount

_STATES = ("expert", "corrected", "accepted", "proposed")


def label_columns() -> list[str]:
    """Titles of the columns of :func:`label_rows`."""
    states = [_("Expert"), _("Corrected"), _("Accepted"), _("Proposed"), _("None")]
    return [_("Phase"), _("Vendor"), _("Cases"), *states, _("Liver (mL)")]


def label_rows(counts: Sequence[LabelCount]) -> list[list[str]]:
    """Labels by state, a row for each phase and vendor."""
    rows = []
    for count in counts:
        states = [count.states.get(state, 0) for state in _STATES]
        numbers = [str(number or "–") for number in (*states, count.cases - sum(states))]
        rows.append([count.phase, count.vendor or "–", str(count.cases), *numbers, count.volume_ml.text(0)])
    return rows


def measure_columns() -> list[str]:
    """Titles of the columns of :func:`measure_rows`."""
    distances = [_("HD95 (mm)"), _("ASSD (mm)")]
    return [_("Phase"), _("Vendor"), _("Cases"), _("Empty"), _("Dice"), *distances, _("NSD")]


def measure_rows(evaluation: Evaluation, source: str) -> list[list[str]]:
    """Masks of one source against the truth, a row for each phase and vendor."""
    rows = []
    for summary in evaluation.summaries:
        if summary.group["source"] == source:
            of = summary.measures
            figures = [of["dice"].text(3), of["hd95_mm"].text(1), of["assd_mm"].text(1), of["nsd"].text(3)]
            head = [summary.group["phase"], summary.group["vendor"] or "–", str(summary.cases)]
            rows.append([*head, str(summary.empty or "–"), *figures])
    return rows


def fill(table: Any, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show rows of text; the table is as high as they are."""
    table.setColumnCount(len(columns))
    table.setHorizontalHeaderLabels(list(columns))
    table.setRowCount(len(rows))
    for row, texts in enumerate(rows):
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text)
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
            table.setItem(row, column, item)
    heights = sum(table.rowHeight(row) for row in range(len(rows)))
    bar = table.horizontalScrollBar().sizeHint.height()
    table.setFixedHeight(table.horizontalHeader().sizeHint.height() + heights + bar + 2 * table.frameWidth)
