"""What belongs to the person and to this computer, not to a scene: kept in Slicer's settings below ``LiverSegSSL/``."""

from __future__ import annotations

import qt
import slicer

PREFIX = "LiverSegSSL"


def read(key: str, default: str = "") -> str:
    """The text that was kept last.

    :param key: ``python``, ``device``, ``reviewer``, ``lastFolder``, …
    """
    return str(slicer.util.settingsValue(f"{PREFIX}/{key}", default, converter=str))


def read_int(key: str, default: int = 0) -> int:
    """The whole number that was kept last; the default where something else was."""
    return int(slicer.util.settingsValue(f"{PREFIX}/{key}", default, converter=int))


def read_flag(key: str, default: bool = False) -> bool:
    """The yes or no that was kept last."""
    return bool(slicer.util.settingsValue(f"{PREFIX}/{key}", default, converter=slicer.util.toBool))


def write(key: str, value: str | int | bool) -> None:
    """Keep a value on this computer."""
    qt.QSettings().setValue(f"{PREFIX}/{key}", value)
