"""Propose: have pseudo labels made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from slicer.i18n import tr as _

from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.propose_words import outcome, refusal_text, start_text
from LiverSegSSLPanel.proposing import FROM_SUPPORTS, MODEL, Choices, Wish, phase_counts
from LiverSegSSLPanel.sections.asking import Asking
from LiverSegSSLPanel.sections.job_view import JobView
from LiverSegSSLPanel.sections.proposal_form import ProposalForm
from LiverSegSSLPanel.sections.section import Section
from LiverSegSSLPanel.sections.task_watch import TaskWatch
from LiverSegSSLPanel.timers import Timer

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.task import Task

_SETTLE_MS = 100
"""After the last key or notice: the ledger is not read at every one of them."""

_ADOPTED = ("propose",)
"""Verbs of jobs that are shown here though something else has started them."""


class ProposeSection(Section):
    """Propose: have pseudo labels made."""

    FILE: ClassVar[str] = "ProposeSection.ui"

    def setup(self) -> None:
        self._choices: Choices | None = None  # None: being read
        self._question = self._asked = Wish()
        self._refused: tuple[Wish, list[str]] | None = None
        self._blocked = False
        self.form = ProposalForm(self.ui, self._later)
        self.view = JobView(self.panel, self.ui.jobPlace.layout(), self.ui.proposeButton, _("Propose"))
        self.view.adopt(_ADOPTED, self._ended)
        self.tasks = TaskWatch(lambda text: self.say(text, wrong=True))
        self._choosing = Asking(self.tasks, self._begin_choices, self._chosen_from)
        self._doubting = Asking(self.tasks, self._begin_why_not, self._found_out)
        self._timer = Timer(self._refresh, _SETTLE_MS, once=True)
        self.ui.proposeButton.connect("clicked()", self._toggle)
        self.ui.advancedBox.connect("toggled(bool)", self._later)
        self.panel.listen(Notice.COHORT, self._cohort_changed)
        self.panel.listen(Notice.LABELS, self._choosing.ask)
        self.panel.listen(Notice.PARAMETERS, self._later)
        self.panel.listen(Notice.READY, self._equipment_changed)
        self.panel.listen(Notice.JOB, self._heard)

    def enter(self) -> None:
        self._choosing.ask()

    def cleanup(self) -> None:
        self._timer.cleanup()
        self.tasks.cleanup()

    def bind(self, parameters: Any) -> None:
        super().bind(parameters)
        self.form.bind(parameters)
        self._refresh()

    def unbind(self) -> None:
        super().unbind()
        self.form.unbind()

    @property
    def busy(self) -> bool:
        """Whether it is still finding out what can be done."""
        return self._timer.active or self.tasks.busy

    # --- what is there, what would be done ----------------------------------------------------------------------

    def _cohort_changed(self) -> None:
        self._choices = None
        self._choosing.ask()
        self._later()

    def _begin_choices(self) -> Task[Choices] | None:
        return self.panel.logic.beginChoices() if self.panel.has_cohort else None

    def _chosen_from(self, choices: Choices) -> None:
        if self.panel.has_cohort:
            self._choices = choices
            self._refresh()

    def _equipment_changed(self) -> None:
        self._refused = None
        self._later()

    def _begin_why_not(self) -> Task[list[str]]:
        self._asked = self._question
        return self.panel.logic.beginWhyNot(self._asked)

    def _found_out(self, refusals: list[str]) -> None:
        self._refused = (self._asked, refusals)
        self._offer()

    def _later(self) -> None:
        self._timer.start()

    def _refresh(self) -> None:
        choices = self._choices or Choices()
        self.form.show(choices.rows, choices.models)
        self._offer()

    def _offer(self) -> None:
        if self.panel.parameters is None:
            return
        tip = _("Make labels for the ticked phases. Labels of persons stay as they are.")
        self.view.offer(self._missing(), tip, start_text(self.panel.parameters.proposeMethod))

    def _missing(self) -> list[str]:
        """What is wanting, a line each."""
        readiness = self.panel.readiness
        missing = [] if readiness.ok else [_("{reason} (section Set up).").format(reason=readiness.reason)]
        if not self.panel.has_cohort:
            return [*missing, _("Open a cohort first (section Cohort).")]
        if self.view.blocked:
            missing.append(_("Another job is at work on this cohort: wait for it, or cancel it."))
        if self._choices is None:
            return [*missing, _("Reading the labels …")]
        wish = self.form.wish()
        return [*missing, *self._lacking(wish, self._choices), *self._refusals(wish)]

    def _refusals(self, wish: Wish) -> list[str]:
        """What the library has against it. What is ticked makes no difference to that."""
        question = replace(wish, targets=(), supports=())
        if self._refused is not None and self._refused[0] == question:
            return [refusal_text(reason) for reason in self._refused[1]]
        if question != self._question or self._refused is None:
            self._question = question
            self._doubting.ask()
        return [_("Looking whether all is there …")]

    def _lacking(self, wish: Wish, choices: Choices) -> list[str]:
        lacking = []
        if wish.method != MODEL and self.form.supports.empty:
            lacking.append(_("No case is labelled: put a mask beside an image, or draw one in Review."))
        elif wish.method in FROM_SUPPORTS and not wish.supports:
            lacking.append(_("Tick a labelled case to propose from."))
        if not wish.targets:
            lacking.append(_("Tick a phase to propose for."))
        elif not sum(count.open for count in phase_counts(choices.rows) if count.phase in wish.targets):
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
