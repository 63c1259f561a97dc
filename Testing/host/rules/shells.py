"""What PySide6 makes when Python makes an object: of a class derived in Python, one that calls its methods."""

import inspect
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

from .calls import unwrap, with_enums, wrap
from .settings import Settings
from .timers import Timer
from .troubles import TROUBLES

# Where the PySide6 object keeps the way to its wrapper.
WRAPPER = "_host_wrapper"

# What is made in place of a Qt class: the same, with eyes for the host.
SUBSTITUTES: dict[type, type] = {QtCore.QTimer: Timer, QtCore.QSettings: Settings}


def is_plain(cls: type) -> bool:
    """Whether a wrapper class stands for a Qt class, and was not derived in Python."""
    return "_native_type" in cls.__dict__


def shell_type(cls: Any) -> type:
    """The PySide6 class to make for a wrapper class."""
    base: type = SUBSTITUTES.get(cls._native_type, cls._native_type)
    if is_plain(cls):
        return base
    if "_shell" not in cls.__dict__:
        own = [klass for klass in cls.__mro__ if hasattr(klass, "_native_type") and not is_plain(klass)]
        names = {name for klass in own for name, value in klass.__dict__.items() if inspect.isfunction(value)}
        overridden = {name for name in names if not name.startswith("_") and callable(getattr(base, name, None))}
        namespace = {name: _override(base, name) for name in sorted(overridden)}
        type.__setattr__(cls, "_shell", type(base)(cls.__name__, (base,), {"_host_shell": True, **namespace}))
    shell: type = cls.__dict__["_shell"]
    return shell


def construct(native_type: type, arguments: list[Any]) -> Any:
    """Make a PySide6 object.

    Raises:
        TypeError: no constructor takes the arguments.
    """
    try:
        return native_type(*arguments)
    except TypeError as error:
        base = next(base for base in native_type.__mro__ if base.__module__.startswith("PySide6"))
        for other in with_enums(base, arguments):
            try:
                return native_type(*other)
            except TypeError:
                continue
        raise error


def _override(base: type, name: str) -> Callable:
    def method(native, *args):  # type: ignore[no-untyped-def]
        known = native.__dict__.get(WRAPPER)
        wrapper = known() if known is not None else None
        if wrapper is None or not type.__dict__["__mro__"].__get__(type(wrapper)):
            # Qt calls virtual methods while the object is being made, and while Python takes its class apart.
            return getattr(base, name)(native, *args)
        try:
            return unwrap(getattr(wrapper, name)(*[wrap(value) for value in args]))
        except Exception as error:
            TROUBLES.add_exception(f"{type(wrapper).__name__}.{name}, called by Qt", error)
            return getattr(base, name)(native, *args)

    return method
