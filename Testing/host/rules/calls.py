"""Calls from Python into Qt: what goes in is unwrapped, what comes out is wrapped, integers become enumerations."""

import enum
import inspect
import itertools
import pathlib
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import shiboken6
from shibokensupport.signature import get_signature

from .enums import EnumInt
from .troubles import TROUBLES


class Wrapping:
    """The two functions that `wrapping` fills in: objects refer to calls and calls to objects."""

    to_wrapper: Callable[[Any], Any]
    to_native: Callable[[Any], Any]
    is_wrapper: Callable[[Any], bool]


def refuse_path(value: Any, where: str) -> None:
    """PythonQt knows no pathlib.

    Raises:
        TypeError: the value is a path; it is kept as a trouble too, for code that swallows the error.
    """
    if isinstance(value, pathlib.PurePath):
        TROUBLES.add(
            "argument", f"{where}: {value!r} is a pathlib path, which PythonQt does not convert; give str(path)"
        )
        raise TypeError(f"{where} does not accept a pathlib path")


def unwrap(value: Any, where: str = "") -> Any:
    """A Python value as PySide6 wants it."""
    refuse_path(value, where)
    if Wrapping.is_wrapper(value):
        return Wrapping.to_native(value)
    if isinstance(value, EnumInt):
        return value.member
    if isinstance(value, list | tuple):
        return [unwrap(item, where) for item in value]
    if isinstance(value, dict):
        return {key: unwrap(item, where) for key, item in value.items()}
    return value


def wrap(value: Any) -> Any:
    """A value of PySide6 as PythonQt would give it: enumerations are integers, lists are tuples."""
    if isinstance(value, enum.Enum):
        return EnumInt(value)
    if isinstance(value, shiboken6.Object):
        return Wrapping.to_wrapper(value)
    if isinstance(value, list | tuple):
        return tuple(wrap(item) for item in value)
    if isinstance(value, dict):
        return {key: wrap(item) for key, item in value.items()}
    return value


def call(function: Callable, args: Sequence[Any], where: str) -> Any:
    """Call a method or a constructor of PySide6 with PythonQt's arguments.

    Raises:
        TypeError: no overload takes these arguments, or one is a pathlib path.
    """
    for value in args:
        if inspect.isroutine(value) or (
            callable(value) and not Wrapping.is_wrapper(value) and not isinstance(value, type)
        ):
            raise TypeError(f"{where} does not accept a Python callable; connect a signal instead")
    native = [unwrap(value, where) for value in args]
    try:
        return wrap(function(*native))
    except TypeError as error:
        for other in with_enums(function, native):
            try:
                return wrap(function(*other))
            except TypeError:
                continue
        raise error


def with_enums(function: Callable, args: list[Any]) -> Iterator[list[Any]]:
    """The same arguments with integers as the enumerations (and back) that an overload of `function` asks for."""
    try:
        found = get_signature(function)
    except Exception:
        # Our own stand-ins are plain Python and have no such signature.
        return
    signatures = found if isinstance(found, list) else [found]
    for signature in filter(None, signatures):
        parameters = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        for drop in (1, 0):
            wanted = parameters[drop:] if parameters and parameters[0].name == "self" else parameters
            offset = 1 if drop == 0 else 0
            if offset and (not args or not isinstance(args[0], shiboken6.Object)):
                continue
            converted = [
                _as_kind(value, p.annotation) for value, p in itertools.zip_longest(args, wanted[: len(args)]) if p
            ]
            if len(converted) == len(args) and any(a is not b for a, b in zip(converted, args, strict=True)):
                yield converted


def _as_kind(value: Any, annotation: Any) -> Any:
    if not isinstance(value, int | enum.Enum) or isinstance(value, bool):
        return value
    number = value.value if isinstance(value, enum.Enum) else value
    choices = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    for choice in typing.get_args(annotation) or choices:
        if isinstance(choice, type) and issubclass(choice, enum.Enum):
            return value if isinstance(value, choice) else choice(number)
        if choice is int and isinstance(value, enum.Enum):
            return number
    return value
