"""Qt properties as attributes, with the type check of PythonQt, stricter: nothing is converted silently."""

import enum
from typing import Any

from PySide6 import QtCore

from .calls import Wrapping, refuse_path, unwrap, wrap
from .members import meta_object
from .troubles import TROUBLES

WHOLE = {"int", "uint", "qlonglong", "qulonglong", "short", "ushort"}
REAL = {"double", "float", "qreal"}


def read_property(native: QtCore.QObject, name: str) -> Any:
    return wrap(native.property(name))


def write_property(native: QtCore.QObject, name: str, value: Any, class_name: str) -> None:
    """Set a property after checking the type.

    Raises:
        AttributeError: read-only, or the value is of another type (kept as a trouble too).
        TypeError: a pathlib path.
    """
    refuse_path(value, f"{class_name}.{name}")
    meta = meta_object(native)
    described = meta.property(meta.indexOfProperty(name))
    if not described.isWritable():
        raise AttributeError(f"Property '{name}' of {class_name} object is not writable")
    if not accepts(described, value):
        text = (
            f"Property '{name}' of type '{described.typeName()!s}' of {class_name} "
            f"does not accept an object of type {type(value).__name__} ({value!r})"
        )
        TROUBLES.add("property", text)
        raise AttributeError(text)
    plain = unwrap(value)
    if described.isEnumType() and isinstance(plain, enum.Enum):
        plain = plain.value
    native.setProperty(name, plain)


def accepts(described: QtCore.QMetaProperty, value: Any) -> bool:
    """Whether a value has exactly the type of a property."""
    kind = str(described.typeName())
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if described.isEnumType() or kind in WHOLE:
        return is_whole
    if kind == "bool":
        return isinstance(value, bool)
    if kind in REAL:
        return is_whole or isinstance(value, float)
    if kind == "QString":
        return isinstance(value, str)
    if kind == "QStringList":
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if kind.startswith("QVariant") or "PyObject" in kind:
        return not callable(value) or Wrapping.is_wrapper(value)
    if not Wrapping.is_wrapper(value):
        return value is None and kind.endswith("*")
    names = {base.__name__ for base in type(Wrapping.to_native(value)).__mro__}
    return kind.rstrip("*") in names
