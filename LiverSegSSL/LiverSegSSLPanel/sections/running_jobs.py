"""The jobs that run, at the top of the panel: also those that an earlier Slicer left running."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import qt
from slicer.i18n import tr as _

from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.sections.job_words import is_long, job_name, state_in_words, time_left

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.panel import Panel


class RunningJobs:
    """A line for each job that runs, with a button that cancels it; nothing while there is none.

    :param area: the widget that is shown while jobs run; its layout takes the lines.
    """

    def __init__(self, panel: Panel, area: Any) -> None:
        self._panel = panel
        self._area = area
        self._rows: dict[RunningJob, tuple[Any, Any]] = {}
        area.visible = False
        panel.listen(Notice.COHORT, self._find)
        panel.listen(Notice.JOB, self._heard)

    def _find(self) -> None:
        """See whether somebody has left jobs running in the workspace of the cohort that was opened."""
        if self._panel.has_cohort:
            for job in self._panel.logic.findJobs():
                self._panel.jobs.watch(job)

    def _heard(self, job: RunningJob) -> None:
        if job.running and is_long(job):
            self._show(job)
        elif job in self._rows:
            row, _label = self._rows.pop(job)
            self._area.layout().removeWidget(row)
            row.visible = False
            row.deleteLater()
        self._area.visible = bool(self._rows)

    def _show(self, job: RunningJob) -> None:
        if job not in self._rows:
            self._rows[job] = self._add_row(job)
        left = job.seconds_left()
        state = state_in_words(job) if left is None else f"{state_in_words(job)}, {time_left(left)}"
        self._rows[job][1].text = f"{job_name(job)} – {state}"

    def _add_row(self, job: RunningJob) -> tuple[Any, Any]:
        row = qt.QWidget()
        layout = qt.QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        label = qt.QLabel()
        label.objectName = "runningJobLabel"
        label.wordWrap = True
        button = qt.QPushButton(_("Cancel"))
        button.objectName = "runningJobCancelButton"
        button.toolTip = _("Stop the job. What it has finished stays; started again, it goes on from there.")
        button.connect("clicked()", partial(self._cancel, job))
        layout.addWidget(label, 1)
        layout.addWidget(button)
        self._area.layout().addWidget(row)
        return row, label

    def _cancel(self, job: RunningJob) -> None:
        self._rows[job][1].text = _("{name} – Cancelling …").format(name=job_name(job))
        job.cancel(wait=False)
