"""How much memory a job needs, and how many processes fit into what there is.

The rule: ``margin × (base + a · voxels + processes × (base of a process + b · voxels))``, with the voxels of the
largest image. Every number was measured (``Testing/benchmarks/bench_memory.py``: the proportional set size of all
processes of a job together, on images of 0.2 to 6 million voxels); the margin is for other images, libraries and
systems. Memory of a GPU is not part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.facts import facts_reader
from LiverSegSSLLib.cohort.study import Cohort
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.events import SILENT, Reporter
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.rounds.overview import Table
from LiverSegSSLLib.volume import read_geometry

MIB = 2.0**20

MARGIN = 1.25

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Need:
    """What a step takes. ``base_mib``, ``bytes_per_voxel``: the job's first process, and what comes once;
    ``process_mib``, ``process_bytes_per_voxel``: each process that works for it. ``most``: processes at once."""

    base_mib: float
    bytes_per_voxel: float
    process_mib: float
    process_bytes_per_voxel: float
    most: int | None = None

    def mib(self, voxels: int, processes: int = 1) -> float:
        """In all, for images of at most so many voxels."""
        once = self.base_mib + self.bytes_per_voxel * voxels / MIB
        return MARGIN * (once + processes * self.each_mib(voxels))

    def each_mib(self, voxels: int) -> float:
        """A process, without the margin."""
        return self.process_mib + self.process_bytes_per_voxel * voxels / MIB

    def fitting(self, voxels: int, available_mib: float, wanted: int) -> int:
        """Processes that fit, at least one and at most ``wanted``."""
        room = available_mib - self.mib(voxels, 0)
        return max(1, min(wanted, int(room // (MARGIN * self.each_mib(voxels)))))


TRANSFER, ATLAS, FEW_SHOT = "transfer", "atlas", "few-shot"
SCORE, TRAIN, PREDICT, EVALUATE, REPORT = "score", "train", "predict", "evaluate", "report"

NEEDS = {
    TRANSFER: Need(130, 20, 130, 72),
    ATLAS: Need(130, 10, 620, 30),
    SCORE: Need(65, 12, 105, 10),
    TRAIN: Need(110, 3, 700, 10),
    PREDICT: Need(190, 5, 620, 115, most=4),
    EVALUATE: Need(60, 5, 100, 20),
    REPORT: Need(135, 5, 130, 45),
}

TITLES = {
    TRANSFER: "propose by transfer",
    ATLAS: "propose by atlas",
    FEW_SHOT: "propose by few-shot, MedSAM2",
    SCORE: "score",
    TRAIN: "train, preset cpu",
    PREDICT: "predict, preset cpu",
    EVALUATE: "evaluate",
    REPORT: "report",
}


def few_shot_need() -> Need:
    """With the published weights and the options that it has by itself. It knows what its network needs, and chooses
    its processes by that; the rest is as with registration."""
    from LiverSegSSLLib.propose.few_shot.budget import SIZE, process_mb
    from LiverSegSSLLib.propose.few_shot.few_shot import FewShot

    how = FewShot()
    each = process_mb(SIZE, how.insertions, how.supports, how.memory_mb, how.features_memory_mb)
    atlas = NEEDS[ATLAS]
    return replace(atlas, process_mib=each / MARGIN)


def available_mib() -> float:
    """Memory that can still be had: of the computer, and of the container or job that this runs in."""
    import psutil

    free = psutil.virtual_memory().available / MIB
    try:
        most = float((_CGROUP / "memory.max").read_text())  # "max" where there is no limit
        taken = float((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, max(0.0, (most - taken) / MIB))


def processes_for(
    step: str,
    images: Iterable[Path],
    wanted: int,
    *,
    asked: bool = False,
    report: Reporter = SILENT,
    available: float | None = None,
) -> int:
    """How many processes a step may have: as many as are wanted, or fewer where memory is short; it is told which.

    :param step: a name of :data:`NEEDS`; another has a rule of its own, and gets what is wanted.
    :param images: that it works on; their headers are read.
    :param asked: the user has said how many; these are then kept.
    :param available: MiB; ``None``: what there is now.
    """
    need = NEEDS.get(step)
    if need is None or wanted <= 1:
        return wanted
    free, voxels = available_mib() if available is None else available, voxels_of(images)
    fits = need.fitting(voxels, free, wanted)
    if fits == wanted:
        return wanted
    short = f"{wanted} processes may need {_gib(need.mib(voxels, wanted))} of memory, {_gib(free)} are free"
    if asked:
        report.warn(f"{short}: --workers {fits} would fit", step)
        return wanted
    report.info(f"{short}: {fits} at once", step)
    return fits


def voxels_of(images: Iterable[Path]) -> int:
    """Of the largest image; 0 without any."""
    return max((_voxels(_size(image)) for image in images), default=0)


def memory_table(
    cohort: Cohort, cache: Path | None = None, available: float | None = None, cores: int | None = None
) -> Table:
    """What every step needs for the largest image of a cohort, and what to do where that is not there.

    :param cache: file that remembers headers.
    :param available: MiB; ``None``: what there is now. ``cores``: processes that are wanted; ``None``: one a core.
    """
    free, wanted = available_mib() if available is None else available, cores or usable_cores()
    with facts_reader(cohort.root, cache) as reader:
        facts = reader.facts(case.image for case in cohort.cases())
    sizes = {case.id: found.size for case in cohort.cases() if (found := facts[case.image].geometry) is not None}
    largest = max(sizes, key=lambda case_id: _voxels(sizes[case_id]))
    voxels = _voxels(sizes[largest])
    rows: list[list[Any]] = []
    needs_of = {**NEEDS, FEW_SHOT: few_shot_need()}
    for name, title in TITLES.items():
        need = needs_of[name]
        processes = min(wanted, need.most or wanted)
        needs = need.mib(voxels, processes)
        advice = "" if needs <= free else _advice(need, voxels, free)
        rows.append([title, processes, _gib(needs), _gib(free), advice])
    sides = " × ".join(map(str, sizes[largest]))
    return {
        "title": f"Memory that a job needs for the largest image ({largest}: {sides})",
        "columns": ["Item", "Processes", "Needs", "Available", "To do"],
        "rows": rows,
    }


def _advice(need: Need, voxels: int, free: float) -> str:
    if need.mib(voxels, 1) > free:
        return "close other programs, or use a computer with more memory"
    return f"--workers {need.fitting(voxels, free, 1 << 16)}, which is what it takes by itself"


def _voxels(size: tuple[int, int, int]) -> int:
    return math.prod(size)


def _size(image: Path) -> tuple[int, int, int]:
    try:
        return read_geometry(image).size
    except BadInputError:  # it has gone since
        return (0, 0, 0)


def _gib(mib: float) -> str:
    return f"{mib / 1024:.1f} GiB"
