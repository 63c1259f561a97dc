"""What a step of each semi-supervised method costs, against a step of nnU-Net's own trainer, in one run.

``python Testing/benchmarks/bench_semi.py [--preset cpu] [--network stunet-s] [--device auto] [--threads 1]``

The same network, patches and processor threads for all. Patches are loaded before the clock runs; each method's steps
are timed in turn, round after round, and the median counts, so that a busy machine hits all alike. A step of a method
with n labelled and n unlabelled patches, two networks or a teacher has more to compute: ``passes`` counts its patches
through a network, forward and back as 3, forward alone as 1, over those of supervised training; what the time has
beyond that ratio is what the method itself costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.phantom.spec import PhantomSpec
from LiverSegSSLLib.cohort.phantom.study import write_phantom_cohort
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.engine import Folders, environment, resolved_device, trainer_class
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.methods import TRAINERS
from LiverSegSSLLib.learn.train import TrainSpec, train

PASSES = {"nnU-Net": 1.0, "supervised": 1.0, "cps": 4.0, "mean-teacher": 2 + 1 / 3, "bcp": 1 + 1 / 3, "midss": 5.0}
"""Patches through a network in a step, as multiples of supervised training (for as many unlabelled as labelled)."""


def main() -> None:
    """Print the table."""
    arguments = _arguments()
    device = resolved_device(arguments.device)
    threads = (arguments.threads or usable_cores()) if device == "cpu" else 1
    with tempfile.TemporaryDirectory() as place:
        model = _prepared(Path(place), arguments, device, threads)
        trainers = {name: _trainer(name, Path(place), model, device, threads) for name in PASSES}
        batches = {name: [next(trainer.dataloader_train) for _ in range(3)] for name, trainer in trainers.items()}
        seconds: dict[str, list[float]] = {name: [] for name in trainers}
        memory: dict[str, float] = {}
        for number in range(arguments.steps + 1):
            for name, trainer in trainers.items():
                taken, peak = _timed(trainer, batches[name][number % 3], device)
                memory[name] = max(memory.get(name, 0.0), peak)
                if number:  # the first warms up
                    seconds[name].append(taken)
    base = statistics.median(seconds["nnU-Net"])
    print(f"{arguments.preset}, network {arguments.network or 'its own'}, {device}, {threads} threads")
    print(f"{'method':14}{'s a step':>10}{'ratio':>8}{'passes':>8}{'GB':>8}")
    for name, times in seconds.items():
        median = statistics.median(times)
        held = f"{memory[name]:8.2f}" if device == "cuda" else f"{'–':>8}"
        print(f"{name:14}{median:10.3f}{median / base:8.2f}{PASSES[name]:8.2f}{held}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--network")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=0, help="on a CPU; 0: one a core. 1 is steadier on a busy one")
    parser.add_argument("--scale", type=float, default=2.0, help="voxels of the phantom: 1 as in a clinic")
    return parser.parse_args()


def _prepared(place: Path, arguments: argparse.Namespace, device: str, threads: int) -> Path:
    """A data set of four phantom images, two of them labelled, planned and preprocessed; the model's folder."""
    spec = PhantomSpec(studies=4, labelled=2, scale=arguments.scale, missing=0.0, phases=(Phase.GED4,))
    write_phantom_cohort(place / "data", place / "truth", spec)
    images = sorted((place / "data").rglob("GED4.nii.gz"))
    cases = []
    for image in images:
        mask = image.with_name("mask_GED4.nii.gz")
        label = mask if mask.is_file() else None
        role: Any = "expert" if label else "unlabelled"
        cases.append(TrainingCase(f"{image.parent.name}__GED4", image, label, role))
    options = {"epochs": 1, "iterations_per_epoch": 1, "val_iterations": 1, "augmentation_workers": 0}
    place_of = place / "nnunet"
    return train(
        TrainSpec(
            "bench",
            tuple(cases),
            place_of,
            arguments.preset,
            1,
            options,
            device=device,
            threads=threads,
            network=arguments.network,
        )
    ).model_folder


def _trainer(name: str, place: Path, model: Path, device: str, threads: int) -> Any:
    import torch

    os.environ.update(environment(Folders(place / "nnunet"), threads))
    torch.set_num_threads(threads)
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
    data = Folders(place / "nnunet").preprocessed / model.parent.name
    plans = json.loads((data / "LiverSegPlans.json").read_text(encoding="utf-8"))
    # Long past BCP's first stage and every ramp.
    plans["liversegssl"]["training"] |= {"bcp": {"pretrain": 0.0}, "average_weights": 0.0}
    dataset_json = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    plain = name == "nnU-Net"
    trainer = trainer_class(TRAINERS["supervised" if plain else name])(
        {**plans, "continue_training": False}, "3d_fullres", "all", dataset_json, torch.device(device)
    )
    trainer.on_train_start()
    trainer.on_train_epoch_start()
    if plain:
        from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

        trainer.train_step = lambda batch: nnUNetTrainer.train_step(trainer, batch)
    return trainer


def _timed(trainer: Any, batch: Any, device: str) -> tuple[float, float]:
    """Seconds of a step, and the most memory it held on the GPU beside what all trainers hold, in GB."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    start = time.perf_counter()
    trainer.train_step(batch)
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter() - start, (torch.cuda.max_memory_allocated() - before) / 1e9
    return time.perf_counter() - start, 0.0


if __name__ == "__main__":
    main()
