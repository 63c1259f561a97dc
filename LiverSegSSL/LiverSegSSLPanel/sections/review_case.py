"""The case that is looked at: its label in the editor, its slices in the strip, what is known of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from LiverSegSSLPanel.propose_words import state_name
from LiverSegSSLPanel.sections.review_carry import Copying, Propagating
from LiverSegSSLPanel.sections.review_editor import ReviewEditor
from LiverSegSSLPanel.sections.review_overlays import Overlays
from LiverSegSSLPanel.sections.review_versions import VersionTable
from LiverSegSSLPanel.sections.slice_follower import SliceFollower
from LiverSegSSLPanel.sections.slice_strip import SliceStrip
from LiverSegSSLPanel.views import in_order

if TYPE_CHECKING:
    from LiverSegSSLPanel.logic_review import CaseFacts
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.reviewing import Changes
    from LiverSegSSLPanel.scene.study import PhaseInScene
    from LiverSegSSLPanel.sections.task_watch import TaskWatch

VOUCHED = ("expert", "corrected", "accepted")
"""States of a label that a person has vouched for."""

VERDICTS = ("accept", "correct", "reject", "skip")


class ReviewCase:
    """One case at a time. The ledger is read by a thread; whether something was drawn is seen by a stamp.

    :param say: shows a line, of which the second argument says whether something is wrong.
    :param offer: is called when other things may be possible.
    """

    def __init__(
        self, panel: Panel, ui: Any, tasks: TaskWatch, say: Callable[[str, bool], None], offer: Callable[[], None]
    ) -> None:
        self.case_id = ""
        self._panel, self._ui, self._tasks = panel, ui, tasks
        self._say, self._offer = say, offer
        self._facts: CaseFacts | None = None
        self._changed = False
        self._stamp: tuple[Any, ...] = ()
        self._asked = self._answered = 0
        self.strip = SliceStrip(self._jump)
        ui.stripLayout.addWidget(self.strip)
        self.editor = ReviewEditor(ui.editorLayout)
        self._follower = SliceFollower(self._moved)
        self._overlays = Overlays(panel, ui, tasks)
        self.versions = VersionTable(panel, ui, tasks, self._taken_back, lambda: self._save_state(self.case_id))
        self.propagating = Propagating(panel, ui, tasks, say, self._save_state, self.update)
        self.copying = Copying(panel, ui, say)
        ui.caseBox.connect("activated(int)", self._phase_chosen)

    def show(self, case_id: str) -> None:
        """Look at a case; empty: at none."""
        self.case_id = case_id
        self._facts, self._changed, self._stamp = None, False, ()
        self._ui.caseWidget.enabled = bool(case_id)
        self._ui.stateLabel.text = ""
        self._ui.sliceLabel.text = ""
        self.versions.show(None)
        self._overlays.look_at("", False)
        self._connect()
        self.look_up()
        self.update()

    def study_changed(self) -> None:
        """Nodes of the study have come or gone."""
        if self.case_id:
            phase = self._phase()
            if phase is not None and phase.segmentation is None:
                self._say(_("The label was deleted from the scene. Choose the case again to load it."), True)
            elif phase is not None and phase.image is None:
                self._say(_("The image was deleted from the scene. Choose the case again to load it."), True)
            self._connect(anew=False)
        self.update()

    def scene_closes(self) -> None:
        """Let go of everything that is in the scene."""
        self._follower.follow(None, None)
        self.editor.disconnect_scene()

    def look_up(self) -> None:
        """Read anew what the ledger knows of the case."""
        if self.case_id and self._panel.has_cohort:
            self._tasks.follow(self._panel.logic.beginFacts(self.case_id), self._known)

    def judged(self) -> None:
        """What is drawn is in the ledger now."""
        self._stamp = ()

    def signs(self) -> tuple[Any, ...]:
        """What changes whenever the person looks or draws elsewhere."""
        return (self.strip.current, self._drawing_stamp())

    def beat(self) -> None:
        """If something was drawn since the last beat, have it compared with what was loaded."""
        self._overlays.look_again()
        self.versions.look_again()
        stamp = self._drawing_stamp()
        if stamp and stamp != self._stamp:
            self._stamp = stamp
            self._asked += 1
            case_id, asked = self.case_id, self._asked
            task = self._panel.logic.beginChanges(case_id)
            self._tasks.follow(task, lambda changes: self._compared(case_id, asked, changes))

    def reasons(self) -> dict[str, str]:
        """By button: why it is not possible; empty: it is."""
        if not self.case_id:
            return dict.fromkeys(VERDICTS, _("Choose a case in the queue."))
        if not self._panel.has_cohort:
            return dict.fromkeys(VERDICTS, _("Open the folder of this study under Cohort first."))
        phase, facts = self._phase(), self._facts
        if phase is None or phase.segmentation is None or phase.image is None:
            gone = _("The label is not in the scene. Choose the case again to load it.")
            return {**dict.fromkeys(VERDICTS, gone), "skip": ""}
        if facts is None:
            return {**dict.fromkeys(VERDICTS, _("The label is being looked up …")), "skip": ""}
        if any(version.state == "expert" for version in facts.versions):
            return {**dict.fromkeys(VERDICTS, _("The expert's mask stays as it is.")), "skip": ""}
        if self.propagating.at_work_on(self.case_id):
            under_way = _("Your corrections are being propagated: wait for it, or cancel it.")
            return {**dict.fromkeys(VERDICTS, under_way), "skip": ""}
        nothing = "" if phase.label_id else _("There is no label yet: draw one, or have one proposed.")
        changed = _("The label has been changed since it was loaded: use “Correct and next”, or undo the changes.")
        unchanged = _("Nothing has been changed since the label was loaded.")
        return {
            "accept": nothing or (changed if self._changed else ""),
            "correct": "" if self._changed else unchanged,
            "reject": nothing,
            "skip": "",
        }

    def update(self) -> None:
        """Say what is possible now."""
        changed = "" if self._changed else _("Correct a slice or more first.")
        self.propagating.offer(self.case_id, changed if self.case_id else _("Choose a case in the queue."))
        self.copying.offer(self.case_id, self._not_to_copy())
        self._show_phases()
        self._offer()

    def cleanup(self) -> None:
        """The panel goes: what was laid over the images goes too."""
        self._overlays.remove()
        self.versions.remove_outlines()
        self._follower.follow(None, None)
        self.editor.cleanup()

    # --- within -------------------------------------------------------------------------------------------------

    def _drawing_stamp(self) -> tuple[Any, ...]:
        return self._panel.logic.desk.stamp(self.case_id) if self.case_id and self._panel.has_cohort else ()

    def _phase(self) -> PhaseInScene | None:
        study = self._panel.logic.loadedStudy()
        return None if study is None else study.phase(self.case_id)

    def _connect(self, anew: bool = True) -> None:
        """Tie editor and strip to the nodes of the case."""
        phase = self._phase() if self.case_id else None
        image = None if phase is None else phase.image
        self.editor.edit(phase if image is not None else None)
        if anew or image is None:
            self.strip.show_case(0 if image is None else image.GetImageData().GetDimensions()[2])
        self._follower.follow(self._panel.studies.views.slice_node(self.case_id) if image is not None else None, image)

    def _known(self, facts: CaseFacts) -> None:
        if facts.case_id != self.case_id:
            return
        self._facts = facts
        self.strip.show_doubt(facts.doubt)
        self.versions.show(facts)
        self._overlays.look_at(self.case_id, bool(facts.doubt))
        standing = facts.standing
        self._ui.stateLabel.text = (
            _("no label")
            if standing is None
            else _("{state}, from {source}").format(state=state_name(standing.state), source=standing.source)
        )
        self._moved(self.strip.current)
        self.update()

    def _compared(self, case_id: str, asked: int, changes: Changes) -> None:
        # Threads may answer in another order than they were asked in: what was drawn before does not count again.
        if case_id == self.case_id and asked > self._answered:
            self._answered = asked
            self._changed = bool(changes.slices)
            self.strip.mark_changed(changes.touched if changes.axis == 0 else changes.by_axis[0])
            self._moved(self.strip.current)
            self.update()

    def _not_to_copy(self) -> list[str]:
        if not self.case_id:
            return [_("Choose a case in the queue.")]
        missing = []
        standing = None if self._facts is None else self._facts.standing
        if standing is None or standing.state not in VOUCHED:
            missing.append(_("Accept or correct the label first: only what a person has vouched for is copied."))
        elif self._changed:
            missing.append(_("Record what you have drawn first (“Correct and next”, then “Back”)."))
        study = self._panel.logic.loadedStudy()
        if study is not None and len(study.phases) < 2:
            missing.append(_("The study has no other phase."))
        return missing

    def _show_phases(self) -> None:
        study = self._panel.logic.loadedStudy() if self.case_id else None
        box = self._ui.caseBox
        box.blockSignals(True)
        box.clear()
        if study is not None:
            for phase in in_order(study):
                box.addItem(f"{study.patient} · {phase.phase}", phase.case_id)
        box.setCurrentIndex(box.findData(self.case_id))
        box.blockSignals(False)

    def _phase_chosen(self, index: int) -> None:
        self._panel.look_at(self._ui.caseBox.itemData(index))

    def _jump(self, index: int) -> None:
        self._panel.studies.views.jump(self.case_id, index, 0)

    def _moved(self, index: int) -> None:
        self.strip.mark_current(index)
        self._ui.sliceLabel.text = self.strip.words(index)

    def _save_state(self, case_id: str) -> Callable[[], Any] | None:
        study = self._panel.logic.loadedStudy()
        phase = None if study is None else study.phase(case_id)
        return None if phase is None else self.editor.save_state_for(phase.segmentation)

    def _taken_back(self, label: Any) -> None:
        from LiverSegSSLPanel.notices import Notice

        self._stamp = ()
        self._say(_("Version {version} counts again.").format(version=label.version), False)
        self._panel.tell(Notice.LABELS)
