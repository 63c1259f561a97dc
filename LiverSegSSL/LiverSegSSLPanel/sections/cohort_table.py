"""The studies of a cohort as a table: filled in pieces, sorted and filtered by Qt."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from LiverSegSSLPanel.cohort_rows import ATTENTION, StudyRow
from LiverSegSSLPanel.cohort_words import cell_tip, phase_name, study_tip, study_title
from LiverSegSSLPanel.propose_words import state_name
from LiverSegSSLPanel.sections.badges import HEIGHT, WIDTH, Badges
from LiverSegSSLPanel.timers import Timer

if TYPE_CHECKING:
    from LiverSegSSLPanel.cohort_rows import PhaseCell

STUDY, STATE, DOUBT, FIRST_PHASE = 0, 1, 2, 3
"""Columns; the phases follow, and the vendor is the last one."""

_PIECE_S = 0.02
"""The window is held for so long at a time while the table is filled."""

_SHOWN = "shown"

_MARGIN, _WIDEST = 12, 220
"""Of a column, in pixels."""

_MEASURED = 50
"""Names of studies that are measured for the width of their column."""


class CohortTable:
    """The table and what is chosen in it.

    :param view: a QTableView.
    :param opened: called with study and case id (empty: none in particular) when a person wants to see a study.
    :param chosen: called when another row is chosen.
    """

    def __init__(self, view: Any, opened: Callable[[str, str], None], chosen: Callable[[], None]) -> None:
        self.rows: list[StudyRow] = []
        self._view = view
        self._opened = opened
        self._chosen = chosen
        self._phases: list[str] = []
        self._wanted: set[str] = set()
        self._badges = Badges()
        self._waiting: deque[int] = deque()
        self._model = qt.QStandardItemModel(view)
        self._sorted = qt.QSortFilterProxyModel(view)
        self._sorted.setSourceModel(self._model)
        self._sorted.sortRole = qt.Qt.UserRole
        self._sorted.filterRole = qt.Qt.UserRole + 1
        self._sorted.setFilterFixedString(_SHOWN)
        view.setModel(self._sorted)
        view.iconSize = qt.QSize(WIDTH, HEIGHT)
        view.connect("doubleClicked(QModelIndex)", self._open)
        view.selectionModel().connect("currentChanged(QModelIndex,QModelIndex)", self._current_changed)
        enter = qt.QShortcut(qt.QKeySequence("Return"), view)
        enter.setContext(qt.Qt.WidgetShortcut)
        enter.connect("activated()", self.open_chosen)
        self._timer = Timer(self._fill)

    @property
    def filling(self) -> bool:
        """Whether rows are still on their way."""
        return bool(self._waiting)

    @property
    def shown(self) -> int:
        """How many rows pass the filter."""
        return int(self._sorted.rowCount())

    def show(self, rows: Sequence[StudyRow]) -> None:
        """Show rows; where the studies are the same as before, only what has changed is written anew."""
        before, self.rows = self.rows, list(rows)
        phases = sorted({cell.phase for row in rows for cell in row.phases}, key=_phase_order(rows))
        if [row.study for row in before] == [row.study for row in rows] and phases == self._phases:
            pairs = enumerate(zip(before, self.rows, strict=True))
            self._waiting += [number for number, (old, new) in pairs if old != new and number not in self._waiting]
        else:
            self._phases = phases
            self._clear()
            self._waiting = deque(range(len(self.rows)))
        self._timer.start()

    def filter(self, studies: Iterable[str]) -> None:
        """Show only the rows of these studies."""
        self._wanted = set(studies)
        self._sorted.dynamicSortFilter = False
        for number in range(self._model.rowCount()):
            self._model.item(number, STUDY).setData(_mark(self.rows[number].study in self._wanted), qt.Qt.UserRole + 1)
        self._sorted.dynamicSortFilter = True
        self._sorted.invalidate()

    def chosen(self) -> tuple[str, str]:
        """The study and the case that are chosen; empty: none."""
        return self._meant(self._view.currentIndex())

    def open_chosen(self) -> None:
        """Open the study that is chosen."""
        study, case_id = self.chosen()
        if study:
            self._opened(study, case_id)

    def cleanup(self) -> None:
        """Stop filling."""
        self._timer.cleanup()
        self._waiting.clear()

    def _open(self, index: Any) -> None:
        study, case_id = self._meant(index)
        if study:
            self._opened(study, case_id)

    def _current_changed(self) -> None:
        self._chosen()

    def _meant(self, index: Any) -> tuple[str, str]:
        if not index.isValid():
            return "", ""
        place = self._sorted.mapToSource(index)
        row = self.rows[place.row()]
        number = place.column() - FIRST_PHASE
        phase = self._phases[number] if 0 <= number < len(self._phases) else ""
        return row.study, next((cell.case_id for cell in row.phases if cell.phase == phase), "")

    # --- filling ------------------------------------------------------------------------------------------------

    def _clear(self) -> None:
        titles = [_("Study"), _("State"), _("Doubt"), *self._phases, _("Vendor")]
        tips = {
            STATE: _("The state of a label of this study that asks most for a person"),
            DOUBT: _("How much the proposals of this study need a look, at most"),
        }
        tips |= {number: phase_name(phase) for number, phase in enumerate(self._phases, FIRST_PHASE)}
        self._model.clear()
        self._wanted = {row.study for row in self.rows}
        self._model.setColumnCount(len(titles))
        for column, title in enumerate(titles):
            item = qt.QStandardItem(title)
            item.setToolTip(tips.get(column, title))
            self._model.setHorizontalHeaderItem(column, item)
        self._set_widths(titles)
        self._view.sortByColumn(STUDY, qt.Qt.AscendingOrder)

    def _set_widths(self, titles: Sequence[str]) -> None:
        """As narrow as can be read: seven phases fit into the panel."""
        metrics = self._view.fontMetrics()
        header = self._view.horizontalHeader()
        header.highlightSections = False
        for column, title in enumerate(titles):
            texts = [title]
            if column == STUDY:
                texts += [study_title(row) for row in self.rows[:_MEASURED]]
            width = max(metrics.boundingRect(text).width() for text in texts) + _MARGIN
            header.setSectionResizeMode(column, qt.QHeaderView.Interactive)
            header.resizeSection(column, min(max(width, WIDTH + _MARGIN), _WIDEST))

    def _fill(self) -> None:
        end = time.monotonic() + _PIECE_S
        while self._waiting and time.monotonic() < end:
            self._write(self._waiting.popleft())
        if not self._waiting:
            self._timer.stop()

    def _write(self, number: int) -> None:
        row = self.rows[number]
        cells = {cell.phase: cell for cell in row.phases}
        state = _item("", ATTENTION.index(row.state), study_tip(row))
        state.setIcon(self._badges.icon(row.state))
        state.setData(state_name(row.state), qt.Qt.AccessibleTextRole)
        items = [_study_item(row, row.study in self._wanted), state, _doubt_item(row)]
        items += [self._phase_item(cells.get(phase)) for phase in self._phases]
        items.append(_item(row.vendor, row.vendor.lower(), study_tip(row)))
        for column, item in enumerate(items):
            self._model.setItem(number, column, item)

    def _phase_item(self, cell: PhaseCell | None) -> Any:
        if cell is None:
            return _item("", len(ATTENTION), _("This study has no such image"))
        item = _item("", ATTENTION.index(cell.state), cell_tip(cell))
        item.setIcon(self._badges.icon(cell.state))
        item.setData(cell_tip(cell), qt.Qt.AccessibleTextRole)
        return item


def _phase_order(rows: Sequence[StudyRow]) -> Callable[[str], int]:
    """GED4 first, where the labels come from; then as the cohort has them."""
    order: dict[str, int] = {"GED4": -1}
    for row in rows:
        for cell in row.phases:
            order.setdefault(cell.phase, len(order))
    return lambda phase: order[phase]


def _item(text: str, sort_by: Any, tip: str) -> Any:
    item = qt.QStandardItem(text)
    item.setEditable(False)
    item.setData(sort_by, qt.Qt.UserRole)
    item.setToolTip(tip)
    return item


def _study_item(row: StudyRow, shown: bool) -> Any:
    item = _item(study_title(row), study_title(row).lower(), study_tip(row))
    item.setData(_mark(shown), qt.Qt.UserRole + 1)
    return item


def _doubt_item(row: StudyRow) -> Any:
    text = "" if row.doubt is None else f"{round(100 * row.doubt)} %"
    item = _item(text, -1.0 if row.doubt is None else row.doubt, study_tip(row))
    item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    return item


def _mark(shown: bool) -> str:
    return _SHOWN if shown else ""
