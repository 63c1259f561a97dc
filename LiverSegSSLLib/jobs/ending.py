"""Ending a job for good: every process that it started, wherever they have got to.

A process whose parent has ended belongs to nobody, and one may leave its group and session. But all inherit the
environment: a job is started with a mark in it that is its own, and whoever carries the mark is the job's.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psutil

MARK = "LIVERSEGSSL_JOB"
"""The variable. A job that is started by a job carries both marks, so the outer one's end is its end too."""

POLITE_S = 3.0
"""Between being asked to end and being made to."""

_FORCED_S = 5.0
_TRACKERS_S = 1.0


def new_mark() -> str:
    """A mark for a job that this process starts."""
    outer = os.environ.get(MARK, "")
    return f"{outer}.{uuid.uuid4().hex}" if outer else uuid.uuid4().hex


def mark_of(pid: int) -> str:
    """The mark of a process; empty: it has none, or cannot be asked."""
    import psutil

    try:
        return _mark(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return ""


def kill_tree(pid: int, mark: str = "") -> None:
    """End a process, all its descendants and all that carry its mark: politely, after three seconds for certain.

    :param mark: of the job; empty: what the process carries.
    """
    if _can_look():
        _end(_Family(pid, mark or mark_of(pid)), sparing=None)
    else:
        _signal_group(pid)


def end_marked(mark: str) -> None:
    """End at once what is left of a job whose first process is gone."""
    if mark and _can_look():
        _force(_Family(0, mark), sparing=os.getpid())


def end_with_me(polite: bool = False) -> None:
    """End whatever this process, a job, has started; ``polite``: it is asked first, and so is this process."""
    if not _can_look():
        if polite and hasattr(os, "killpg") and os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        return
    family = _Family(os.getpid(), os.environ.get(MARK, ""))
    if polite:
        _end(family, sparing=os.getpid())
    else:
        _force(family, sparing=os.getpid())


def _can_look() -> bool:
    """A Python that is only just being set up has no psutil yet."""
    return importlib.util.find_spec("psutil") is not None


def _signal_group(pid: int) -> None:
    """Without looking who is in it: the group that the job was started as."""
    for sign in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(OSError):
            os.killpg(pid, sign) if hasattr(os, "killpg") else os.kill(pid, sign)
        if sign == signal.SIGTERM:
            time.sleep(POLITE_S)


class _Family:
    """The living processes of a job; those once seen are remembered, because their parents may end."""

    def __init__(self, pid: int, mark: str) -> None:
        self._pid, self._mark = pid, mark
        self._seen: set[psutil.Process] = set()

    def members(self) -> list[psutil.Process]:
        """As they are now, without those that only wait to be taken notice of."""
        import psutil

        with contextlib.suppress(psutil.NoSuchProcess):
            if self._pid:
                self._seen.add(psutil.Process(self._pid))
        for process in list(self._seen):
            with contextlib.suppress(psutil.NoSuchProcess):
                self._seen.update(process.children(recursive=True))
        if self._mark:
            self._seen.update(process for process in psutil.process_iter() if _carries(process, self._mark))
        self._seen = {process for process in self._seen if _lives(process)}
        return list(self._seen)


def _end(family: _Family, sparing: int | None) -> None:
    """:param sparing: a process that is asked, but not made to end: the one that does this."""
    import psutil

    # Itself last: where to ask is to end, nobody else would be asked.
    members = sorted(_without_trackers(family.members()), key=lambda process: process.pid == sparing)
    for process in members:
        _quietly(process.terminate)
    others = [process for process in members if process.pid != sparing]
    psutil.wait_procs(others, timeout=POLITE_S)
    _force(family, sparing)


def _force(family: _Family, sparing: int | None) -> None:
    """Until nobody is left: who is made to end may have started another meanwhile."""
    import psutil

    limit = time.monotonic() + _FORCED_S
    while time.monotonic() < limit:
        members = [process for process in family.members() if process.pid != sparing]
        left = _without_trackers(members)
        for process in left:
            _quietly(process.kill)
        if not left:
            break
        psutil.wait_procs(left, timeout=0.5)
    # They remove what is shared in memory when the last one that shares it has gone, and end.
    trackers = [process for process in family.members() if process.pid != sparing]
    _, alive = psutil.wait_procs(trackers, timeout=_TRACKERS_S if sparing is None else 0)
    if sparing is None:
        for process in alive:
            _quietly(process.kill)


def _without_trackers(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if not _is_tracker(process)]


def _is_tracker(process: psutil.Process) -> bool:
    """Python's own process that tidies up behind those that share memory or semaphores."""
    import psutil

    try:
        return any("multiprocessing.resource_tracker" in word for word in process.cmdline())
    except psutil.Error:
        return False


def _carries(process: psutil.Process, mark: str) -> bool:
    found = _mark(process)
    return found == mark or found.startswith(f"{mark}.")


def _mark(process: psutil.Process) -> str:
    import psutil

    try:
        return str(process.environ().get(MARK, ""))
    except (psutil.Error, OSError):  # another user's
        return ""


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _quietly(action: Callable[[], Any]) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        action()
