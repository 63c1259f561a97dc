"""What the sections of the panel share: the logic, the parameters of the scene, and word of what has happened."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from LiverSegSSLPanel.library import Readiness
from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.sections.job_watch import JobWatch
from LiverSegSSLPanel.sections.study_opening import StudyOpening

if TYPE_CHECKING:
    from LiverSegSSLPanel.logic import Logic

Listener = Callable[..., None]


class Panel:
    """The sections know this and not each other: who changes something tells, who shows it listens.

    :param resource: path of a file of the module, by its name below ``Resources``.
    """

    def __init__(self, logic: Logic, resource: Callable[[str], str]) -> None:
        self.logic = logic
        self.resource = resource
        self.parameters: Any = None
        """The parameter node's wrapper; ``None`` while a scene is closed."""
        self.readiness = Readiness(True)
        """Whether the Python that runs the jobs has all that they need; before it was asked, that it has."""
        self.has_gpu: bool | None = None
        """Whether there is a GPU that jobs would take by themselves; ``None``: it has not been asked."""
        self.case_id = ""
        """The case that is looked at, in Review and in the views."""
        self._listeners: dict[Notice, list[Listener]] = {notice: [] for notice in Notice}
        self.jobs = JobWatch(self)
        self.studies = StudyOpening(self)

    def listen(self, notice: Notice, listener: Listener) -> None:
        """Have a function called whenever something of this kind has happened."""
        self._listeners[notice].append(listener)

    def tell(self, notice: Notice, *what: Any) -> None:
        """Say that something has happened. A listener that fails keeps nobody else from hearing it."""
        for listener in list(self._listeners[notice]):
            try:
                listener(*what)
            except Exception:
                logging.getLogger(__name__).exception("A part of the panel could not follow: %s", notice.value)

    def look_at(self, case_id: str) -> None:
        """Make a case the one that is looked at."""
        if case_id != self.case_id:
            self.case_id = case_id
            self.tell(Notice.CASE, case_id)

    @property
    def device(self) -> str:
        """What jobs compute on: ``cuda``, ``mps`` or ``cpu``; ``auto``: nobody knows yet."""
        chosen = self.logic.device
        return chosen if chosen != "auto" or self.has_gpu is None else "cuda" if self.has_gpu else "cpu"

    @property
    def has_cohort(self) -> bool:
        """Whether a cohort is open."""
        return self.logic.hasCohort

    def cleanup(self) -> None:
        """Nobody is told anything any more, no timer runs on; jobs go on."""
        for listeners in self._listeners.values():
            listeners.clear()
        self.jobs.cleanup()
        self.studies.cleanup()
