"""One job as a section shows it: its state in words, a bar, the time left, and a log that can be copied."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.sections.job_words import state_in_words, time_left

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.panel import Panel


class JobView:
    """The job that a section has started last, and the button that starts it and then cancels it.

    :param place: the layout that it is put into.
    :param button: starts the job; while it runs it is Cancel.
    :param start_text: what the button says while nothing runs.
    """

    def __init__(self, panel: Panel, place: Any, button: Any, start_text: str) -> None:
        self.job: RunningJob | None = None
        self._panel = panel
        self._button = button
        self._start_text = start_text
        self._tip = ""
        self._missing: list[str] = []
        self._log = ""
        self._verbs: Collection[str] = ()
        self._adopted = False
        self._adopted_ended: Callable[[RunningJob], None] | None = None
        self._page = slicer.util.loadUI(panel.resource("UI/JobView.ui"))
        self.ui = slicer.util.childWidgetVariables(self._page)
        place.addWidget(self._page)
        self._page.visible = False
        self.ui.copyButton.connect("clicked()", self._copy)
        panel.listen(Notice.JOB, self._heard)
        self.offer([])

    @property
    def running(self) -> bool:
        """Whether its job is at work."""
        return self.job is not None and self.job.running

    def offer(self, missing: list[str], tip: str = "", text: str = "") -> None:
        """Say whether the job can be started.

        :param missing: what is wanting, a line each: the button is disabled and its tooltip lists it.
        :param tip: the tooltip when nothing is wanting.
        :param text: what the button says from now on; empty: what it has said.
        """
        self._missing, self._tip = list(missing), tip
        self._start_text = text or self._start_text
        self._update_button()

    def show(self, job: RunningJob, ended: Callable[[RunningJob], None] | None = None) -> None:
        """Follow a job; ``ended`` is called when it has ended, however."""
        self._follow(job)
        self._panel.jobs.watch(job, ended)

    def hide(self) -> None:
        """Show no job that has ended."""
        if not self.running:
            self._page.visible = False

    @property
    def blocked(self) -> bool:
        """Whether another job of the loop is at work on the cohort that is open: each wants the run for itself."""
        if not self._panel.has_cohort:
            return False
        place = str(self._panel.logic.workspace)
        others = [job for job in self._panel.logic.runningJobs() if job is not self.job and job.detached]
        return any(job.parameters.get("workspace") == place for job in others)

    def adopt(self, verbs: Collection[str], ended: Callable[[RunningJob], None] | None = None) -> None:
        """While no job of its own runs, follow any that is heard of and has one of these verbs: a job that an earlier
        Slicer left running, or another section started. ``ended`` is called when such a job has ended, however."""
        self._verbs, self._adopted_ended = verbs, ended

    def toggle(self, start: Callable[[], RunningJob], ended: Callable[[RunningJob], None] | None = None) -> None:
        """What a click on the button means: cancel the job that runs, else start one."""
        if self.running:
            self.cancel()
        else:
            self.show(start(), ended)

    def cancel(self) -> None:
        """Stop the job that runs."""
        if self.job is not None and self.job.running:
            self.ui.stateLabel.text = _("Cancelling …")
            self.job.cancel(wait=False)

    def _follow(self, job: RunningJob) -> None:
        self.job = job
        self._adopted = False
        self._page.visible = True
        self._log = ""
        self.ui.logText.setPlainText("")

    def _heard(self, job: RunningJob) -> None:
        if job is not self.job and job.running and job.verb in self._verbs and not self.running:
            self._follow(job)
            self._adopted = True
        if job is not self.job:
            return
        self.ui.stateLabel.text = state_in_words(job)
        self._show_progress(job)
        log = job.log()
        if log != self._log:
            self._log = log
            self.ui.logText.setPlainText(log)
            self.ui.logText.moveCursor(qt.QTextCursor.End)
        self._update_button()
        if self._adopted and not job.running:
            self._adopted = False
            if self._adopted_ended is not None:
                self._adopted_ended(job)

    def _show_progress(self, job: RunningJob) -> None:
        bar = self.ui.progressBar
        bar.visible = job.running
        bar.setRange(0, job.total)  # 0 to 0: busy, nobody knows how long
        bar.setValue(job.done)
        left = job.seconds_left() if job.running else None
        self.ui.timeLabel.text = "" if left is None else time_left(left)

    def _update_button(self) -> None:
        running = self.running
        self._button.text = _("Cancel") if running else self._start_text
        self._button.enabled = running or not self._missing
        self._button.toolTip = (
            _("Stop the job. What it has finished stays; started again, it goes on from there.")
            if running
            else "\n".join(self._missing) or self._tip
        )

    def _copy(self) -> None:
        slicer.app.clipboard().setText(self._log)
