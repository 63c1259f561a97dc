"""Retrain: train on what the cohort has by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import qt
from slicer.i18n import tr as _

from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.sections.curve_view import CurveView
from LiverSegSSLPanel.sections.job_view import JobView
from LiverSegSSLPanel.sections.section import Section
from LiverSegSSLPanel.sections.task_watch import TaskWatch
from LiverSegSSLPanel.sections.training_form import TrainingForm
from LiverSegSSLPanel.timers import Timer
from LiverSegSSLPanel.training import KINDS, TRAININGS, Outlook, Training
from LiverSegSSLPanel.training_time import expected_on_processor
from LiverSegSSLPanel.training_words import (
    figure_in_words,
    judged_in_words,
    kinds_in_words,
    summary_in_words,
    time_in_words,
)

if TYPE_CHECKING:
    from LiverSegSSLLib.rounds.recipe import Recipe
    from LiverSegSSLPanel.jobs import RunningJob

_MEASURED = 1
"""The column of figures that takes what width is left, and wraps."""

_SETTLE_MS = 150
"""After the last key or notice the labels are counted anew: the ledger is not read at every one of them."""


class RetrainSection(Section):
    """Retrain: train on what the cohort has by now."""

    FILE: ClassVar[str] = "RetrainSection.ui"

    def setup(self) -> None:
        # Now, while the module is being opened: it takes a second, and not under somebody's hands.
        from LiverSegSSLLib.rounds import measuring, training  # noqa: F401

        ui = self.ui
        self.form = TrainingForm(ui, self._later)
        self.jobs = JobView(self.panel, ui.jobLayout, ui.trainButton, _("Train"))
        self.curves = CurveView(ui.curvesBox, ui.curvesLayout, ui.curveBox)
        self._recipe: Recipe | None = None
        self._outlook = Outlook()
        self._wrong = ""
        self._asked = 0
        self._blocked = False
        self._tasks = TaskWatch(lambda words: self.say(words, wrong=True))
        self._timer = Timer(self.refresh, _SETTLE_MS, once=True)
        self.jobs.adopt(TRAININGS, self._ended)
        ui.trainButton.connect("clicked()", self._toggle)
        for notice in (Notice.COHORT, Notice.LABELS, Notice.READY):
            self.panel.listen(notice, self._later)
        self.panel.listen(Notice.PARAMETERS, self._parameters_changed)
        self.panel.listen(Notice.JOB, self._heard)
        for table in (ui.summaryTable, ui.figuresTable):
            table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        ui.figuresTable.horizontalHeader().setSectionResizeMode(_MEASURED, qt.QHeaderView.Stretch)
        self.refresh()

    def enter(self) -> None:
        self._later()

    def cleanup(self) -> None:
        self._timer.cleanup()
        self._tasks.cleanup()
        self.curves.unbind()

    def bind(self, parameters: Any) -> None:
        super().bind(parameters)
        self.form.bind(parameters)
        self.curves.bind(parameters.parameterNode)
        self._later()

    def unbind(self) -> None:
        super().unbind()
        self.form.unbind()
        self.curves.unbind()

    # --- what is there, what would be done ----------------------------------------------------------------------

    def refresh(self) -> None:
        """Say what the choices are and how long it takes; have the labels counted."""
        self._timer.stop()
        self._recipe, self._wrong = None, ""
        training = self.form.training()
        try:
            self._recipe = self._read_recipe(training)
            if self.panel.has_cohort:
                self._ask(training)
            else:
                self._outlook = Outlook()
        except (LiverSegError, OSError) as error:
            self._outlook, self._wrong = Outlook(), str(error)
        self._show()

    def _read_recipe(self, training: Training) -> Recipe:
        from LiverSegSSLLib.rounds.recipe import load_recipe

        chosen = load_recipe(training.recipe, training.all_changes)
        self.form.explain(load_recipe(training.recipe, training.changes).learn, chosen.learn)
        return chosen

    def _ask(self, training: Training) -> None:
        self._asked += 1
        number = self._asked
        self._tasks.follow(
            self.panel.logic.beginOutlook(training),
            lambda outlook: self._told(number, outlook, ""),
            lambda words: self._told(number, Outlook(), words),
        )

    def _told(self, number: int, outlook: Outlook, wrong: str) -> None:
        if number == self._asked:  # else something has changed since
            self._outlook, self._wrong = outlook, wrong
            self._show()

    def _show(self) -> None:
        self._show_summary()
        self._show_figures()
        self._show_time()
        self._offer()

    def _show_summary(self) -> None:
        table, words, phases = self.ui.summaryTable, kinds_in_words(), self._outlook.phases
        table.visible = bool(phases)
        supervised = self._recipe is None or self._recipe.learn.method == "supervised"
        self.ui.summaryLabel.text = summary_in_words(self._outlook, supervised) if phases else ""
        table.setColumnCount(len(KINDS))
        table.setHorizontalHeaderLabels([words[kind] for kind in KINDS])
        table.setRowCount(len(phases))
        table.setVerticalHeaderLabels([phase.phase for phase in phases])
        for row, phase in enumerate(phases):
            for column, kind in enumerate(KINDS):
                _set(table, row, column, str(phase.cases[kind] or "–"))
        _fit_height(table)

    def _show_figures(self) -> None:
        table, figures = self.ui.figuresTable, self._outlook.figures
        self.ui.figuresBox.visible = bool(figures)
        table.setRowCount(len(figures))
        for row, figure in enumerate(figures):
            texts = (figure_in_words(figure), judged_in_words(figure.judged), f"{figure.value:.3f}", str(figure.cases))
            for column, text in enumerate(texts):
                _set(table, row, column, text)
        table.resizeRowsToContents()
        _fit_height(table)

    def _show_time(self) -> None:
        text = ""
        if self._recipe is not None:
            from LiverSegSSLLib.jobs.executors import usable_cores

            learn = self._recipe.learn
            expected = expected_on_processor(learn, self.form.training().rounds, usable_cores())
            text = time_in_words(expected, learn.preset, self.panel.device)
        self.ui.timeLabel.text = text
        self.ui.timeLabel.visible = bool(text)

    def _offer(self) -> None:
        missing = self._missing()
        goes_on = not missing and self._outlook.goes_on
        if goes_on:
            tip = _(
                "This training was stopped; it goes on from its last checkpoint. If labels changed, it begins anew."
            )
        elif self.form.training().rounds > 1:
            tip = _("Train, have the model propose the labels of the next round, and so on; then segment every case.")
        else:
            tip = _("Train on the labels as they are now. What the recipe wants to have proposed is proposed first.")
        self.jobs.offer(missing, tip, _("Continue") if goes_on else _("Train"))

    def _missing(self) -> list[str]:
        """What is wanting, a line each."""
        readiness = self.panel.readiness
        missing = [] if readiness.ok else [_("{reason} (section Set up).").format(reason=readiness.reason)]
        if not self.panel.has_cohort:
            missing.append(_("Open a cohort first (section Cohort)."))
        if self._wrong:
            missing.append(self._wrong)
        if self.jobs.blocked:
            missing.append(_("Another job is at work on this cohort: wait for it, or cancel it."))
        outlook = self._outlook
        if self._recipe is None or not outlook.phases:
            return missing
        if not outlook.total("expert", "corrected", "accepted"):
            missing.append(_("No case has a label that a person drew, corrected or accepted."))
        if self._recipe.learn.method != "supervised" and not outlook.total("left_out", "unlabelled"):
            missing.append(_("The method also learns from images without a label, and every image has one."))
        return missing

    # --- what is done -------------------------------------------------------------------------------------------

    def _toggle(self) -> None:
        self.say("")
        with self.telling():
            self.jobs.toggle(self._start, self._ended)

    def _start(self) -> RunningJob:
        return self.panel.logic.retrain(**vars(self.form.training()))

    def _ended(self, job: RunningJob) -> None:
        self._later()

    def _heard(self, job: RunningJob) -> None:
        if job is self.jobs.job:  # (which has heard first)
            self.curves.follow(job)
        if self.jobs.blocked != self._blocked:
            self._blocked = self.jobs.blocked
            self._offer()

    def _parameters_changed(self) -> None:
        self.form.follow()
        self._later()

    def _later(self) -> None:
        self._timer.start()


def _set(table: Any, row: int, column: int, text: str) -> None:
    item = qt.QTableWidgetItem(text)
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    table.setItem(row, column, item)


def _fit_height(table: Any) -> None:
    """As high as its rows: the panel scrolls, not the table."""
    rows = sum(table.rowHeight(row) for row in range(table.rowCount))
    table.setFixedHeight(table.horizontalHeader().sizeHint.height() + rows + 2 * table.frameWidth)
