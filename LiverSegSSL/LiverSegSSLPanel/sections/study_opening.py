"""Bringing a study into the scene and before the eyes, in pieces, so that the window stays alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.timers import Timer
from LiverSegSSLPanel.views import MOST_VIEWS, StudyViews, in_order

if TYPE_CHECKING:
    from LiverSegSSLLib.errors import LiverSegError
    from LiverSegSSLPanel.loading import StudyLoading
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.scene.study import PhaseInScene, StudyInScene

POLL_MS = 20

_SETTLED_MS = 100
"""After a change of the layout the views have their sizes."""


class StudyOpening:
    """The study on its way into the scene, and the views that show it."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._loading: StudyLoading | None = None
        self._case_id = ""
        self._left_out: frozenset[str] = frozenset()  # phases that the person does not want to see
        self.errors: dict[str, LiverSegError] = {}
        """By case id: the phases of the last study that could not be shown, and why."""
        self.views = StudyViews()
        self._timer = Timer(self._poll, POLL_MS)
        self._shown: tuple[tuple[str, ...], ...] = ()
        self._check = Timer(self._look, once=True)
        self._opened = Timer(self._show_scene, once=True)
        self._keeping = Timer(self._keep, POLL_MS)
        self._settled = Timer(self.views.fit, _SETTLED_MS, once=True)
        panel.listen(Notice.CASE, self._look_at)

    @property
    def loading(self) -> bool:
        """Whether a study is on its way."""
        return self._loading is not None

    @property
    def progress(self) -> tuple[str, int, int]:
        """The study on its way, its phases that have been read, and all of them; empty and 0: none is."""
        loading = self._loading
        return ("", 0, 0) if loading is None else (loading.study.key, loading.done, loading.total)

    def open(self, study: str, case_id: str = "") -> None:
        """Show a study; STUDY is told when it is there, and CASE if a case of it is to be looked at.

        :raises LiverSegError: there is no such study.
        """
        self._case_id = case_id
        shown = self._panel.logic.loadedStudy()
        if not self.loading and shown is not None and shown.key == study:
            self._arrange()
            return
        self._panel.look_at("")
        self._stop()
        self._loading = self._panel.logic.beginLoading(study)
        self.errors = {}
        self._timer.start()
        self._panel.tell(Notice.LOADING)

    def close(self) -> None:
        """Take our study out of the scene; work in progress is kept."""
        self._stop()
        self._panel.look_at("")
        self._panel.logic.closeStudy()
        self._keeping.start()
        self.errors = {}
        self.views.restore()
        self._tell()

    def show_only(self, case_ids: tuple[str, ...]) -> None:
        """Show these phases of the study, and of the next ones too; six at most."""
        study = self._panel.logic.loadedStudy()
        if study is None or not case_ids:
            return
        self._left_out = frozenset(phase.phase for phase in study.phases if phase.case_id not in case_ids)
        self._show(study, case_ids)
        self._panel.tell(Notice.LOADING)

    def scene_closes(self) -> None:
        """A scene is about to be closed: what is on its way does not arrive any more, and the user's layout comes back
        (now: when the scene is closed, Slicer takes up again whatever layout was the last one)."""
        self._stop()
        self._opened.stop()
        self._panel.look_at("")
        self.views.restore()

    def scene_opened(self) -> None:
        """Another scene is there, perhaps with a study of ours in it: it is shown once Slicer has made its views, which
        it does when all of the scene has been read."""
        self._opened.start(0)

    def _show_scene(self) -> None:
        if slicer.mrmlScene.IsBatchProcessing():
            self._opened.start(POLL_MS)
        else:
            self._show_loaded()

    def check_later(self) -> None:
        """See, once the scene has come to rest, whether nodes of the study have gone."""
        self._check.start(0)

    def cleanup(self) -> None:
        """Stop loading; what is in the scene stays."""
        self._stop()
        self._timer.cleanup()
        self._check.cleanup()
        self._opened.cleanup()
        self._keeping.cleanup()
        self._settled.cleanup()
        self.views.cleanup()

    def _stop(self) -> None:
        self._timer.stop()
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None

    def _keep(self) -> None:
        if not self._panel.logic.keepingWork:
            self._keeping.stop()

    def _poll(self) -> None:
        loading = self._loading
        if loading is None:
            return
        done = loading.done
        if loading.poll():
            self._stop()
            self.errors = dict(loading.errors)
            self._arrange()
        if loading.done != done:
            self._panel.tell(Notice.LOADING)

    def _arrange(self) -> None:
        study = self._show_loaded()
        if study is not None and study.phase(self._case_id) is not None:
            self._panel.look_at(self._case_id)

    def _show_loaded(self) -> StudyInScene | None:
        study = self._panel.logic.loadedStudy()
        if study is None:
            self.views.restore()
        else:
            self._show(study, self._chosen(study))
        self._tell()
        return study

    def _show(self, study: StudyInScene, case_ids: tuple[str, ...]) -> None:
        self.views.show(study, case_ids)
        self._settled.start()

    def _chosen(self, study: StudyInScene) -> tuple[str, ...]:
        """The cases of a study to show: what the person has not left out; all if nothing else is left."""
        phases = in_order(study)
        wanted = [phase for phase in phases if phase.phase not in self._left_out] or phases
        return _ids(wanted[:MOST_VIEWS])

    def _look_at(self, case_id: str) -> None:
        """Whatever case is looked at is shown."""
        study = self._panel.logic.loadedStudy()
        phase = None if study is None else study.phase(case_id)
        if study is not None and phase is not None and phase.image is not None and case_id not in self.views.shown:
            self._show(study, (*self.views.shown[: MOST_VIEWS - 1], case_id))
            self._panel.tell(Notice.LOADING)
        self.views.look_at(case_id)

    def _look(self) -> None:
        if slicer.mrmlScene.IsBatchProcessing():
            self._check.start(POLL_MS)
            return
        if self.loading or self._nodes() == self._shown:
            return
        study = self._panel.logic.loadedStudy()
        if study is None:
            self.views.restore()
        elif not set(self.views.shown) <= set(_ids(in_order(study))):
            self._show(study, self._chosen(study))
        self._tell()

    def _tell(self) -> None:
        self._shown = self._nodes()
        study = self._panel.logic.loadedStudy()
        if study is None or study.phase(self._panel.case_id) is None:
            self._panel.look_at("")
        self._panel.tell(Notice.STUDY)

    def _nodes(self) -> tuple[tuple[str, ...], ...]:
        study = self._panel.logic.loadedStudy()
        if study is None:
            return ()
        ids = ((phase.image, phase.segmentation, *phase.overlays) for phase in study.phases)
        return tuple(tuple("" if node is None else node.GetID() for node in nodes) for nodes in ids)


def _ids(phases: list[PhaseInScene]) -> tuple[str, ...]:
    return tuple(phase.case_id for phase in phases)
