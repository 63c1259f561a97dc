"""What a name means on a Qt class, in PythonQt's order: property, method, signal, enumeration, nested class."""

import enum
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import shiboken6
from PySide6 import QtCore

from .enums import is_enum_class

# PythonQt's spelling of names that Python reserved once.
RENAMED = {"exec_": "exec", "print_": "print"}

# Exists in the stand-in's Qt 6 only: Slicer 5.10 to 5.13 are built with Qt 5.15.
QT6_ONLY = {
    ("QCheckBox", "checkStateChanged"),
    ("QMouseEvent", "position"),
    ("QMouseEvent", "globalPosition"),
    ("QMouseEvent", "points"),
    ("QHoverEvent", "position"),
    ("QDropEvent", "position"),
    ("QComboBox", "labelDrawingMode"),
    ("QLineEdit", "timerEvent"),
    ("QStyleHints", "colorScheme"),
    ("QStyleHints", "colorSchemeChanged"),
    ("QMenu", "addSection_"),
    ("QTimer", "callOnTimeout"),
    ("QTimer", "id"),
}

# PySide6's own, which PythonQt objects do not have.
PYSIDE_ONLY = {"staticMetaObject", "emit", "receivers", "isSignalConnected", "disconnectNotify", "connectNotify"}


@dataclass(frozen=True)
class Member:
    """`kind`: property, method, signal, enum, nested; `native`: what PySide6 has under the name."""

    kind: str
    native: Any


def of_host(native_type: type) -> bool:
    """Whether a class is one of our own stand-ins (ctk, qMRML, qSlicer) and not one of PySide6."""
    return native_type.__module__.startswith(__package__.rsplit(".", 1)[0])


@functools.cache
def find_member(native_type: type, name: str) -> Member | None:
    """The member `name` of a PySide6 class or of one of our stand-ins, or None. `_`-names are nobody's business."""
    if name.startswith("_") or name in PYSIDE_ONLY:
        return None
    if any((base.__name__, name) in QT6_ONLY for base in native_type.__mro__):
        return None
    meta = getattr(native_type, "staticMetaObject", None)
    if meta is not None and meta.indexOfProperty(name) >= 0:
        return Member("property", name)
    name = RENAMED.get(name, name)
    native = getattr(native_type, name, None)
    if native is None:
        return None
    if isinstance(native, QtCore.Signal):
        return Member("signal", native)
    if isinstance(native, enum.Enum) or is_enum_class(native):
        return Member("enum", native)
    if isinstance(native, type) and issubclass(native, shiboken6.Object):
        return Member("nested", native)
    return Member("method", native) if isinstance(native, Callable) else None  # type: ignore[arg-type]


@functools.cache
def find_static(native_type: type, name: str) -> Member | None:
    """The member `name` of the class itself: unlike on an instance, a static method hides a property of its name
    (`qt.QTimer.singleShot`)."""
    native = getattr(native_type, RENAMED.get(name, name), None)
    if type(native).__name__ == "builtin_function_or_method" and not name.startswith("_"):
        return Member("method", native)
    member = find_member(native_type, name)
    return None if member is None or member.kind == "property" else member


def class_name(native: Any) -> str:
    """The C++ class name, also of an object whose class was derived in Python."""
    return next(base.__name__ for base in type(native).__mro__ if "_host_shell" not in base.__dict__)


def meta_object(native: Any) -> Any:
    """The meta object of an object's class. `native.metaObject()` is not asked: PySide6 ties what it returns to the
    life of the object, and with the object the class loses its own."""
    return type(native).staticMetaObject
