"""Carrying a label further: corrected slices through their volume, a judged label to the other phases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLPanel.propose_words import outcome
from LiverSegSSLPanel.sections.job_view import JobView

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.reviewing import Propagation
    from LiverSegSSLPanel.sections.task_watch import TaskWatch


class Propagating:
    """The button *Propagate my corrections*, which is Cancel while the job runs.

    :param ui: has ``propagateButton``, ``propagateLayout`` and ``networkBox``.
    :param say: shows a line, of which the second argument says whether something is wrong.
    :param save_state_for: what makes the next change of a case's label one step of undo.
    :param changed: is called when it has begun or ended.
    """

    def __init__(
        self,
        panel: Panel,
        ui: Any,
        tasks: TaskWatch,
        say: Callable[[str, bool], None],
        save_state_for: Callable[[str], Callable[[], Any] | None],
        changed: Callable[[], None],
    ) -> None:
        self._panel, self._tasks = panel, tasks
        self._say, self._save_state_for, self._changed = say, save_state_for, changed
        self._box = ui.networkBox
        self._box.visible = False
        self._case_id = ""
        self._preparing = False
        self._propagation: Propagation | None = None
        self.view = JobView(panel, ui.propagateLayout, ui.propagateButton, _("Propagate my corrections"))
        ui.propagateButton.connect("clicked()", self._clicked)

    def offer(self, case_id: str, missing: str) -> None:
        """Offer it for a case, or say why not."""
        self._case_id = case_id
        missing = _("The corrections are being handed over …") if self._preparing else missing
        tip = _("The slices that you have changed are the example; the others follow. Undo takes it back.")
        self.view.offer([missing] if missing else [], tip)

    def at_work_on(self, case_id: str) -> bool:
        """Whether corrections of a case are on their way."""
        return self._propagation is not None and self._propagation.case_id == case_id

    def ask_for_network(self) -> None:
        """See whether the network can take part, and offer it only then."""
        self._tasks.follow(self._panel.logic.beginNetworkReady(), self._network_known)

    def _network_known(self, readiness: Any) -> None:
        self._box.visible = readiness.ok

    def _clicked(self) -> None:
        if self.view.running:
            self.view.cancel()
            return
        self._say("", False)
        self._preparing = True
        self.offer(self._case_id, "")
        network = bool(self._box.checked)  # without weights the job does without, and says so
        task = self._panel.logic.preparePropagation(self._case_id, None, network)
        self._tasks.follow(task, self._prepared, self._failed)

    def _prepared(self, propagation: Propagation) -> None:
        self._preparing = False
        self.offer(self._case_id, "")
        self._propagation = propagation
        self.view.show(propagation.job, self._ended)
        self._changed()

    def _failed(self, words: str) -> None:
        self._preparing = False
        self.offer(self._case_id, "")
        self._say(words, True)

    def _ended(self, job: RunningJob) -> None:
        propagation, self._propagation = self._propagation, None
        self._changed()
        if propagation is None or propagation.job is not job:
            return
        error = job.error()
        if error is not None:
            self._say(str(error), True)
            return
        save_state = self._save_state_for(propagation.case_id)
        task = self._panel.logic.beginApplying(propagation, save_state)
        self._tasks.follow(task, lambda note: self._say(note, False))


class Copying:
    """The button *Copy to the other phases*, which is Cancel while the job runs.

    :param ui: has ``copyButton`` and ``copyLayout``.
    """

    def __init__(self, panel: Panel, ui: Any, say: Callable[[str, bool], None]) -> None:
        self._panel, self._say = panel, say
        self._case_id = ""
        self.view = JobView(panel, ui.copyLayout, ui.copyButton, _("Copy to the other phases"))
        ui.copyButton.connect("clicked()", self._clicked)

    def offer(self, case_id: str, missing: list[str]) -> None:
        """Offer it for a case, or say why not."""
        self._case_id = case_id
        self.view.offer(missing, _("Propose this label for the other phases of the study, by registration."))

    def _clicked(self) -> None:
        case_id = self._case_id
        try:
            self.view.toggle(lambda: self._panel.logic.copyToOtherPhases(case_id), self._ended)
        except (LiverSegError, OSError) as error:
            self._say(str(error), True)

    def _ended(self, job: RunningJob) -> None:
        error = job.error()
        self._say(outcome(job.result) if error is None else str(error), error is not None)
