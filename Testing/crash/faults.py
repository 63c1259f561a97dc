"""The calls that processes make to the file system, counted, ended or refused: the side in Python of ``faults.c``."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
_LIBRARY = "LIVERSEGSSL_TEST_FAULTS"

OPEN, WRITE, SYNC, RENAME, REMOVE, MKDIR, LOOK = KINDS = tuple(range(7))
NAMES = ("open", "write", "fsync", "rename", "remove", "mkdir", "look")
CHANGES = (OPEN, WRITE, SYNC, RENAME, REMOVE, MKDIR)
"""Kinds of calls that change something."""

BEFORE, HALF, AFTER = HOWS = tuple(range(3))
HOW_NAMES = ("before", "in the midst of", "after")

_OFF, _COUNT, _KILL, _REFUSE = range(4)


class _State(ctypes.Structure):
    _fields_ = (
        ("mode", ctypes.c_int),
        ("kinds", ctypes.c_int),
        ("at", ctypes.c_long),
        ("how", ctypes.c_int),
        ("group", ctypes.c_int),
        ("error", ctypes.c_int),
        ("fired", ctypes.c_int),
        ("total", ctypes.c_long),
        ("counts", ctypes.c_long * len(KINDS)),
        ("folder", ctypes.c_char * 1024),
        ("where", ctypes.c_char * 1024),
    )


def why_not() -> str:
    """Why calls cannot be watched on this computer; empty: they can."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    return "" if shutil.which("cc") else "needs a C compiler (cc)"


def preloaded(folder: Path) -> dict[str, str]:
    """Compile the library into a folder; the environment in which a process begins with it."""
    library = folder / "faults.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library), _LIBRARY: str(library)}


class Faults:
    """What happens to calls below one folder, in this process and all that are forked from it.

    :raises RuntimeError: this process was not begun with :func:`preloaded`.
    """

    def __init__(self) -> None:
        if _LIBRARY not in os.environ:
            raise RuntimeError("begin this process in the environment of preloaded()")
        library = ctypes.CDLL(os.environ[_LIBRARY])
        library.faults_state.restype = ctypes.POINTER(_State)
        self._state = library.faults_state().contents

    def count(self, folder: Path) -> None:
        """Only count."""
        self._set(folder, _COUNT, CHANGES)

    def kill(self, folder: Path, kind: int, at: int, how: int, *, group: bool) -> None:
        """End the process that makes the ``at``-th call of a kind, or its whole group."""
        self._set(folder, _KILL, (kind,), at=at, how=how, group=group)

    def refuse(self, folder: Path, kinds: tuple[int, ...], at: int, error: int) -> None:
        """From the ``at``-th call on, calls of these kinds fail with an error number."""
        self._set(folder, _REFUSE, kinds, at=at, error=error)

    def stop(self) -> None:
        """All calls are as they are."""
        self._state.mode = _OFF

    @property
    def fired(self) -> bool:
        """Whether it has happened."""
        return bool(self._state.fired)

    @property
    def where(self) -> str:
        """The path at which it happened."""
        return bytes(self._state.where).decode("utf-8", "replace")

    @property
    def counts(self) -> tuple[int, ...]:
        """Calls of each kind since this was set."""
        return tuple(self._state.counts)

    def _set(
        self,
        folder: Path,
        mode: int,
        kinds: tuple[int, ...],
        *,
        at: int = 0,
        how: int = 0,
        group: bool = False,
        error: int = 0,
    ) -> None:
        state = self._state
        state.mode = _OFF
        ctypes.memset(ctypes.addressof(state), 0, ctypes.sizeof(state))
        state.kinds = sum(1 << kind for kind in kinds)
        state.at, state.how, state.group, state.error = at, how, int(group), error
        state.folder = str(folder).encode()
        state.mode = mode
