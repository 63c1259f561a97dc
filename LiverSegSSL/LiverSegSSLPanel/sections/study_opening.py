"""Bringing a study into the scene and before the eyes, in pieces, so that the window stays alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt

from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.views import StudyViews

if TYPE_CHECKING:
    from LiverSegSSLLib.errors import LiverSegError
    from LiverSegSSLPanel.loading import StudyLoading
    from LiverSegSSLPanel.panel import Panel

POLL_MS = 20


class StudyOpening:
    """The study on its way into the scene, and the views that show it."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._loading: StudyLoading | None = None
        self._case_id = ""
        self.errors: dict[str, LiverSegError] = {}
        """By case id: the phases of the last study that could not be shown, and why."""
        self.views = StudyViews()
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._poll)
        self._shown: tuple[tuple[str, ...], ...] = ()
        self._check = qt.QTimer()
        self._check.setSingleShot(True)
        self._check.connect("timeout()", self._look)

    @property
    def loading(self) -> bool:
        """Whether a study is on its way."""
        return self._loading is not None

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
        self._loading = self._panel.logic.beginLoading(study)
        self._timer.start()

    def close(self) -> None:
        """Take our study out of the scene; work in progress is kept."""
        self._stop()
        self._panel.look_at("")
        self._panel.logic.closeStudy()
        self.views.restore()
        self._tell()

    def check_later(self) -> None:
        """See, once the scene has come to rest, whether nodes of the study have gone."""
        self._check.start(0)

    def cleanup(self) -> None:
        """Stop loading; what is in the scene stays."""
        self._stop()
        self._timer.disconnect("timeout()", self._poll)
        self._check.stop()
        self._check.disconnect("timeout()", self._look)
        self.views.cleanup()

    def _stop(self) -> None:
        self._timer.stop()
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None

    def _poll(self) -> None:
        loading = self._loading
        if loading is None or not loading.poll():
            return
        self._stop()
        self.errors = dict(loading.errors)
        self._arrange()

    def _arrange(self) -> None:
        study = self._panel.logic.loadedStudy()
        if study is not None:
            self.views.show(study)
        self._tell()
        if study is not None and study.phase(self._case_id) is not None:
            self._panel.look_at(self._case_id)

    def _look(self) -> None:
        if not self.loading and self._nodes() != self._shown:
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
