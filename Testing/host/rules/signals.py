"""Signals: connected by string or by attribute, with PythonQt's number of arguments and its strong references."""

import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import shiboken6
from PySide6 import QtCore

from .calls import Wrapping, unwrap, wrap
from .members import class_name, meta_object
from .troubles import TROUBLES, guarded

CO_VARARGS = 0x04


class Link:
    """A connection that Python made. It holds the callable, as PythonQt does, and ends with the sender."""

    def __init__(self, sender: QtCore.QObject, signature: str, target: Callable, connection: Any) -> None:
        self.signature = signature
        self.target = target
        self.connection = connection
        # A sender that C++ owns lives on without Python's object for it, which is then kept here to be found again.
        self._held = None if shiboken6.ownedByPython(sender) else sender
        self._sender = weakref.ref(sender)

    @property
    def sender(self) -> QtCore.QObject | None:
        """The sender, None when it is gone."""
        sender = self._sender()
        return sender if sender is not None and shiboken6.isValid(sender) else None

    def __str__(self) -> str:
        name = getattr(self.target, "__qualname__", repr(self.target))
        return f"{class_name(self.sender) if self.sender else 'gone'}.{self.signature} -> {name}"


LINKS: list[Link] = []


def signatures(native: QtCore.QObject, name: str | None = None) -> Iterator[str]:
    """The signals of an object, as `name(types)`, the ones of its class last."""
    meta = meta_object(native)
    for index in range(meta.methodCount()):
        method = meta.method(index)
        if method.methodType() == QtCore.QMetaMethod.MethodType.Signal:
            signature = bytes(method.methodSignature().data()).decode()
            if name is None or signature.startswith(f"{name}("):
                yield signature


def find_signature(native: QtCore.QObject, signal: str) -> str | None:
    """The signature that Qt knows for a signal as PythonQt names it, or None. Our stand-ins carry VTK objects as Python
    objects and list the C++ spelling in `signal_names`."""
    normalized: Any = QtCore.QMetaObject.normalizedSignature
    wanted = bytes(normalized(signal).data()).decode()
    for base in type(native).__mro__:
        if wanted in base.__dict__.get("signal_names", ()):
            return re.sub(r"vtk\w+\*|vtkIdType", "PyObject", wanted)
    declared = {
        re.sub(r"vtk\w+\*|vtkIdType", "PyObject", known)
        for base in type(native).__mro__
        for known in base.__dict__.get("signal_names", ())
    }
    return wanted if wanted in set(signatures(native)) and wanted not in declared else None


def first_signature(native: QtCore.QObject, name: str) -> str:
    """The overload that `object.name.connect` takes: the first one declared."""
    return next(signatures(native, name))


def argument_count(target: Callable) -> int | None:
    """How many arguments of a signal PythonQt passes to a callable, None for all: functions and bound methods without
    `*args` get as many as they have positional parameters, with a default or without."""
    function = getattr(target, "__func__", target)
    code = getattr(function, "__code__", None)
    if code is None or not (hasattr(target, "__func__") or type(target).__name__ == "function"):
        return None
    if code.co_flags & CO_VARARGS:
        return None
    return code.co_argcount - (1 if hasattr(target, "__func__") else 0)


def connect(native: QtCore.QObject, signal: str, target: Callable) -> bool:
    """Connect a signal.

    Raises:
        AttributeError: the signal does not exist. PythonQt only prints it; here it is kept as a trouble too.
        TypeError: the target cannot be called.
    """
    signature = find_signature(native, signal)
    if signature is None:
        _missing(native, signal)
    if not callable(target):
        raise TypeError(f"{class_name(native)}.connect('{signal}', …): {target!r} cannot be called")
    link_signature = str(signature)
    count = argument_count(target)
    name = getattr(target, "__qualname__", repr(target))

    def deliver(*args):  # type: ignore[no-untyped-def]
        target(*[wrap(value) for value in (args if count is None else args[:count])])

    receiver = guarded(deliver, f"slot {name} of {class_name(native)}.{signal}")
    connection = QtCore.QObject.connect(native, QtCore.SIGNAL(link_signature), receiver)
    if not connection:
        _missing(native, signal)
    LINKS.append(Link(native, link_signature, target, connection))
    return True


def disconnect(native: QtCore.QObject, signal: str, target: Callable | None) -> bool:
    """Undo `connect`; without a target all that Python connected to the signal. False when there was nothing.

    Raises:
        AttributeError: the signal does not exist.
    """
    signature = find_signature(native, signal)
    if signature is None:
        _missing(native, signal)
    found = [
        link
        for link in LINKS
        if link.sender is native and link.signature == signature and (target is None or link.target == target)
    ]
    for link in found if target is None else found[:1]:
        if link.sender is not None:
            QtCore.QObject.disconnect(link.connection)
        LINKS.remove(link)
    return bool(found)


def forget_dead_links() -> None:
    LINKS[:] = [link for link in LINKS if link.sender is not None]


def _missing(native: QtCore.QObject, signal: str) -> None:
    name = signal.partition("(")[0]
    known = ", ".join(signatures(native, name)) or "no signal of that name"
    text = f"{class_name(native)} has no signal '{signal}' ({known})"
    TROUBLES.add("signal", text)
    raise AttributeError(text)


class BoundSignal:
    """`object.signal`: connect, disconnect, emit, and called it emits."""

    def __init__(self, wrapper: Any, name: str) -> None:
        self._wrapper = wrapper
        self._name = name

    def connect(self, target: Callable) -> bool:
        native = Wrapping.to_native(self._wrapper)
        return connect(native, _spelling(native, first_signature(native, self._name)), target)

    def disconnect(self, target: Callable | None = None) -> bool:
        native = Wrapping.to_native(self._wrapper)
        return disconnect(native, _spelling(native, first_signature(native, self._name)), target)

    def emit(self, *args: Any) -> None:
        getattr(Wrapping.to_native(self._wrapper), self._name).emit(*[unwrap(value) for value in args])

    __call__ = emit


def _spelling(native: QtCore.QObject, signature: str) -> str:
    """The C++ spelling of a signature of our stand-ins."""
    for base in type(native).__mro__:
        for known in base.__dict__.get("signal_names", ()):
            if re.sub(r"vtk\w+\*|vtkIdType", "PyObject", known) == signature:
                return str(known)
    return signature
