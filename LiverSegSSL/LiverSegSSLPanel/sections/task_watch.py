"""Following tasks of the logic without ever waiting for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLPanel.task import Task
from LiverSegSSLPanel.timers import Timer

POLL_MS = 20


class TaskWatch:
    """Polls tasks with a timer, for as long as there are any.

    :param failed: is told in words what goes wrong.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self._failed = failed
        self._followed: list[tuple[Task[Any], Callable[[Any], None] | None, Callable[[str], None]]] = []
        self._timer = Timer(self._poll, POLL_MS)

    def follow(
        self,
        task: Task[Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Have a function called with what came of a task, or another one with what went wrong."""
        self._followed.append((task, done, failed or self._failed))
        self._timer.start()

    def tell(self, text: str) -> None:
        """Say what has gone wrong."""
        self._failed(text)

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._followed)

    def forget(self) -> None:
        """Nobody is told of what is under way; what writes is written all the same."""
        self._followed.clear()
        self._timer.stop()

    def cleanup(self) -> None:
        """The panel goes."""
        self.forget()
        self._timer.cleanup()

    def _poll(self) -> None:
        for followed in list(self._followed):
            task, done, failed = followed
            if followed not in self._followed or not task.poll():
                continue
            self._followed.remove(followed)
            try:
                result = task.result()
            except (LiverSegError, OSError) as error:
                failed(str(error))
                continue
            if done is not None:
                done(result)
        if not self._followed:
            self._timer.stop()
