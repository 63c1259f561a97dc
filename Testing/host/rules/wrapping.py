"""The objects themselves: a wrapper class for every Qt class, which reads and writes as PythonQt's do."""

import weakref
from collections.abc import Callable
from typing import Any, cast

import shiboken6
from PySide6 import QtCore

from . import signals
from .calls import Wrapping, call, unwrap, wrap
from .enums import EnumInt, EnumScope
from .members import RENAMED, class_name, find_member, find_static, meta_object
from .popups import POPUPS
from .properties import read_property, write_property
from .shells import SUBSTITUTES, WRAPPER, construct, is_plain, shell_type
from .timers import start_single_shot


class WrapperType(type):
    """The type of wrapper classes: enumerations, static methods and unbound methods are found on the class."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        native_type: type = cls._native_type
        member = find_static(native_type, name)
        if member is None:
            raise AttributeError(f"type object '{native_type.__name__}' has no attribute '{name}'")
        if member.kind == "method":
            return ClassMethod(native_type, name, member.native)
        return _constant(member.native)


class ClassMethod:
    """A method on the class: static, or called with the object first (`qt.QWidget.showEvent(self, event)`)."""

    def __init__(self, native_type: type, name: str, function: Callable) -> None:
        self._native_type = native_type
        self._function = function
        self.__name__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        where = f"{self._native_type.__name__}.{self.__name__}"
        _no_keywords(kwargs, where)
        if where == "QTimer.singleShot":
            return start_single_shot(*args)
        answer = POPUPS.static(self._native_type.__name__, self.__name__, args)
        return call(self._function, args, where) if answer is None else answer.value


class BoundMethod:
    """A method of an object; equal to another one of the same object and name, as `disconnect` needs."""

    def __init__(self, wrapper: "Wrapper", name: str) -> None:
        self.__self__ = wrapper
        self.__name__ = name
        self.__qualname__ = f"{type(wrapper).__name__}.{name}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        _no_keywords(kwargs, self.__qualname__)
        native = native_of(self.__self__)
        if POPUPS.opens_window(native, self.__name__):
            return wrap(POPUPS.run(self.__self__, native, args))
        if self.__name__ == "deleteLater" and POPUPS.opens_window(native, "exec"):
            return POPUPS.delete_later(native)
        # From the object: a name may stand for a static method and for one of the object (QFile.exists).
        return call(getattr(native, RENAMED.get(self.__name__, self.__name__)), args, self.__qualname__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundMethod) and self.__name__ == other.__name__ and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((self.__name__, id(self.__self__)))


class Wrapper(metaclass=WrapperType):
    """A Qt object as Python sees it in Slicer. Attributes of Python exist on classes derived in Python only."""

    _native_type: type = shiboken6.Object
    _native: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "_native" in self.__dict__ and not args:
            # A mixin that calls super().__init__() comes by a second time.
            return
        native_type = shell_type(type(self))
        _no_keywords(kwargs, native_type.__name__)
        arguments = [unwrap(value, native_type.__name__) for value in args]
        _attach(self, construct(native_type, arguments))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")
        native = native_of(self)
        if isinstance(native, QtCore.QObject):
            found = _qobject_attribute(self, native, name)
            if found is not None:
                return found[0]
        member = find_member(SUBSTITUTES.get(self._native_type, self._native_type), name)
        if member is not None:
            if member.kind == "property":
                return read_property(native, name)
            if member.kind == "method":
                return BoundMethod(self, name)
            if member.kind == "signal":
                return signals.BoundSignal(self, name)
            return _constant(member.native)
        if isinstance(native, QtCore.QObject):
            if name in _dynamic_names(native):
                return wrap(native.property(name))
            child = next((child for child in native.children() if child.objectName() == name), None)
            if child is not None:
                return wrap(child)
        raise AttributeError(f"{class_name(native)} has no attribute named '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or "_native" not in self.__dict__:
            if name != "_native" and is_plain(type(self)):
                raise AttributeError(_not_there(self, name))
            object.__setattr__(self, name, value)
            return
        native = native_of(self)
        real_name, member = name, find_member(self._native_type, name)
        if name == "name" and member is None and isinstance(native, QtCore.QObject):
            real_name, member = "objectName", find_member(self._native_type, "objectName")
        if member is not None and member.kind == "property":
            if name == "visible" and value is True and POPUPS.opens_window(native, "show"):
                POPUPS.run(self, native, ())
                return
            write_property(native, real_name, value, class_name(native))
        elif member is not None:
            kind = {"method": "Slot", "signal": "Signal", "enum": "EnumValue", "nested": "Nested class"}[member.kind]
            raise AttributeError(f"{kind} '{name}' can not be overwritten on {type(self).__name__} object")
        elif isinstance(native, QtCore.QObject) and name in _dynamic_names(native):
            native.setProperty(name, unwrap(value, name))
        elif is_plain(type(self)):
            raise AttributeError(_not_there(self, name))
        else:
            object.__setattr__(self, name, value)

    def __bool__(self) -> bool:
        return "_native" in self.__dict__ and shiboken6.isValid(self._native)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Wrapper):
            return NotImplemented
        if isinstance(self._native, QtCore.QObject):
            return self._native is other._native
        return bool(self._native == other._native)

    def __hash__(self) -> int:
        return id(self._native) if isinstance(self._native, QtCore.QObject) else hash(self._native)

    def __repr__(self) -> str:
        state = "" if self else " destroyed"
        return f"<{type(self).__name__}{state} at {id(self._native):#x}>"

    def __str__(self) -> str:
        native = self._native
        return bytes(native.data()).decode() if isinstance(native, QtCore.QByteArray) else repr(self)


def _operator(name: str) -> Callable:
    def operate(self: Wrapper, other: Any) -> Any:
        method = getattr(self._native, name, None)
        return NotImplemented if method is None else wrap(method(unwrap(other)))

    return operate


for _name in ("add", "sub", "mul", "truediv", "lt", "le", "gt", "ge", "and", "or"):
    setattr(Wrapper, f"__{_name}__", _operator(f"__{_name}__"))


def _qobject_attribute(wrapper: Wrapper, native: QtCore.QObject, name: str) -> tuple[Any] | None:
    """What PythonQt adds to every QObject."""
    if name == "name" and find_member(wrapper._native_type, "name") is None:
        return (native.objectName(),)
    if name == "connect":
        return (lambda signal, *target: signals.connect(native, signal, _target(target)),)
    if name == "disconnect":
        return (lambda signal, *target: signals.disconnect(native, signal, _target(target) if target else None),)
    if name == "className":
        return (lambda: class_name(native),)
    if name == "metaObject":
        return (lambda: wrap(meta_object(native)),)
    if name == "delete":
        return (lambda: shiboken6.delete(native),)
    if name == "property":
        return (lambda key: wrap(native.property(key)),)
    if name == "findChildren":
        return (lambda kind, *key: wrap(native.findChildren(kind._native_type, *key)),)
    if name == "findChild":
        return (lambda kind, *key: wrap(native.findChild(kind._native_type, *key)),)
    return None


def _target(target: tuple) -> Callable:
    """A callable, or a receiver and the name of its slot."""
    if len(target) == 2:
        slot: Callable = getattr(target[0], target[1].partition("(")[0])
        return slot
    if len(target) != 1:
        raise TypeError("connect takes a signal and a callable, or a signal, a receiver and a slot")
    only: Callable = target[0]
    return only


def _dynamic_names(native: QtCore.QObject) -> set[str]:
    return {bytes(name.data()).decode() for name in native.dynamicPropertyNames()}


def _constant(native: Any) -> Any:
    if isinstance(native, type):
        return wrapper_type(native) if issubclass(native, shiboken6.Object) else EnumScope(cast(Any, native))
    return EnumInt(native)


def _not_there(wrapper: Wrapper, name: str) -> str:
    return (
        f"'{name}' does not exist on {type(wrapper).__name__} and creating new attributes on C++ objects is not allowed"
    )


def _no_keywords(kwargs: dict, where: str) -> None:
    if kwargs:
        raise TypeError(f"{where}: PythonQt takes no keyword arguments ({', '.join(kwargs)})")


def native_of(wrapper: Wrapper) -> Any:
    """The PySide6 object under a wrapper.

    Raises:
        RuntimeError: a derived class did not call `__init__` of its Qt class.
        ValueError: Qt destroyed the object.
    """
    native = wrapper.__dict__.get("_native")
    if native is None:
        raise RuntimeError(f"{type(wrapper).__name__}.__init__ did not call the __init__ of its Qt class")
    if not shiboken6.isValid(native):
        raise ValueError(f"Trying to use a destroyed {type(wrapper).__name__} object")
    return native


def _attach(wrapper: Wrapper, native: Any) -> None:
    object.__setattr__(wrapper, "_native", native)
    if isinstance(native, QtCore.QObject):
        # A derived object lives as long as its C++ side; a plain wrapper is made anew when it is needed again.
        native.__dict__[WRAPPER] = weakref.ref(wrapper) if is_plain(type(wrapper)) else (lambda: wrapper)


def to_wrapper(native: Any) -> Wrapper:
    """The wrapper of a PySide6 object: the same one as long as somebody holds it."""
    if isinstance(native, QtCore.QObject):
        known = native.__dict__.get(WRAPPER)
        wrapper: Wrapper | None = known() if known is not None else None
        if wrapper is not None:
            return wrapper
    cls = wrapper_type(next(base for base in type(native).__mro__ if "_host_shell" not in base.__dict__))
    wrapper = cls.__new__(cls)
    _attach(wrapper, native)
    return wrapper


_TYPES: dict[type, type[Wrapper]] = {shiboken6.Object: Wrapper}


def wrapper_type(native_type: type) -> type[Wrapper]:
    """The wrapper class of a PySide6 class or of one of our stand-ins."""
    if native_type not in _TYPES:
        bases = tuple(wrapper_type(base) for base in native_type.__bases__ if issubclass(base, shiboken6.Object))
        namespace = {"_native_type": native_type, "__module__": "qt", "__doc__": native_type.__doc__}
        _TYPES[native_type] = cast(Any, WrapperType(native_type.__name__, bases or (Wrapper,), namespace))
    return _TYPES[native_type]


Wrapping.to_wrapper = staticmethod(to_wrapper)
Wrapping.to_native = staticmethod(native_of)
Wrapping.is_wrapper = staticmethod(lambda value: isinstance(value, Wrapper))

__all__ = ["RENAMED", "Wrapper", "native_of", "to_wrapper", "wrapper_type"]
