"""The study that is open: what of it is there, closing it, and which of its phases are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from LiverSegSSLPanel.cohort_words import phase_name, study_line
from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.views import MOST_VIEWS, in_order

if TYPE_CHECKING:
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.scene.study import PhaseInScene


class StudyBox:
    """A line about the study, a button that closes it, and a list of its phases to tick.

    :param ui: with ``studyLabel``, ``closeStudyButton``, ``viewsLabel`` and ``viewsList``.
    """

    def __init__(self, panel: Panel, ui: Any) -> None:
        self._panel = panel
        self._ui = ui
        self._listed: tuple[str, ...] = ()
        ui.closeStudyButton.connect("clicked()", panel.studies.close)
        ui.viewsList.connect("itemChanged(QListWidgetItem*)", self._ticked)
        panel.listen(Notice.LOADING, self.update)
        panel.listen(Notice.STUDY, self.update)
        self.update()

    def update(self) -> None:
        """Show what there is now."""
        studies = self._panel.studies
        study = self._panel.logic.loadedStudy()
        text = study_line(study, studies.progress, studies.errors)
        self._ui.studyLabel.text = text
        self._ui.studyLabel.visible = bool(text)
        self._ui.closeStudyButton.visible = studies.loading or study is not None
        phases = [] if study is None or studies.loading else in_order(study)
        choice = len(phases) > 1 and bool(studies.views.shown)
        self._ui.viewsLabel.visible = choice
        self._ui.viewsList.visible = choice
        if choice:
            self._list(phases, studies.views.shown)

    def _list(self, phases: list[PhaseInScene], shown: tuple[str, ...]) -> None:
        widget = self._ui.viewsList
        widget.blockSignals(True)
        ids = tuple(phase.case_id for phase in phases)
        if ids != self._listed:
            self._listed = ids
            widget.clear()
            for phase in phases:
                item = qt.QListWidgetItem(phase.phase)
                item.setToolTip(phase_name(phase.phase))
                item.setData(qt.Qt.UserRole, phase.case_id)
                item.setCheckState(qt.Qt.Unchecked)
                widget.addItem(item)
        full = len(shown) >= MOST_VIEWS
        for row, case_id in enumerate(ids):
            item = widget.item(row)
            ticked = case_id in shown
            item.setCheckState(qt.Qt.Checked if ticked else qt.Qt.Unchecked)
            item.setFlags(qt.Qt.ItemIsUserCheckable if full and not ticked else _FREE)
        self._ui.viewsLabel.text = (
            _("Shown (no more than {most} at a time):").format(most=MOST_VIEWS)
            if len(ids) > MOST_VIEWS
            else _("Shown:")
        )
        widget.blockSignals(False)

    def _ticked(self, changed: Any) -> None:
        widget = self._ui.viewsList
        items = [widget.item(row) for row in range(widget.count)]
        ids = tuple(str(item.data(qt.Qt.UserRole)) for item in items if item.checkState() == qt.Qt.Checked)
        self._panel.studies.show_only(ids)
        self.update()  # the last one stays ticked


_FREE = qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled
