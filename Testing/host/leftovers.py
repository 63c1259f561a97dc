"""What a panel leaves behind: observers, connections of the application's objects, timers."""

from typing import Any

from PySide6 import QtCore, QtWidgets

from .rules import observers, signals, timers
from .rules.troubles import TROUBLES

_BEFORE: dict[int, tuple[set[int], set[int]]] = {}


def remember(module: Any) -> None:
    """What is there before the panel of a module is made is not its doing."""
    _BEFORE[id(module)] = ({id(one) for one in observers.OBSERVERS}, {id(one) for one in signals.LINKS})


def report(module: Any, host: Any) -> None:
    """Make trouble of everything that the panel should have undone in `cleanup`."""
    if id(module) not in _BEFORE:
        return
    old_observers, old_links = _BEFORE.pop(id(module))
    for observer in observers.live_observers():
        if id(observer) not in old_observers:
            TROUBLES.add("observer", f"{module.name} left an observer: {observer}")
    for link in signals.LINKS:
        if id(link) not in old_links and link.sender is not None and _of_application(link.sender, host):
            TROUBLES.add("connection", f"{module.name} left a connection: {link}")
    for timer in timers.running_timers():
        TROUBLES.add("timer", f"{module.name} left a {timer}")


def _of_application(sender: QtCore.QObject, host: Any) -> bool:
    """Whether the sender was there without the panel, so that it goes on calling a panel that is gone."""
    if sender in (host.application, host.module_manager, host.io_manager, host.layout_manager, host.main_window):
        return True
    return (
        isinstance(sender, QtWidgets.QWidget) and host.main_window is not None and host.main_window.isAncestorOf(sender)
    )


def stop_everything() -> None:
    """End what is left over, so that the next test begins clean."""
    timers.stop_all()
    for link in list(signals.LINKS):
        if link.sender is not None:
            QtCore.QObject.disconnect(link.connection)
    signals.LINKS.clear()
    observers.remove_all()
    _BEFORE.clear()
