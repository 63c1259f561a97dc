"""Hearing what the jobs say, without ever waiting for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.timers import Timer

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.panel import Panel

POLL_MS = 200

CHANGE_LABELS = frozenset({"propose", "score", "select", "train", "run", "predict", "review"})
"""Verbs after which the ledger may say something else."""


class JobWatch:
    """Polls the jobs with a timer, for as long as there are any."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._watched: list[tuple[RunningJob, Callable[[RunningJob], None] | None]] = []
        self._timer = Timer(self._poll, POLL_MS)

    def watch(self, job: RunningJob, ended: Callable[[RunningJob], None] | None = None) -> None:
        """Listen to a job from now on.

        :param ended: is called once it has ended, however; the labels have been told of by then.
        """
        self._watched.append((job, ended))
        self._timer.start()
        self._tell(job)

    @property
    def running(self) -> list[RunningJob]:
        """The jobs that have not ended."""
        return [job for job, _ended in self._watched]

    def cleanup(self) -> None:
        """Stop listening; the jobs go on."""
        self._timer.cleanup()
        self._watched.clear()

    def _poll(self) -> None:
        for watched in list(self._watched):
            job, ended = watched
            news = job.poll()
            if job.running:
                if news:
                    self._tell(job)
                continue
            job.poll()  # its last words may have come since
            self._watched.remove(watched)
            self._tell(job)
            if job.verb in CHANGE_LABELS and self._panel.has_cohort:
                self._panel.tell(Notice.LABELS)
            if ended is not None:
                ended(job)
        if not self._watched:
            self._timer.stop()

    def _tell(self, job: Any) -> None:
        self._panel.tell(Notice.JOB, job)
