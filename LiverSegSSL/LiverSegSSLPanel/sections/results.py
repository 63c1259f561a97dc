"""Results: figures, report, masks to take away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ctk
import qt
from slicer.i18n import tr as _

from LiverSegSSLPanel import settings
from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.propose_words import outcome
from LiverSegSSLPanel.proposing import entries
from LiverSegSSLPanel.sections.asking import Asking
from LiverSegSSLPanel.sections.export_box import ExportBox
from LiverSegSSLPanel.sections.job_view import JobView
from LiverSegSSLPanel.sections.model_choice import ModelChoice
from LiverSegSSLPanel.sections.result_tables import fill, label_columns, label_rows, measure_columns, measure_rows
from LiverSegSSLPanel.sections.section import Section, follow_path
from LiverSegSSLPanel.sections.task_watch import TaskWatch
from LiverSegSSLPanel.timers import Timer

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.results import Evaluation, Results
    from LiverSegSSLPanel.task import Task

_SETTLE_MS = 150
_LABELS = ""
_PSEUDONYMS = "pseudonyms"
"""Key of the setting."""


class ResultsSection(Section):
    """Results: figures, report, masks to take away."""

    FILE: ClassVar[str] = "ResultsSection.ui"

    def setup(self) -> None:
        ui, place = self.ui, self.ui.jobPlace.layout()
        self._results: Results | None = None
        self._blocked, self._study_stale = False, True
        self._truth = ""
        self.tasks = TaskWatch(lambda text: self.say(text, wrong=True))
        self._reading = Asking(self.tasks, self._begin_results, self._read)
        self.model = ModelChoice(ui.modelBox, ui.modelPath, lambda folder: self._keep("predictModel", folder))
        self.predicting = JobView(self.panel, place, ui.predictButton, _("Segment every phase"))
        self.measuring = JobView(self.panel, place, ui.evaluateButton, _("Measure"))
        self.reporting = JobView(self.panel, place, ui.reportButton, _("Write the report"))
        self.predicting.adopt(("predict",), self._predicted)
        self.export = ExportBox(self.panel, ui, self.say, self.telling)
        ui.truthPath.filters = ctk.ctkPathLineEdit.Dirs
        self._timer = Timer(self._refresh, _SETTLE_MS, once=True)
        ui.predictButton.connect("clicked()", self._predict)
        ui.evaluateButton.connect("clicked()", self._evaluate)
        ui.reportButton.connect("clicked()", self._report)
        ui.openButton.connect("clicked()", self._open_report)
        ui.pseudonymsBox.checked = self.panel.logic.pseudonyms = settings.read_flag(_PSEUDONYMS)
        ui.pseudonymsBox.connect("toggled(bool)", self._take_pseudonyms)
        follow_path(ui.truthPath, self._truth_typed)
        ui.shownBox.connect("currentIndexChanged(int)", self._show_table)
        ui.resultsTable.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        self.panel.listen(Notice.COHORT, self._cohort_changed)
        self.panel.listen(Notice.LABELS, self._reading.ask)
        for notice in (Notice.PARAMETERS, Notice.READY):
            self.panel.listen(notice, self._later)
        for notice in (Notice.STUDY, Notice.LABELS):
            self.panel.listen(notice, self._study_changed)
        self.panel.listen(Notice.JOB, self._heard)
        self._show_table()

    def enter(self) -> None:
        self._reading.ask()
        self._study_changed()

    def cleanup(self) -> None:
        self._timer.cleanup()
        self.export.cleanup()
        self.tasks.cleanup()

    def bind(self, parameters: Any) -> None:
        super().bind(parameters)
        self._refresh()

    @property
    def busy(self) -> bool:
        """Whether it is still finding out what there is."""
        return self._timer.active or self.tasks.busy

    # --- what there is ------------------------------------------------------------------------------------------

    def _cohort_changed(self) -> None:
        self._results = None
        self._reading.ask()
        self._show_table()
        self._later()

    def _begin_results(self) -> Task[Results] | None:
        return self.panel.logic.beginResults() if self.panel.has_cohort else None

    def _read(self, results: Results) -> None:
        if not self.panel.has_cohort:
            return
        before = self._results.evaluation if self._results is not None else None
        is_new = results.evaluation is not None and results.evaluation.key != (before.key if before else None)
        self._results = results
        self._list_sources(results.evaluation, is_new)
        self._show_table()
        self._refresh()

    def _study_changed(self) -> None:
        self._study_stale = True
        self._later()

    def _later(self) -> None:
        self._timer.start()

    def _refresh(self) -> None:
        parameters, results = self.panel.parameters, self._results
        if parameters is None:
            return
        self.model.show(results.models if results is not None else (), parameters.predictModel)
        self.ui.modelPath.visible = self.model.asks_path
        if parameters.truthFolder != self._truth:  # what is being typed, and is no folder yet, stays
            self._truth = self.ui.truthPath.currentPath = parameters.truthFolder
        self._offer()
        if self._study_stale:
            self._study_stale = False
            self.export.study_changed()
        self.export.show(results.labels if results is not None else ())

    def _list_sources(self, evaluation: Evaluation | None, is_new: bool) -> None:
        """What the table can show; a new evaluation is shown, its last source first of all."""
        box = self.ui.shownBox
        shown = str(box.itemData(box.currentIndex) or _LABELS)
        sources = evaluation.sources if evaluation is not None else []
        box.blockSignals(True)
        box.clear()
        box.addItem(_("Labels by state"), _LABELS)
        for source in sources:
            box.addItem(_("Against the truth: {source}").format(source=source), source)
        wanted = sources[-1] if sources and is_new else shown
        box.setCurrentIndex(max(0, box.findData(wanted)))
        box.blockSignals(False)

    def _show_table(self, index: int = 0) -> None:
        ui, results = self.ui, self._results
        for widget in (ui.shownBox, ui.shownLabel, ui.resultsTable, ui.tableLabel):
            widget.visible = results is not None
        if results is None:
            return
        source = str(ui.shownBox.itemData(ui.shownBox.currentIndex) or _LABELS)
        if source != _LABELS and results.evaluation is not None:
            fill(ui.resultsTable, measure_columns(), measure_rows(results.evaluation, source))
            ui.tableLabel.text = _(
                "Mean ± standard deviation over cases that no method was given; measured on {when:%Y-%m-%d %H:%M}, "
                "recipe {run}. An empty mask has no distances. NSD: within 5 mm."
            ).format(when=results.evaluation.finished, run=results.evaluation.run)
            return
        fill(ui.resultsTable, label_columns(), label_rows(results.labels))
        ui.tableLabel.text = (
            _("Nothing has been measured against true masks yet.") if results.evaluation is None else ""
        )

    # --- what can be done ---------------------------------------------------------------------------------------

    def _offer(self) -> None:
        model = [] if self.model.folder else [_("Choose the folder of a model, or train one first (section Retrain).")]
        truth = str(self.panel.parameters.truthFolder)
        wrong = [] if truth and Path(truth).is_dir() else [_("Choose the folder of the true masks.")]
        self.predicting.offer(
            [*self._wanting(self.predicting), *model],
            _("Segment every case that no person vouches for. The labels then wait in Review."),
        )
        self.measuring.offer(
            [*self._wanting(self.measuring), *wrong],
            _("Compare proposals and predictions with the true masks, named <study>__<phase>.nii.gz."),
        )
        self.reporting.offer(self._wanting(self.reporting), _("Write what has been done and found into one HTML file."))
        report = self._results.report if self._results is not None else None
        self.ui.openButton.enabled = report is not None
        self.ui.openButton.toolTip = str(report) if report is not None else _("No report has been written yet.")

    def _wanting(self, view: JobView) -> list[str]:
        readiness = self.panel.readiness
        wanting = [] if readiness.ok else [_("{reason} (section Set up).").format(reason=readiness.reason)]
        if not self.panel.has_cohort:
            wanting.append(_("Open a cohort first (section Cohort)."))
        if view.blocked:
            wanting.append(_("Another job is at work on this cohort: wait for it, or cancel it."))
        return wanting

    # --- what is done -------------------------------------------------------------------------------------------

    def _predict(self) -> None:
        changes = entries(self.panel.parameters.proposeChanges)
        recipe = self.panel.parameters.recipe
        self._start(
            self.predicting,
            lambda: self.panel.logic.predict(self.model.folder, recipe=recipe, changes=changes),
            self._predicted,
        )

    def _evaluate(self) -> None:
        parameters = self.panel.parameters
        self._start(
            self.measuring,
            lambda: self.panel.logic.evaluate(parameters.truthFolder, parameters.recipe),
            self._measured,
        )

    def _report(self) -> None:
        self._start(self.reporting, lambda: self.panel.logic.report(self.panel.parameters.recipe), self._measured)

    def _take_pseudonyms(self, checked: bool) -> None:
        self.panel.logic.pseudonyms = checked
        settings.write(_PSEUDONYMS, checked)

    def _start(self, view: JobView, start: Any, ended: Any) -> None:
        if not view.running:
            for other in (self.predicting, self.measuring, self.reporting):
                other.hide()
        with self.telling():
            view.toggle(start, ended)

    def _predicted(self, job: RunningJob) -> None:
        if job.state == "done":
            self.say(outcome(job.result))

    def _measured(self, job: RunningJob) -> None:
        self._reading.ask()

    def _open_report(self) -> None:
        report = self._results.report if self._results is not None else None
        if report is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(report)))

    def _truth_typed(self, path: str) -> None:
        self._keep("truthFolder", path)

    def _keep(self, name: str, value: str) -> None:
        parameters = self.panel.parameters
        if parameters is not None and getattr(parameters, name) != value:
            setattr(parameters, name, value)
        self._later()

    def _heard(self, job: RunningJob) -> None:
        blocked = any(view.blocked for view in (self.predicting, self.measuring, self.reporting))
        if blocked != self._blocked:
            self._blocked = blocked
            self._later()
