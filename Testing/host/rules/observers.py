"""VTK observers made in Python: kept, to find what a panel forgets, and guarded, so that exceptions count."""

import ctypes
import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import vtk

from .troubles import guarded


@dataclass(eq=False)
class Observer:
    """An observer that Python added: on what, of which event, with which tag, and whom it calls."""

    caller: Callable[[], Any]
    class_name: str
    event: Any
    tag: int
    callback: str

    def __str__(self) -> str:
        node = self.caller()
        name = node.GetName() if node is not None and hasattr(node, "GetName") else ""
        return f"{self.class_name} {name}: {_event_name(node, self.event)} -> {self.callback}"


OBSERVERS: list[Observer] = []
_TYPE = vtk.vtkObject
_ADD = _TYPE.__dict__["AddObserver"]
_REMOVE = _TYPE.__dict__["RemoveObserver"]
_REMOVE_MANY = _TYPE.__dict__["RemoveObservers"]
_REMOVE_ALL = _TYPE.__dict__["RemoveAllObservers"]


def observe_quietly(thing: Any, event: Any, callback: Callable) -> int:
    """An observer of the host itself, as the application's C++ would have: not looked for in the end."""
    watched = guarded(callback, "an observer of the host", timed=False)
    if hasattr(callback, "CallDataType"):
        watched.CallDataType = callback.CallDataType  # type: ignore[attr-defined]
    return int(_ADD(thing, event, watched))


def live_observers() -> list[Observer]:
    """The observers that nobody removed, on objects that still are."""
    OBSERVERS[:] = [observer for observer in OBSERVERS if observer.caller() is not None]
    return list(OBSERVERS)


def _add(self: Any, event: Any, callback: Callable, priority: float = 0.0) -> int:
    name = getattr(callback, "__qualname__", repr(callback))
    watched = guarded(callback, f"observer {name} of {self.GetClassName()}")
    if hasattr(callback, "CallDataType"):
        watched.CallDataType = callback.CallDataType  # type: ignore[attr-defined]
    tag = int(_ADD(self, event, watched, priority))
    OBSERVERS.append(Observer(weakref.ref(self), self.GetClassName(), event, tag, name))
    return tag


def _remove(self: Any, tag: Any) -> None:
    _forget(self, lambda observer: observer.tag == tag)
    _REMOVE(self, tag)


def _remove_many(self: Any, event: Any, *command: Any) -> None:
    if not command:
        _forget(self, lambda observer: _event_id(observer.event) == _event_id(event))
    _REMOVE_MANY(self, event, *command)


def _remove_all(self: Any) -> None:
    _forget(self, lambda observer: True)
    _REMOVE_ALL(self)


def _event_id(event: Any) -> int:
    return int(vtk.vtkCommand.GetEventIdFromString(event)) if isinstance(event, str) else int(event)


def _event_name(thing: Any, event: Any) -> str:
    """MRML's own events are numbers that VTK has no names for: they are constants of the class."""
    if isinstance(event, str):
        return event
    known = str(vtk.vtkCommand.GetStringFromEventId(int(event)))
    names = (name for name in dir(type(thing)) if name.endswith("Event") and getattr(type(thing), name) == event)
    return known if known != "NoEvent" else next(names, str(event))


def _forget(thing: Any, wanted: Callable[[Observer], bool]) -> None:
    OBSERVERS[:] = [one for one in OBSERVERS if not (one.caller() is thing and wanted(one))]


def watch(on: bool) -> None:
    """Put the four methods of vtkObject in place of VTK's, or VTK's back. VTK's classes take no
    attributes, so their dictionary is written."""
    ours = {
        "AddObserver": _add,
        "RemoveObserver": _remove,
        "RemoveObservers": _remove_many,
        "RemoveAllObservers": _remove_all,
    }
    theirs = {
        "AddObserver": _ADD,
        "RemoveObserver": _REMOVE,
        "RemoveObservers": _REMOVE_MANY,
        "RemoveAllObservers": _REMOVE_ALL,
    }
    namespace = next(one for one in gc.get_referents(_TYPE.__dict__) if isinstance(one, dict))
    namespace.update(ours if on else theirs)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(_TYPE))


def remove_all() -> None:
    """Remove the observers that are left, so that the next test begins clean."""
    for observer in live_observers():
        _REMOVE(observer.caller(), observer.tag)
    OBSERVERS.clear()
