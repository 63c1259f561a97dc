"""Qt's enumeration values as PythonQt shows them: integers, flat (`Qt.AlignLeft`) and scoped."""

import enum
from typing import Any


class EnumInt(int):
    """A Qt enumeration value: an `int` that remembers which member it is, so that PySide6 accepts it back."""

    member: enum.Enum

    def __new__(cls, member: enum.Enum) -> "EnumInt":
        value = super().__new__(cls, member.value)
        value.member = member
        return value

    def __or__(self, other: int) -> int:
        if (
            isinstance(other, EnumInt)
            and type(other.member) is type(self.member)
            and isinstance(self.member, enum.Flag)
        ):
            return EnumInt(self.member | other.member)  # type: ignore[operator]
        return int(self) | int(other)

    __ror__ = __or__

    def __repr__(self) -> str:
        return f"{type(self.member).__name__}.{self.member.name}({int(self)})"


class EnumScope:
    """A Qt enumeration as a scope: `scope.Member`, and `scope(3)`."""

    def __init__(self, native: type[enum.Enum]) -> None:
        self._native = native

    def __getattr__(self, name: str) -> EnumInt:
        if name.startswith("_") or name not in self._native.__members__:
            raise AttributeError(f"{self._native.__name__} has no value named {name!r}")
        return EnumInt(self._native[name])

    def __call__(self, value: int) -> EnumInt:
        return EnumInt(self._native(int(value)))


def is_enum_class(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, enum.Enum)
