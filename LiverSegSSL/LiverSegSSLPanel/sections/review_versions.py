"""The versions of a label as a table: each can be shown as an outline, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegSSLPanel.propose_words import state_name
from LiverSegSSLPanel.scene.study import remove_node
from LiverSegSSLPanel.sections.reviewer import reviewer

if TYPE_CHECKING:
    from LiverSegSSLPanel.logic_review import CaseFacts
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.sections.task_watch import TaskWatch
    from LiverSegSSLPanel.versions import Version

EXPERT = "expert"


class VersionTable:
    """What other labels a case has, or had: earlier versions, and proposals of other methods.

    :param ui: has ``versionsTable`` and ``takeBackButton``.
    :param taken_back: is told the label that stands now.
    :param save_state: what makes the next change of the label in the scene one step of undo.
    """

    def __init__(
        self,
        panel: Panel,
        ui: Any,
        tasks: TaskWatch,
        taken_back: Callable[[Any], None],
        save_state: Callable[[], Callable[[], Any] | None],
    ) -> None:
        self._panel, self._tasks = panel, tasks
        self._table, self._button = ui.versionsTable, ui.takeBackButton
        self._taken_back, self._save_state = taken_back, save_state
        self._versions: list[Version] = []
        self._case_id = ""
        self._outlines: dict[str, Any] = {}  # by label: the node, None while it is on its way
        self._table.connect("itemChanged(QTableWidgetItem*)", self._item_changed)
        self._table.connect("itemSelectionChanged()", self._update_button)
        self._button.connect("clicked()", self._take_back)
        self.show(None)

    def show(self, facts: CaseFacts | None) -> None:
        """Show the versions of a case, newest first; outlines of another case go."""
        case_id = "" if facts is None else facts.case_id
        if case_id != self._case_id:
            self.remove_outlines()
        self._case_id = case_id
        self._versions = [] if facts is None else list(reversed(facts.versions))
        self._table.blockSignals(True)
        self._table.setRowCount(len(self._versions))
        for row, version in enumerate(self._versions):
            for column, text in enumerate(_cells(version)):
                self._table.setItem(row, column, qt.QTableWidgetItem(text))
            box = self._table.item(row, 0)
            box.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
            box.setCheckState(qt.Qt.Checked if version.label_id in self._outlines else qt.Qt.Unchecked)
        self._table.blockSignals(False)
        self._table.resizeColumnsToContents()
        self._update_button()

    def look_again(self) -> None:
        """Nodes of the study have gone: boxes of outlines that are no more are unchecked."""
        scene = slicer.mrmlScene
        gone = [one for one, node in self._outlines.items() if node is not None and not scene.IsNodePresent(node)]
        if not gone:
            return
        for label_id in gone:
            del self._outlines[label_id]
        self._table.blockSignals(True)
        for row, version in enumerate(self._versions):
            if version.label_id in gone:
                self._table.item(row, 0).setCheckState(qt.Qt.Unchecked)
        self._table.blockSignals(False)

    def remove_outlines(self) -> None:
        """Take all outlines away."""
        for label_id in list(self._outlines):
            self._remove(label_id)

    def _item_changed(self, item: Any) -> None:
        if item.column() != 0 or item.row() >= len(self._versions):
            return
        label_id = self._versions[item.row()].label_id
        if item.checkState() != qt.Qt.Checked:
            self._remove(label_id)
        elif label_id not in self._outlines:
            self._outlines[label_id] = None
            self._tasks.follow(self._panel.logic.beginVersion(label_id), lambda node: self._arrived(label_id, node))

    def _arrived(self, label_id: str, node: Any) -> None:
        if label_id in self._outlines:
            self._outlines[label_id] = node
        else:  # it is not wanted any more
            remove_node(slicer.mrmlScene, node)

    def _remove(self, label_id: str) -> None:
        node = self._outlines.pop(label_id, None)
        if node is not None and slicer.mrmlScene.IsNodePresent(node):
            remove_node(slicer.mrmlScene, node)

    def _selected(self) -> Version | None:
        rows = self._table.selectionModel().selectedRows()
        return self._versions[rows[0].row()] if rows and rows[0].row() < len(self._versions) else None

    def _update_button(self) -> None:
        version = self._selected()
        if any(one.state == EXPERT for one in self._versions):
            reason = _("The expert's mask stays as it is.")
        elif version is None:
            reason = _("Choose a version in the table.")
        elif version.stands:
            reason = _("This version is the one that counts.")
        else:
            reason = ""
        self._button.enabled = not reason
        self._button.toolTip = reason or _("This version counts again, and is shown. Nothing is lost.")

    def _take_back(self) -> None:
        version = self._selected()
        if version is not None:
            self._button.enabled = False
            task = self._panel.logic.beginTakeBack(version.label_id, reviewer(), self._save_state())
            self._tasks.follow(task, self._taken_back)


def _cells(version: Version) -> tuple[str, ...]:
    state = state_name(version.state)
    state = _("{state} – counts").format(state=state) if version.stands else state
    day = version.created.astimezone().strftime("%Y-%m-%d")
    return str(version.version), version.source, state, version.author, day, f"{version.volume_ml:.0f}"
