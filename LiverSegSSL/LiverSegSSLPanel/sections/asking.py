"""One question under way at a time: asked again meanwhile, it is asked anew when the answer has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from LiverSegSSLPanel.sections.task_watch import TaskWatch
from LiverSegSSLPanel.task import Task

T = TypeVar("T")


class Asking(Generic[T]):
    """A question that is asked again and again.

    :param begin: begins to work the answer out; ``None``: there is nothing to ask any more.
    :param answered: called with it, unless the question has been asked anew.
    """

    def __init__(self, tasks: TaskWatch, begin: Callable[[], Task[T] | None], answered: Callable[[T], None]) -> None:
        self._tasks, self._begin, self._answered = tasks, begin, answered
        self._under_way = self._again = False

    def ask(self) -> None:
        """Ask, or ask anew."""
        if self._under_way:
            self._again = True
            return
        self._again = False
        task = self._begin()
        if task is not None:
            self._under_way = True
            self._tasks.follow(task, self._came, self._failed)

    def _came(self, answer: Any) -> None:
        self._under_way = False
        if self._again:
            self.ask()
        else:
            self._answered(answer)

    def _failed(self, text: str) -> None:
        self._under_way = False
        if self._again:
            self.ask()
        else:
            self._tasks.tell(text)
