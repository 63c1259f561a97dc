"""The fields of a parameter node: how a typed value becomes text or a node reference, and which values are allowed."""

import enum
import json
import pathlib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Default:
    value: Any


@dataclass(frozen=True)
class WithinRange:
    minimum: float
    maximum: float

    def check(self, value: Any) -> str:
        return "" if self.minimum <= value <= self.maximum else f"must be within {self.minimum} and {self.maximum}"


@dataclass(frozen=True)
class Minimum:
    minimum: float

    def check(self, value: Any) -> str:
        return "" if value >= self.minimum else f"must be at least {self.minimum}"


@dataclass(frozen=True)
class Maximum:
    maximum: float

    def check(self, value: Any) -> str:
        return "" if value <= self.maximum else f"must be at most {self.maximum}"


class Choice:
    """One of these values."""

    def __init__(self, choices: Any) -> None:
        self.choices = list(choices)

    def check(self, value: Any) -> str:
        return "" if value in self.choices else f"must be one of {self.choices}"


@dataclass(frozen=True)
class Decimals:
    value: int


@dataclass(frozen=True)
class SingleStep:
    value: float


VALIDATORS = (WithinRange, Minimum, Maximum, Choice)
HINTS = (Decimals, SingleStep)
SCALARS: dict[type, tuple[type | tuple[type, ...], Any, Callable[[str], Any]]] = {
    bool: (bool, False, lambda text: text == "True"),
    int: (int, 0, int),
    float: ((float, int), 0.0, float),
    str: (str, "", str),
}


class ObservedList(list):
    """A list that writes itself back into the node when it is changed, as the application's does."""

    _write: Callable[[list], None] | None = None


def _written(name: str) -> Callable:
    method = getattr(list, name)

    def changed(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        result = method(self, *args, **kwargs)
        if self._write is not None:
            self._write(list(self))
        return result

    return changed


for _name in ("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "__setitem__", "__delitem__"):
    setattr(ObservedList, _name, _written(_name))


class Field:
    """One parameter: name, type, annotations, default."""

    def __init__(self, name: str, annotation: Any, default: Any, has_default: bool) -> None:
        self.name = name
        self.annotation = annotation
        self.kind, self.hints = split(annotation)
        unknown = [hint for hint in self.hints if not isinstance(hint, (*VALIDATORS, *HINTS, Default))]
        if unknown:
            raise TypeError(f"{name}: the stand-in does not know the annotations {unknown}")
        given = [hint.value for hint in self.hints if isinstance(hint, Default)]
        self.default = default if has_default else given[0] if given else self._first()
        self.check(self.default)

    def _first(self) -> Any:
        choice = next((hint for hint in self.hints if isinstance(hint, Choice)), None)
        if choice is not None:
            return choice.choices[0]
        if self.kind in SCALARS:
            return SCALARS[self.kind][1]
        if is_enum(self.kind):
            return next(iter(self.kind))
        if is_path(self.kind):
            return self.kind()
        if element_of(self.kind) is not None:
            return []
        if node_classes(self.kind):
            return None
        raise TypeError(f"{self.name}: the stand-in has no serializer for {self.annotation}")

    def check(self, value: Any) -> None:
        """Raises:
        ValueError: None, or outside the range or the choices.
        TypeError: another type than that of the field.
        """
        problem = ""
        if node_classes(self.kind):
            if value is not None and not any(value.IsA(name) for name in node_classes(self.kind)):
                raise TypeError(f"{self.name}: {value.GetClassName()} is none of {node_classes(self.kind)}")
            return
        if value is None:
            raise ValueError(f"{self.name}: Value must not be None")
        element = element_of(self.kind)
        if element is not None:
            for item in value:
                Field(f"{self.name}[]", element, item, True)
            return
        wanted = (
            SCALARS[self.kind][0] if self.kind in SCALARS else pathlib.PurePath if is_path(self.kind) else self.kind
        )
        if not isinstance(value, wanted) or (isinstance(value, bool) and self.kind is not bool):
            raise TypeError(f"{self.name}: expected {self.kind}, not {type(value).__name__} ({value!r})")
        for hint in self.hints:
            if isinstance(hint, VALIDATORS):
                problem = problem or hint.check(value)
        if problem:
            raise ValueError(f"{self.name}: {value!r} {problem}")

    def is_in(self, node: Any) -> bool:
        if self._holds_nodes():
            return True
        return self.name in node.GetParameterNames()

    def _holds_nodes(self) -> bool:
        return bool(node_classes(element_of(self.kind) or self.kind))

    def read(self, node: Any) -> Any:
        if self._holds_nodes():
            if element_of(self.kind) is None:
                return node.GetNodeReference(self.name)
            count = node.GetNumberOfNodeReferences(self.name)
            return self._observed(node, [node.GetNthNodeReference(self.name, index) for index in range(count)])
        if not self.is_in(node):
            self.write(node, self.default)
        text = node.GetParameter(self.name)
        if element_of(self.kind) is not None:
            element = element_of(self.kind)
            return self._observed(node, [from_text(element, item) for item in json.loads(text)])
        return from_text(self.kind, text)

    def _observed(self, node: Any, values: list) -> ObservedList:
        observed = ObservedList(values)
        observed._write = lambda new: self.write(node, new)
        return observed

    def write(self, node: Any, value: Any) -> None:
        self.check(value)
        if self._holds_nodes():
            nodes = value if element_of(self.kind) is not None else [value]
            was_modifying = node.StartModify()
            node.RemoveNodeReferenceIDs(self.name)
            for one in nodes:
                if one is not None:
                    node.AddNodeReferenceID(self.name, one.GetID())
            node.EndModify(was_modifying)
        elif element_of(self.kind) is not None:
            node.SetParameter(self.name, json.dumps([to_text(item) for item in value]))
        else:
            node.SetParameter(self.name, to_text(value))


def split(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type and the annotations of an `Annotated`."""
    if typing.get_origin(annotation) is typing.Annotated:
        kind, *hints = typing.get_args(annotation)
        return kind, tuple(hints)
    return annotation, ()


def is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def is_path(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pathlib.PurePath)


def element_of(kind: Any) -> Any:
    """The type of the items of a list type, None for others."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) is list else None


def node_classes(kind: Any) -> list[str]:
    """The MRML classes of a node type or of a union of them, without None; empty for other types."""
    kinds = (
        typing.get_args(kind)
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
        else (kind,)
    )
    names = [one.__name__ for one in kinds if isinstance(one, type) and one is not type(None)]
    return names if names and all(name.startswith("vtkMRML") for name in names) else []


def to_text(value: Any) -> str:
    return value.name if isinstance(value, enum.Enum) else str(value)


def from_text(kind: Any, text: str) -> Any:
    if kind in SCALARS:
        return SCALARS[kind][2](text)
    return kind[text] if is_enum(kind) else kind(text)
