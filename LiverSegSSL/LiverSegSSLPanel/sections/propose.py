"""Propose: have pseudo labels made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import qt
from slicer.i18n import tr as _

from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.propose_words import outcome
from LiverSegSSLPanel.proposing import FROM_SUPPORTS, MODEL, TrainedModel, Wish, phase_counts
from LiverSegSSLPanel.sections.background import Background
from LiverSegSSLPanel.sections.job_view import JobView
from LiverSegSSLPanel.sections.proposal_form import ProposalForm
from LiverSegSSLPanel.sections.section import Section

if TYPE_CHECKING:
    from LiverSegSSLPanel.cohort_rows import StudyRow
    from LiverSegSSLPanel.jobs import RunningJob

_SETTLE_MS = 100
"""After the last key or notice: the ledger is not read at every one of them."""

_ADOPTED = ("propose",)
"""Verbs of jobs that are shown here though something else has started them."""


class ProposeSection(Section):
    """Propose: have pseudo labels made."""

    FILE: ClassVar[str] = "ProposeSection.ui"

    def setup(self) -> None:
        self._rows: list[StudyRow] = []
        self._models: list[TrainedModel] = []
        self._stale = True
        self._blocked = False
        self.form = ProposalForm(self.ui, self._later)
        self.view = JobView(self.panel, self.ui.jobPlace.layout(), self.ui.proposeButton, _("Propose"))
        self.view.adopt(_ADOPTED, self._ended)
        self.checks = Background(self._offer)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLE_MS)
        self._timer.connect("timeout()", self._refresh)
        self.ui.proposeButton.connect("clicked()", self._toggle)
        for notice in (Notice.COHORT, Notice.LABELS):
            self.panel.listen(notice, self._labels_changed)
        self.panel.listen(Notice.PARAMETERS, self._later)
        self.panel.listen(Notice.READY, self._equipment_changed)
        self.panel.listen(Notice.JOB, self._heard)

    def enter(self) -> None:
        self._labels_changed()

    def cleanup(self) -> None:
        self._timer.stop()
        self._timer.disconnect("timeout()", self._refresh)
        self.checks.cleanup()

    def bind(self, parameters: Any) -> None:
        super().bind(parameters)
        self.form.bind(parameters)
        self._refresh()

    def unbind(self) -> None:
        super().unbind()
        self.form.unbind()

    # --- what is there, what would be done ----------------------------------------------------------------------

    def _labels_changed(self) -> None:
        self._stale = True
        self._later()

    def _equipment_changed(self) -> None:
        self.checks.forget()
        self._later()

    def _later(self) -> None:
        self._timer.start()

    def _refresh(self) -> None:
        if self._stale:
            self._stale = False
            there = self.panel.has_cohort
            self._rows = self.panel.logic.rows() if there else []
            self._models = self.panel.logic.trainedModels() if there else []
        self.form.show(self._rows, self._models)
        self._offer()

    def _offer(self) -> None:
        if self.panel.parameters is None:
            return
        self.view.offer(self._missing(), _("Make labels for the ticked phases. Labels of persons stay as they are."))

    def _missing(self) -> list[str]:
        """What is wanting, a line each."""
        readiness = self.panel.readiness
        missing = [] if readiness.ok else [_("{reason} (section Set up).").format(reason=readiness.reason)]
        if not self.panel.has_cohort:
            return [*missing, _("Open a cohort first (section Cohort).")]
        if self.view.blocked:
            missing.append(_("Another job is at work on this cohort: wait for it, or cancel it."))
        wish = self.form.wish()
        missing += self._lacking(wish)
        # What is ticked makes no difference to the library.
        question = replace(wish, targets=(), supports=())
        refusals = self.checks.ask(question, lambda: self.panel.logic.whyNotMakeLabels(question))
        return [*missing, *(refusals if refusals is not None else [_("Looking whether all is there …")])]

    def _lacking(self, wish: Wish) -> list[str]:
        lacking = []
        if wish.method != MODEL and self.form.supports.empty:
            lacking.append(_("No case is labelled: put a mask beside an image, or draw one in Review."))
        elif wish.method in FROM_SUPPORTS and not wish.supports:
            lacking.append(_("Tick a labelled case to propose from."))
        if not wish.targets:
            lacking.append(_("Tick a phase to propose for."))
        elif not sum(count.open for count in phase_counts(self._rows) if count.phase in wish.targets):
            lacking.append(_("Every case of the ticked phases has a label of a person."))
        if wish.method == MODEL and not wish.model:
            lacking.append(_("Choose the folder of a model, or train one first (section Retrain)."))
        if not wish.recipe:
            lacking.append(_("Choose the file of the recipe."))
        return lacking

    # --- what is done -------------------------------------------------------------------------------------------

    def _toggle(self) -> None:
        with self.telling():  # what was said of the last job goes
            self.view.toggle(lambda: self.panel.logic.makeLabels(self.form.wish()), self._ended)

    def _ended(self, job: RunningJob) -> None:
        if job.state == "done":
            self.say(outcome(job.result))

    def _heard(self, job: RunningJob) -> None:
        if self.view.blocked != self._blocked:
            self._blocked = self.view.blocked
            self._later()
