"""Properties that only remember."""

from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

KINDS: dict[str, Any] = {"QString": str, "bool": bool, "int": int, "double": float, "QStringList": "QStringList"}


def stored(name: str, kind: str, default: Any, changed: str | None = None) -> tuple[Any, Callable]:
    """A Qt property that keeps its value, and its setter, for a class body: `title, setTitle = stored(...)`.

    `changed` names the signal that carries the new value, or the method to call, after a change.
    """
    key = f"_stored_{name}"

    def read(self):  # type: ignore[no-untyped-def]
        return self.__dict__.get(key, default)

    def write(self, value):  # type: ignore[no-untyped-def]
        if kind == "QStringList":
            value = list(value)
        if value == read(self):
            return
        self.__dict__[key] = value
        if changed is not None:
            target = getattr(self, changed)
            target.emit(value) if hasattr(target, "emit") else target()

    return QtCore.Property(KINDS.get(kind, kind), read, write), write
