"""Predicted against measured memory of every kind of job, on the small phantom scaled to four sizes.

Run by hand: ``python Testing/benchmarks/bench_memory.py [largest size, 0 to 3] [cores]``; the largest takes half an
hour on two cores. It ends with 1 if a job took more than was predicted.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import zoom

from LiverSegSSLLib.cohort.phantom.spec import PhantomSpec
from LiverSegSSLLib.cohort.phantom.study import write_phantom_cohort
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.jobs.job import Job
from LiverSegSSLLib.jobs.runner import start
from LiverSegSSLLib.rounds.memory import ATLAS, EVALUATE, NEEDS, PREDICT, REPORT, SCORE, TITLES, TRAIN, TRANSFER
from LiverSegSSLLib.volume import Geometry, Volume, read_mask, read_volume, write_volume
from Testing.benchmarks.meter import MemoryMeter

SIZES = ((96, 96, 24), (160, 160, 40), (256, 256, 64), (320, 260, 72))
"""x, y, z; the field of view is that of the phantom, as large as a person."""

RECIPE = """
name: {name}
phases: [GED4, T1]
rounds: 1
propose: [{steps}]
propose_again: []
learn:
  preset: cpu
  folds: 2
  options: {{epochs: 1, iterations_per_epoch: 2, val_iterations: 1, save_every: 1}}
"""

STEPS = ((TRANSFER, "propose"), (ATLAS, "propose"), (SCORE, "score"), (TRAIN, "train"), (PREDICT, "predict"))
STEPS += ((EVALUATE, "evaluate"), (REPORT, "report"))


@dataclass(frozen=True)
class Measured:
    """One job: the step, its processes and the peak of all of them together."""

    step: str
    processes: int
    mib: float


def write_cohort(folder: Path, size: tuple[int, int, int]) -> None:
    """Three studies of GED4 and T1, two of them labelled, with a truth for all, on a grid of a size."""
    small = folder / "small"
    spec = PhantomSpec(
        studies=3,
        labelled=2,
        vendors=("A",),
        unseen=0,
        seed=7,
        scale=4.0,
        missing=0.0,
        phases=(Phase.GED4, Phase.T1),
        organ_maps=False,
    )
    write_phantom_cohort(small / "data", small / "truth", spec)
    for path in small.rglob("*"):
        place = folder / path.relative_to(small)
        if path.name.endswith(".nii.gz"):
            _scale(path, place, size)
        elif path.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


def _scale(path: Path, place: Path, size: tuple[int, int, int]) -> None:
    is_mask = "mask" in path.name or path.parent.name == "truth"
    volume = read_mask(path) if is_mask else read_volume(path)
    factors = [new / old for new, old in zip(size[::-1], volume.array.shape, strict=True)]
    array = zoom(volume.array.astype(np.float32), factors, order=0 if is_mask else 1)
    old = volume.geometry
    spacing = tuple(step * count / new for step, count, new in zip(old.spacing, old.size, size, strict=True))
    geometry = Geometry(size, spacing, old.origin, old.direction)  # type: ignore[arg-type]
    place.parent.mkdir(parents=True, exist_ok=True)
    write_volume(Volume(array.astype(np.uint8 if is_mask else np.int16), geometry), place)


def measure(folder: Path) -> Iterator[Measured]:
    """Every kind of job, one after the other, in a workspace of its own."""
    cores = usable_cores()
    transfer, every = folder / "transfer.yaml", folder / "every.yaml"
    transfer.write_text(RECIPE.format(name="transfer", steps="{method: transfer}"), encoding="utf-8")
    both = "{method: transfer}, {method: atlas, targets: [GED4]}"
    every.write_text(RECIPE.format(name="every", steps=both), encoding="utf-8")
    for step, verb in STEPS:
        parameters = {
            "data": str(folder / "data"),
            "workspace": str(folder / "workspace"),
            "recipe": str(transfer if step == TRANSFER else every),
            "device": "cpu",
            **({"truth": str(folder / "truth")} if step == EVALUATE else {}),
            # Other settings, so that what has been judged is judged again.
            **({"changes": ["select.keep=0.5"]} if step == SCORE else {}),
        }
        handle = start(Job(verb, parameters))
        with MemoryMeter(handle.process.pid) as meter:
            code = handle.wait()
        if code != 0:
            raise SystemExit(f"{verb} has failed: {handle.tail}")
        # Two folds, two other phases to transfer to, one GED4 without a label, four masks to a process that predicts.
        most = {TRANSFER: 2, ATLAS: 1, SCORE: 3, TRAIN: 2, PREDICT: 1, EVALUATE: 4, REPORT: 4}[step]
        yield Measured(step, min(cores, most), meter.peak_mib)


def main() -> int:
    """Print the table; the exit code."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    if len(sys.argv) > 2 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[2])])
    too_much = 0
    sys.stdout.write(f"{'step':22}{'image':>15}{'processes':>11}{'predicted':>12}{'measured':>11}{'ratio':>7}\n")
    for size in SIZES[: largest + 1]:
        with tempfile.TemporaryDirectory(prefix="bench-memory-") as place:
            write_cohort(Path(place), size)
            for found in measure(Path(place)):
                predicted = NEEDS[found.step].mib(math.prod(size), found.processes)
                too_much += found.mib > predicted
                sides = " × ".join(map(str, size))
                sys.stdout.write(
                    f"{TITLES[found.step]:22}{sides:>15}{found.processes:>11}{predicted:>8.0f} MiB"
                    f"{found.mib:>7.0f} MiB{predicted / found.mib:>7.2f}\n"
                )
                sys.stdout.flush()
    return 1 if too_much else 0


if __name__ == "__main__":
    sys.exit(main())
