"""The queue as a table: what to look at, in order of need, and what comes next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from LiverSegSSLLib.cohort.study import split_case_id

if TYPE_CHECKING:
    from LiverSegSSLLib.score.review_order import ReviewItem
    from LiverSegSSLPanel.logic_review import QueueState


class QueueTable:
    """The cases that are left, filtered by phase. Those that were skipped stand last.

    :param ui: has ``queueTable``, ``phaseBox`` and ``leftLabel``.
    :param chosen: is told the case that the person wants to see.
    """

    def __init__(self, ui: Any, chosen: Callable[[str], None]) -> None:
        self._table, self._box, self._line = ui.queueTable, ui.phaseBox, ui.leftLabel
        self._chosen = chosen
        self._items: list[ReviewItem] = []
        self._skipped: list[str] = []
        self._done_today = 0
        self._current = ""
        self._table.connect("cellClicked(int,int)", self._clicked)
        self._table.connect("cellActivated(int,int)", self._clicked)
        self._box.connect("currentIndexChanged(int)", self._filter)
        self.clear()

    def clear(self) -> None:
        """There is no queue."""
        self._items, self._skipped, self._done_today = [], [], 0
        self._show_phases()
        self._fill()
        self._line.text = ""

    def show(self, state: QueueState) -> None:
        """Show the queue as it is now."""
        self._items = list(state.items)
        self._done_today = state.done_today
        self._show_phases()
        self._fill()

    def item(self, case_id: str) -> ReviewItem | None:
        """The line of a case; ``None``: it is not in the queue."""
        return next((item for item in self._items if item.case_id == case_id), None)

    def after(self, case_id: str) -> str:
        """The case to look at after this one: the one below it, else the first; empty: no other is left."""
        shown = [item.case_id for item in self._shown()]
        place = shown.index(case_id) + 1 if case_id in shown else 0
        return next((one for one in (*shown[place:], *shown[:place]) if one != case_id), "")

    def judged(self, case_id: str) -> None:
        """A case needs nobody any more; the ledger will say the same."""
        if self.item(case_id) is not None:
            self._items = [item for item in self._items if item.case_id != case_id]
            self._done_today += 1
            self._fill()

    def skip(self, case_id: str) -> None:
        """Put a case last."""
        self._skipped = [*(one for one in self._skipped if one != case_id), case_id]
        self._fill()

    def mark(self, case_id: str) -> None:
        """Mark the case that is looked at."""
        self._current = case_id
        shown = [item.case_id for item in self._shown()]
        if case_id in shown:
            self._table.selectRow(shown.index(case_id))
        else:
            self._table.clearSelection()

    def _shown(self) -> list[ReviewItem]:
        phase = self._box.currentData
        items = [item for item in self._items if not phase or split_case_id(item.case_id)[1].value == phase]
        order = {case_id: place for place, case_id in enumerate(self._skipped, 1)}
        return sorted(items, key=lambda item: order.get(item.case_id, 0))

    def _show_phases(self) -> None:
        kept = self._box.currentData
        phases = sorted({split_case_id(item.case_id)[1].value for item in self._items})
        self._box.blockSignals(True)
        self._box.clear()
        self._box.addItem(_("All phases"), "")
        for phase in phases:
            self._box.addItem(phase, phase)
        self._box.setCurrentIndex(max(0, self._box.findData(kept)))
        self._box.blockSignals(False)

    def _fill(self) -> None:
        items = self._shown()
        self._table.setRowCount(len(items))
        for row, item in enumerate(items):
            for column, text in enumerate((str(item.rank), split_case_id(item.case_id)[0], item.reason)):
                self._table.setItem(row, column, qt.QTableWidgetItem(text))
            self._table.item(row, 2).setToolTip(item.reason)
        self._table.resizeColumnToContents(0)
        self._table.resizeColumnToContents(1)
        self._line.text = self._words(len(items))
        self.mark(self._current)

    def _words(self, shown: int) -> str:
        if not self._items:
            left = _("Nothing is left to review.")
        elif shown == len(self._items):
            left = _("{count} left to review.").format(count=shown)
        else:
            left = _("{shown} of {count} left to review.").format(shown=shown, count=len(self._items))
        return _("{left} You have judged {done} today.").format(left=left, done=self._done_today)

    def _filter(self, index: int) -> None:
        self._fill()

    def _clicked(self, row: int, column: int) -> None:
        items = self._shown()
        if row < len(items):
            self._chosen(items[row].case_id)
