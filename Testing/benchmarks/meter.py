"""How much memory a process and all that descend from it take at most, looked at many times a second."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

import psutil

MIB = 2.0**20


class MemoryMeter:
    """Watches a process tree while its block lasts; ``peak_mib`` is the largest sum that was seen.

    Pages that processes share are counted once: the proportional set size (PSS) where the system tells it, else the
    memory that each has for itself (USS).

    :param pid: of the root.
    :param times_a_second: how often it looks.
    """

    def __init__(self, pid: int, times_a_second: float = 50.0) -> None:
        self.peak_mib = 0.0
        self.most_processes = 0
        self.parts: dict[int, float] = {}
        """Of each process its own peak in MiB."""
        self._root = psutil.Process(pid)
        self._pause = 1.0 / times_a_second
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryMeter:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        looked, tree = 0.0, [self._root]
        while not self._end.wait(self._pause):
            if time.monotonic() - looked > 0.1:  # looking for children takes longer than looking at them
                looked, tree = time.monotonic(), [self._root, *_children(self._root)]
            sizes = {process.pid: _mib(process) for process in tree}
            self.parts |= {pid: max(size, self.parts.get(pid, 0.0)) for pid, size in sizes.items()}
            self.peak_mib = max(self.peak_mib, sum(sizes.values()))
            self.most_processes = max(self.most_processes, len(tree))


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return list(root.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _mib(process: psutil.Process) -> float:
    try:
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    try:
        return float(process.memory_full_info().uss) / MIB
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
