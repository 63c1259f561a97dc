"""Timers: something is done again and again, or once after a while, until the panel goes."""

from __future__ import annotations

from collections.abc import Callable

import qt


class Timer:
    """Runs in the event loop, so nothing is done at the same time as anything else.

    :param act: what is done.
    :param milliseconds: how long it waits before.
    :param once: it is done once for each start, not again and again; a start meanwhile begins the waiting anew.
    """

    def __init__(self, act: Callable[[], object], milliseconds: int = 0, once: bool = False) -> None:
        self._act = act
        self._milliseconds = milliseconds
        self._timer = qt.QTimer()
        self._timer.setSingleShot(once)
        self._timer.connect("timeout()", act)

    @property
    def active(self) -> bool:
        """Whether it is waiting."""
        return bool(self._timer.active)

    def start(self, milliseconds: int | None = None) -> None:
        """Begin to wait.

        :param milliseconds: another time than the usual one.
        """
        self._timer.start(self._milliseconds if milliseconds is None else milliseconds)

    def stop(self) -> None:
        """Wait no longer."""
        self._timer.stop()

    def cleanup(self) -> None:
        """The panel goes: nothing is done any more."""
        self._timer.stop()
        self._timer.disconnect("timeout()", self._act)
