"""Slicer is closed while jobs run: one question, before Slicer asks about the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegSSLPanel.sections.job_words import is_long, job_name

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.panel import Panel


class _CloseFilter(qt.QObject):
    """Sees that the main window is to be closed before the window does."""

    def __init__(self, may_close: Any) -> None:
        qt.QObject.__init__(self)
        self.may_close = may_close

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if event.type() != qt.QEvent.Close or self.may_close():
            return False
        event.ignore()
        return True


class Closing:
    """Asks what is to become of the jobs that run when the person closes Slicer. Without a main window: nothing.

    Jobs are stopped only once Slicer really ends: the person may still think better of it when Slicer asks about the
    scene.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._to_stop: list[RunningJob] = []
        self._window = slicer.util.mainWindow()
        if self._window is not None:
            self._filter = _CloseFilter(self._may_close)
            self._window.installEventFilter(self._filter)

    def cleanup(self) -> None:
        """Ask no more. Slicer, when it ends, first unloads its modules: that is the last that we hear of it."""
        if self._window is not None:
            self._window.removeEventFilter(self._filter)
            if not self._window.visible:
                self._stop()
            self._window = None

    def _may_close(self) -> bool:
        self._to_stop = []
        jobs = [job for job in self._panel.jobs.running if job.running and is_long(job)]
        if not jobs or not self._window.visible:  # a Mac may send a second event to the window that is closed
            return True
        box = qt.QMessageBox(self._window)
        box.icon = qt.QMessageBox.Question
        box.windowTitle = _("Jobs are running")
        box.text = _question(jobs)
        # On a Mac a native window tells buttons of one role apart badly: each has a role of its own.
        go_on = box.addButton(_("Leave them running"), qt.QMessageBox.AcceptRole) if _lasting(jobs) else None
        stop = box.addButton(_("Stop them"), qt.QMessageBox.DestructiveRole)
        stay = box.addButton(_("Do not close"), qt.QMessageBox.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        box.exec_()
        clicked = box.clickedButton()
        box.deleteLater()
        if clicked == stop:
            self._to_stop = jobs
        return clicked == stop or (go_on is not None and clicked == go_on)

    def _stop(self) -> None:
        for job in self._to_stop:
            job.cancel()


def _lasting(jobs: list[RunningJob]) -> bool:
    return any(job.detached for job in jobs)


def _question(jobs: list[RunningJob]) -> str:
    lasting = ", ".join(job_name(job) for job in jobs if job.detached)
    others = ", ".join(job_name(job) for job in jobs if not job.detached)
    lines = []
    if lasting:
        lines.append(_("Still running: {jobs}.").format(jobs=lasting))
        lines.append(_("Left running, it goes on without Slicer and is found again when the cohort is opened."))
    if others:
        lines.append(_("Ends with Slicer: {jobs}.").format(jobs=others))
    return "\n".join(lines)
