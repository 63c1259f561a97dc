"""Naming a process for good, so that what it left behind can be told from what it still works on."""

from __future__ import annotations

import os
import socket
from functools import cache

_CLOCK_SECONDS = 60.0
"""The start of a process is reckoned from the clock, which may have been set since."""


def this_process() -> str:
    """The name of this process: computer, id and start. Its id alone is used again after a while."""
    return _name(os.getpid())  # asked anew each time: we may have been forked


def has_ended(name: str) -> bool | None:
    """Whether the process of this name is gone; ``None``: it is none's name, or one on another computer."""
    import psutil

    host, pid, start = (*name.split("~"), "", "")[:3]
    if host != socket.gethostname() or not (pid.isdigit() and start.isdigit()):
        return None
    try:
        # One that has ended and whose parent has not taken notice yet is still listed.
        ended = psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
        return ended or abs(_started(int(pid)) - int(start)) > _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return True


@cache
def _name(pid: int) -> str:
    return f"{socket.gethostname()}~{pid}~{int(_started(pid))}"


def _started(pid: int) -> float:
    import psutil

    return float(psutil.Process(pid).create_time())
