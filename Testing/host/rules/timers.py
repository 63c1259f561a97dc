"""Timers: which ones still run when the panel is gone."""

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore

from .calls import refuse_path
from .troubles import guarded

_TIMERS: "weakref.WeakSet[QtCore.QTimer]" = weakref.WeakSet()
PENDING: list[str] = []


class Timer(QtCore.QTimer):
    """A QTimer that is known to the host."""

    _host_shell = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        _TIMERS.add(self)


def running_timers() -> list[str]:
    """The timers that run, and the single shots that have not fired, in words."""
    alive = [timer for timer in _TIMERS if shiboken6.isValid(timer) and timer.isActive()]
    named = [f"timer {timer.objectName() or '(no name)'}, every {timer.interval()} ms" for timer in alive]
    return named + [f"single shot of {name}" for name in PENDING]


def start_single_shot(milliseconds: int, *target: Any) -> None:
    """`qt.QTimer.singleShot(ms, callable)`, also with a receiver and the name of its slot."""
    refuse_path(milliseconds, "QTimer.singleShot")
    callback: Callable = getattr(target[0], target[1].partition("(")[0]) if len(target) == 2 else target[0]
    if not callable(callback):
        raise TypeError(f"QTimer.singleShot: {callback!r} cannot be called")
    name = getattr(callback, "__qualname__", repr(callback))
    PENDING.append(name)
    run = guarded(lambda: callback(), f"single shot of {name}")

    def fire() -> None:
        if name in PENDING:
            PENDING.remove(name)
        run()

    QtCore.QTimer.singleShot(milliseconds, fire)


def stop_all() -> None:
    for timer in list(_TIMERS):
        if shiboken6.isValid(timer):
            timer.stop()
    PENDING.clear()
