"""Answers that take a moment, worked out beside the GUI."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any

import qt

_POLL_MS = 50
_LET_RUN_S = 0.02
"""Each poll waits this long: a thread of Python's runs only while the GUI thread is not in Python."""


class Background:
    """One question at a time, asked of a thread; the last one that was asked counts.

    :param answered: called in the GUI thread when the answer to the last question is there.
    """

    def __init__(self, answered: Callable[[], None]) -> None:
        self._answered = answered
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="asking")
        self._running: tuple[Hashable, Future[Any]] | None = None
        self._asked: tuple[Hashable, Callable[[], Any]] | None = None
        self._answer: tuple[Hashable, Any] | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self._timer.connect("timeout()", self._poll)

    def ask(self, key: Hashable, question: Callable[[], Any]) -> Any:
        """The answer to a question, or ``None`` while it is worked out.

        :param key: tells one question from another; the same one is not asked twice in a row.
        :param question: must touch neither widgets nor the scene.
        """
        if self._answer is not None and self._answer[0] == key:
            self._asked = None
            return self._answer[1]
        self._asked = None if self._running is not None and self._running[0] == key else (key, question)
        self._begin()
        return None

    def forget(self) -> None:
        """The answer may be another one now."""
        self._answer = None

    def cleanup(self) -> None:
        """Nobody wants to know any more."""
        self._timer.stop()
        self._timer.disconnect("timeout()", self._poll)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        if self._running is None and self._asked is not None:
            key, question = self._asked
            self._asked = None
            self._running = (key, self._executor.submit(question))
        if self._running is not None:
            self._timer.start()

    def _poll(self) -> None:
        if self._running is not None:
            key, future = self._running
            wait_for([future], _LET_RUN_S)
            if not future.done():
                return
            self._running = None
            self._answer = (key, future.result())
        if self._asked is not None:
            self._begin()
            return
        self._timer.stop()
        self._answered()
