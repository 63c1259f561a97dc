"""Something done in pieces: what takes long in a thread, what touches the scene in the thread that polls."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future, wait
from typing import Any, Generic, TypeVar

T = TypeVar("T")

LEND_S = 0.01
"""Slicer's main thread keeps Python to itself while it waits for events: a thread of ours gets on only while somebody
in the main thread waits in Python. So whoever polls waits for this long."""

Steps = Generator[Callable[[], Any], Any, T]
"""Yields functions to be run in a thread, is sent what they return, and returns the result. What stands between the
yields runs in the thread that polls, where the scene may be touched; it should be quick."""


class Task(Generic[T]):
    """Steps under way. The first piece runs at once; after that the caller polls, or waits.

    :param executor: its threads run what takes long. With a single thread, tasks are done in the order in which they
        were begun.
    """

    def __init__(self, steps: Steps[T], executor: Executor) -> None:
        self.finished = False
        """Whether there is a result, or an error."""
        self._steps = steps
        self._executor = executor
        self._result: Any = None
        self._error: BaseException | None = None
        self._piece: Future[Any] | None = None
        self._go_on(lambda: next(steps))

    def poll(self) -> bool:
        """Go on as far as it goes at once; returns whether it has ended."""
        while not self.finished and self._piece is not None:
            wait([self._piece], LEND_S)
            if not self._piece.done():
                break
            self._take(self._piece)
        return self.finished

    def wait(self) -> T:
        """Go on to the end; returns the result, or raises what went wrong."""
        while not self.finished and self._piece is not None:
            wait([self._piece])
            self._take(self._piece)
        return self.result()

    def result(self) -> T:
        """What came of it; raises what went wrong. Only when it has ended."""
        assert self.finished
        if self._error is not None:
            raise self._error
        result: T = self._result
        return result

    def _take(self, piece: Future[Any]) -> None:
        error = piece.exception()
        if error is None:
            self._go_on(lambda: self._steps.send(piece.result()))
        else:
            self._go_on(lambda: self._steps.throw(error))

    def _go_on(self, advance: Callable[[], Callable[[], Any]]) -> None:
        try:
            self._piece = self._executor.submit(advance())
        except StopIteration as end:
            self._result, self.finished = end.value, True
        except Exception as error:  # raised by result(), to whoever wants to know
            self._error, self.finished = error, True
