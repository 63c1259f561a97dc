"""Work that was drawn and never recorded: offered after a crash, and put back when its study is opened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from LiverSegSSLLib.cohort.study import split_case_id

if TYPE_CHECKING:
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.scene.study import PhaseInScene
    from LiverSegSSLPanel.sections.task_watch import TaskWatch
    from LiverSegSSLPanel.work import Work

SaveState = Callable[[], Any]


class Recovery:
    """A line with two buttons, shown while there is work that was left.

    :param ui: has ``recoverRow``, ``recoverLabel``, ``recoverButton`` and ``discardButton``.
    :param open_case: opens the study of a case.
    :param put_back: is told the case, and the seconds that were spent on it.
    :param save_state_for: what makes the next change of a segmentation one step of undo.
    :param say: shows a line, of which the second argument says whether something is wrong.
    """

    def __init__(
        self,
        panel: Panel,
        ui: Any,
        tasks: TaskWatch,
        open_case: Callable[[str], None],
        put_back: Callable[[str, float], None],
        save_state_for: Callable[[Any], SaveState | None],
        say: Callable[[str, bool], None],
    ) -> None:
        self._panel, self._tasks = panel, tasks
        self._open_case, self._put_back, self._save_state_for = open_case, put_back, save_state_for
        self._say = say
        self._row, self._label = ui.recoverRow, ui.recoverLabel
        self._left: list[Work] = []
        self._seen: set[str] = set()  # segmentations that were looked at since they came into the scene
        ui.recoverButton.connect("clicked()", self._recover)
        ui.discardButton.connect("clicked()", self._discard)
        self._looking = 0
        self._show([])

    @property
    def looking(self) -> bool:
        """Whether work that was left may be about to be put back: nothing should be kept in its place."""
        return self._looking > 0

    def forget(self) -> None:
        """Another cohort."""
        self._looking = 0
        self._seen.clear()
        self._show([])

    def look(self) -> None:
        """See what was left, and put back what belongs to labels that have just come into the scene."""
        if not self._panel.has_cohort:
            self._show([])
            return
        study = self._panel.logic.loadedStudy()
        phases = [] if study is None else [phase for phase in study.phases if phase.segmentation is not None]
        fresh = [phase for phase in phases if phase.segmentation.GetID() not in self._seen]
        self._seen = {phase.segmentation.GetID() for phase in phases}  # others are gone: a new scene may use their ids
        shown = {phase.case_id for phase in phases}
        task = self._panel.logic.beginRecoverable()
        self._looking += 1
        self._tasks.follow(task, lambda left: self._found(left, fresh, shown), self._failed)

    def _failed(self, words: str) -> None:
        self._looking -= 1
        self._say(words, True)

    def _found(self, left: list[Work], fresh: list[PhaseInScene], shown: set[str]) -> None:
        self._looking -= 1
        self._show([work for work in left if work.case_id not in shown])
        for work in left:
            phase = next((one for one in fresh if one.case_id == work.case_id), None)
            if phase is not None:
                self._begin(work, phase)

    def _begin(self, work: Work, phase: PhaseInScene) -> None:
        words = _("{what} is shown again. Undo takes it away.").format(what=_words(work))
        task = self._panel.logic.beginRecovering(work.case_id, self._save_state_for(phase.segmentation))
        self._looking += 1
        self._tasks.follow(task, lambda seconds: self._done(work.case_id, seconds, words), self._failed)

    def _done(self, case_id: str, seconds: float, words: str) -> None:
        self._looking -= 1
        self._put_back(case_id, seconds)
        self._say(words, False)

    def _show(self, left: list[Work]) -> None:
        self._left = left
        self._row.visible = bool(left)
        if left:
            words = _words(left[0])
            more = _("{words}, and {count} more").format(words=words, count=len(left) - 1)
            self._label.text = words if len(left) == 1 else more

    def _recover(self) -> None:
        self._open_case(self._left[0].case_id)

    def _discard(self) -> None:
        self._panel.logic.discardWork(self._left[0].case_id)
        self._show(self._left[1:])


def _words(work: Work) -> str:
    study, phase = split_case_id(work.case_id)
    when = datetime.fromisoformat(work.saved).astimezone().strftime("%Y-%m-%d %H:%M")
    return _("Unfinished work on {study} {phase} by {reviewer}, {when}").format(
        study=study, phase=phase.value, reviewer=work.reviewer, when=when
    )
