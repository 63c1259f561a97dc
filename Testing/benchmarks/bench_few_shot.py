"""The few-shot engine against the published procedure: same weights, same inputs, one run.

``python Testing/benchmarks/bench_few_shot.py`` takes a small network and a minute or two on a CPU; ``--network
sam2.1-tiny --size 512`` is MedSAM2's shape; ``--device cuda`` is that with 48 slices, R = 5, M = 10 in bfloat16
(``--slices 64`` for as many). Weights and slices are random: neither procedure looks at values to decide what to
compute. For each the time of a case, the peak memory above what was there before, and how far logits lie apart; then
the engine's time over slices, R and M.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from LiverSegSSLLib.propose.few_shot.engine import Engine
from LiverSegSSLLib.propose.few_shot.features import FeatureStore, Stack
from LiverSegSSLLib.propose.few_shot.network import NetworkSpec, build_network, small_spec
from LiverSegSSLLib.propose.few_shot.prompts import insertion_places
from LiverSegSSLLib.propose.few_shot.reference import propagate_reference

LABELLED = 0.5
"""Of the slices of a support show the liver (the middle ones)."""


@dataclass(frozen=True)
class Problem:
    """Slices of case and supports, insertions R, supports M."""

    slices: int
    insertions: int
    supports: int


@dataclass(frozen=True)
class Cost:
    """``busy``: seconds of processor time, which other programs on the machine do not lengthen."""

    seconds: float
    busy: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.seconds:8.2f} s {self.busy:8.2f} s busy {self.peak_mb:7.0f} MB peak"

    def times(self, other: Cost) -> str:
        """How many times the cost of another this is."""
        return f"ratio {self.seconds / other.seconds:5.1f}, of busy time {self.busy / other.busy:5.1f}"


def volume(slices: int, size: int, seed: int) -> torch.Tensor:
    """Noise of a few frequencies, (slices, 3, size, size)."""
    coarse = torch.randn(slices, 3, size // 16, size // 16, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")


def masks(slices: int, size: int) -> dict[int, torch.Tensor]:
    """A rectangle on the middle slices."""
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[size // 4 : size // 2, size // 5 : size // 2] = True
    first = round(slices * (1 - LABELLED) / 2)
    return {index: mask for index in range(first, first + max(1, round(slices * LABELLED)))}


def measured(device: torch.device, work: Callable[[], Any]) -> tuple[Any, Cost]:
    """The result of some work, its time and its peak memory above what was there before."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        allocated, start, busy = torch.cuda.memory_allocated(), time.perf_counter(), time.process_time()
        result = work()
        torch.cuda.synchronize()
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        return result, Cost(seconds, busy, (torch.cuda.max_memory_allocated() - allocated) / 2**20)
    before, peak, stop = resident_mb(), [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            peak[0] = max(peak[0], resident_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, busy = time.perf_counter(), time.process_time()
    try:
        result = work()
    finally:
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        stop.set()
        watcher.join()
    return result, Cost(seconds, busy, max(0.0, max(peak[0], resident_mb()) - before))


def resident_mb() -> float:
    """Memory of this process; 0 where the system does not tell."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 / 2**20 if status.exists() else 0.0


class Bench:
    """One network, one device."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.device = torch.device(options.device)
        self.precision = getattr(torch, options.precision)
        spec = small_spec(options.size) if options.network == "mini" else NetworkSpec(options.network, options.size)
        self.network = build_network(spec, seed=0).to(self.device)
        with torch.no_grad():  # else a network that has learnt nothing says that the object is gone
            self.network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(5.0)
        self.size, self.memory_mb = options.size, options.memory_mb

    def inputs(self, problem: Problem) -> tuple[torch.Tensor, list[torch.Tensor], list[tuple[int, ...]]]:
        case = volume(problem.slices, self.size, 0)
        supports = [volume(problem.slices, self.size, 1 + number) for number in range(problem.supports)]
        places = [insertion_places(problem.slices, problem.insertions, number) for number in range(problem.supports)]
        return case, supports, places

    def engine(self, problem: Problem) -> tuple[list[torch.Tensor], Cost, Cost]:
        """Logits, the cost of the supports (once for all cases), and that of the case."""
        case, supports, places = self.inputs(problem)
        engine = Engine(
            self.network, precision=self.precision, memory_mb=self.memory_mb, store=FeatureStore(memory_mb=0)
        )
        labelled = masks(problem.slices, self.size)
        memories, once = measured(
            self.device, lambda: [engine.support_of(Stack(support), labelled) for support in supports]
        )
        logits, each = measured(self.device, lambda: engine.propagate(engine.encode(Stack(case)), memories, places))
        return logits, once, each

    def reference(self, problem: Problem) -> tuple[list[torch.Tensor], Cost]:
        """Logits and the cost of the case."""
        case, supports, places = self.inputs(problem)
        labelled = masks(problem.slices, self.size)

        def work() -> list[torch.Tensor]:
            low = torch.autocast(self.device.type, self.precision) if self.precision != torch.float32 else nullcontext()
            with low:
                return [
                    propagate_reference(self.network, case, support, labelled, chosen)
                    for support, chosen in zip(supports, places, strict=True)
                ]

        return measured(self.device, work)


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def compare(bench: Bench, problem: Problem) -> None:
    """Both, and their ratio."""
    found, once, each = bench.engine(problem)
    expected, slow = bench.reference(problem)
    apart = max(float((one - other).abs().max()) for one, other in zip(found, expected, strict=True))
    agree = sum(float(((one > 0) == (other > 0)).float().mean()) for one, other in zip(found, expected, strict=True))
    deviation = float(torch.cat([one.flatten() for one in expected]).std())
    first = Cost(once.seconds + each.seconds, once.busy + each.busy, max(once.peak_mb, each.peak_mb))
    say(f"reference          {slow}")
    say(f"engine, a case     {each}   {slow.times(each)}")
    say(f"engine, supports   {once}   once for all cases")
    say(f"engine, first case {first}   {slow.times(first)}")
    say(f"logits differ by at most {apart:.1e} (deviation {deviation:.1e}), masks agree on {agree / len(found):.4%}")


def scale(bench: Bench, problem: Problem) -> None:
    """The engine's time of a case as a function of slices, R and M."""
    say(f"\n{'slices':>6s} {'R':>3s} {'M':>3s}   a case; busy time of a chain and slice")
    for one in (
        Problem(max(1, problem.slices // 2), problem.insertions, problem.supports),
        problem,
        Problem(problem.slices, 1, problem.supports),
        Problem(problem.slices, problem.insertions, 1),
    ):
        _, _, cost = bench.engine(one)
        each = 1000 * cost.busy / (one.slices * one.insertions * one.supports)
        say(f"{one.slices:6d} {one.insertions:3d} {one.supports:3d} {cost} {each:8.2f} ms")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: MedSAM2's shape, R 5, M 10")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), help="[bfloat16 on cuda, else float32]")
    parser.add_argument("--network", help="mini, or one of the package's (sam2.1-tiny, …)")
    parser.add_argument("--size", type=int, help="pixels a side")
    parser.add_argument("--slices", type=int, help="of the case and of each support")
    parser.add_argument("--insertions", type=int, default=5, help="R")
    parser.add_argument("--supports", type=int, help="M")
    parser.add_argument("--memory-mb", type=float, help="that tracking may take")
    parser.add_argument("--threads", type=int, help="of the CPU; default: torch's")
    parser.add_argument("--no-scale", action="store_true", help="leave out the times over slices, R and M")
    options = parser.parse_args()
    gpu = options.device == "cuda"
    if gpu and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device here")
    names = ("network", "size", "slices", "supports", "memory_mb", "precision")
    usual = ("sam2.1-tiny", 512, 48, 10, 16384.0, "bfloat16") if gpu else ("mini", 128, 24, 2, 2048.0, "float32")
    for name, value in zip(names, usual, strict=True):
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.threads:
        torch.set_num_threads(options.threads)
    bench = Bench(options)
    problem = Problem(options.slices, options.insertions, options.supports)
    where = torch.cuda.get_device_name() if gpu else f"CPU, {torch.get_num_threads()} threads"
    say(
        f"{options.network} at {options.size} px, {str(bench.precision).removeprefix('torch.')}, {where}; "
        f"{problem.slices} slices, R = {problem.insertions}, M = {problem.supports}"
    )
    # Kernels are chosen and loaded at their first use.
    warm = Problem(2, 1, 1)
    bench.engine(warm), bench.reference(warm)
    compare(bench, problem)
    if not options.no_scale:
        scale(bench, problem)


if __name__ == "__main__":
    main()
