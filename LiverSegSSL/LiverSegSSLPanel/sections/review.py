"""Review: the queue, and a person's verdicts and corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegSSLLib.cohort.study import split_case_id
from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.propose_words import state_name
from LiverSegSSLPanel.sections.review_case import ReviewCase
from LiverSegSSLPanel.sections.review_queue import QueueTable
from LiverSegSSLPanel.sections.review_recovery import Recovery
from LiverSegSSLPanel.sections.review_timer import ReviewTimer
from LiverSegSSLPanel.sections.review_verdicts import VerdictButtons
from LiverSegSSLPanel.sections.reviewer import ReviewerName, reviewer
from LiverSegSSLPanel.sections.section import Section
from LiverSegSSLPanel.sections.task_watch import TaskWatch

if TYPE_CHECKING:
    from LiverSegSSLLib.labels.label import Label

SAVE_BEATS = 10
"""Beats of half a second between two times that work in progress is kept."""


class ReviewSection(Section):
    """Review: which case comes next, what a person thinks of it, and how long that took."""

    FILE: ClassVar[str] = "ReviewSection.ui"

    def setup(self) -> None:
        self.tasks = TaskWatch(self._failed)
        self.timer = ReviewTimer(self._signs, self._beat)
        self.queue = QueueTable(self.ui, self.open_case)
        self.case = ReviewCase(self.panel, self.ui, self.tasks, self._say, self._offer)
        self.verdicts = VerdictButtons(self.page, self.ui, self._act)
        self.name = ReviewerName(self.ui.reviewerEdit)
        self.recovery = Recovery(
            self.panel,
            self.ui,
            self.tasks,
            self.open_case,
            self._put_back,
            self.case.editor.save_state_for,
            self._say,
        )
        self._visited: list[str] = []
        self._last = ""  # the case that was looked at last
        self._wanted = ""  # the case whose study is on its way
        self._back_to = ""  # the case to which the person goes back
        self._note = ""  # what is to be said when the next case is there
        self._judging = False
        self._beats = 0
        self.ui.reviewerEdit.connect("editingFinished()", self._refresh)
        for notice, heard in (
            (Notice.READY, self._ask_for_network),
            (Notice.COHORT, self._cohort_changed),
            (Notice.LABELS, self._labels_changed),
            (Notice.STUDY, self._study_changed),
            (Notice.CASE, self._case_changed),
        ):
            self.panel.listen(notice, heard)
        self._cohort_changed()

    # --- coming and going ---------------------------------------------------------------------------------------

    def enter(self) -> None:
        self.case.editor.enter()
        self.timer.enter()
        self._ask_for_network()

    def exit(self) -> None:
        self.case.editor.exit()
        self.timer.leave()
        self._save()

    def cleanup(self) -> None:
        self.timer.cleanup()
        self.tasks.cleanup()
        self.case.cleanup()

    def bind(self, parameters: Any) -> None:
        super().bind(parameters)
        self.case.editor.connect_scene()

    def unbind(self) -> None:
        if slicer.mrmlScene.IsClosing():
            self._save()
        self.case.scene_closes()
        super().unbind()

    # --- what is heard ------------------------------------------------------------------------------------------

    def _cohort_changed(self) -> None:
        self.tasks.forget()
        self.timer.seconds.clear()
        self._visited, self._last, self._wanted = [], "", ""
        self._back_to, self._note, self._judging = "", "", False
        self.queue.clear()
        self.recovery.forget()
        self.case.show("")
        self.timer.look_at("")
        self.timer.run(False)
        self._labels_changed()
        if self.panel.has_cohort:
            self.recovery.look()
        self._ask_for_network()

    def _ask_for_network(self) -> None:
        if self.panel.has_cohort:
            self.case.propagating.ask_for_network()

    def _labels_changed(self) -> None:
        self._refresh()
        self.case.look_up()

    def _study_changed(self) -> None:
        errors = self.panel.studies.errors
        if errors and self._wanted in errors:
            self.say(str(errors[self._wanted]), wrong=True)
            self._wanted = ""
        self.timer.run(self.panel.logic.loadedStudy() is not None)
        self.case.study_changed()
        self.recovery.look()

    def _case_changed(self, case_id: str) -> None:
        if case_id and case_id != self._last:
            if case_id == self._back_to:
                self._visited.pop()
            elif self._last:
                self._visited.append(self._last)
            self._last, self._back_to = case_id, ""
        if case_id:
            self.say(self._note)
            self._wanted = self._note = ""
            self.ui.commentEdit.text = ""
        self.queue.mark(case_id)
        self.timer.look_at(case_id)
        self.case.show(case_id)

    def _refresh(self) -> None:
        if self.panel.has_cohort and not self.recovery.looking:
            self.tasks.follow(self.panel.logic.beginQueue(reviewer()), self.queue_read)

    def queue_read(self, state: Any) -> None:
        """The queue has been read."""
        self.queue.show(state)
        self._offer()

    # --- going from case to case --------------------------------------------------------------------------------

    def open_case(self, case_id: str) -> None:
        """Open the study of a case, and look at the case."""
        if self.panel.studies.loading and self._wanted == case_id:
            return
        self._wanted = case_id
        with self.telling():
            shown = self.panel.logic.loadedStudy()
            study = split_case_id(case_id)[0]
            if shown is not None and shown.key == study:
                phase = shown.phase(case_id)
                if phase is None or phase.segmentation is None or phase.image is None:
                    self.panel.studies.close()  # what could not be read, or was deleted, is loaded again
            self.panel.studies.open(study, case_id)

    def _act(self, name: str) -> None:
        if name == "back":
            self._back_to = self._visited[-1]
            self.open_case(self._back_to)
        elif name == "skip":
            following = self.queue.after(self.case.case_id)
            self.queue.skip(self.case.case_id)
            self.open_case(following)
        else:
            self._judge(name)

    def _judge(self, verdict: str) -> None:
        case_id, following = self.case.case_id, self.queue.after(self.case.case_id)
        with self.telling():
            task = self.panel.logic.beginReview(
                case_id, verdict, reviewer(), self.timer.spent(case_id), self.ui.commentEdit.text.strip()
            )
            self._judging = True
            self._offer()
            self.tasks.follow(task, lambda label: self._judged(label, following), self._not_judged)

    def _judged(self, label: Label, following: str) -> None:
        self._judging = False
        self.timer.seconds.pop(label.case_id, None)
        self.queue.judged(label.case_id)
        self.case.judged()
        self.panel.tell(Notice.LABELS)
        words = _("{study} {phase} is {state}.").format(
            study=label.study, phase=label.phase.value, state=state_name(label.state.value)
        )
        if following:
            self._note = words
            self.open_case(following)
        else:
            self.say(_("{words} That was the last case of the queue.").format(words=words))

    def _not_judged(self, words: str) -> None:
        self._judging = False
        self.say(words, wrong=True)
        self._offer()

    def _offer(self) -> None:
        """Say which buttons are possible, and why others are not."""
        reasons = self.case.reasons()
        if self._judging:
            reasons = dict.fromkeys(reasons, _("The verdict is being written …"))
        elsewhere = self.queue.after(self.case.case_id)
        reasons["skip"] = reasons["skip"] or ("" if elsewhere else _("No other case is left in the queue."))
        reasons["back"] = "" if self._visited and not self._judging else _("There is no case before.")
        self.verdicts.offer(reasons)
        item = self.queue.item(self.case.case_id)
        self.ui.reasonLabel.text = "" if item is None else item.reason

    # --- every few seconds --------------------------------------------------------------------------------------

    def _signs(self) -> tuple[Any, ...]:
        place = qt.QCursor.pos()
        return (place.x(), place.y(), self.ui.commentEdit.text, *self.case.signs())

    def _beat(self) -> None:
        self.case.beat()
        self._beats += 1
        if self._beats % SAVE_BEATS == 0:
            self._save()

    def _save(self) -> None:
        if self.panel.has_cohort:
            self.tasks.follow(self.panel.logic.beginSaving(reviewer(), self.timer.seconds))

    def _put_back(self, case_id: str, seconds: float) -> None:
        self.timer.seconds[case_id] = max(self.timer.seconds.get(case_id, 0.0), seconds)

    def _failed(self, words: str) -> None:
        self.say(words, wrong=True)

    def _say(self, words: str, wrong: bool) -> None:
        self.say(words, wrong)
