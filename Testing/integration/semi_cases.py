"""Tiny images, some of them labelled, for the tests of semi-supervised trainings; and the smallest training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.fold import train_fold
from LiverSegSSLLib.volume import Geometry, Volume, write_volume

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST: dict[str, Any] = {
    "epochs": 3,
    "iterations_per_epoch": 2,
    "val_iterations": 1,
    "configuration": {
        "spacing": [8.0, 6.0, 6.0],
        "patch_size": [16, 32, 32],
        "features_per_stage": [4, 8, 8],
        "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        "n_conv_per_stage": [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1],
    },
}
"""Options over the preset ``cpu``."""


def semi_cases(folder: Path, labelled: int = 2, unlabelled: int = 3) -> tuple[TrainingCase, ...]:
    """Bright ellipsoids in a body, the labelled cases first."""
    rng = np.random.default_rng(labelled + 10 * unlabelled)
    folder.mkdir(exist_ok=True)
    made = []
    for number in range(labelled + unlabelled):
        grid = Geometry((40, 36, 18), (6.0, 6.0, 8.0), (5.0 * number, -20.0, 300.0))
        z, y, x = np.indices(grid.shape)
        liver = ((z - 9) / 5) ** 2 + ((y - 16 - number % 3) / 9) ** 2 + ((x - 14) / 8) ** 2 < 1
        body = ((z - 9) / 10) ** 2 + ((y - 18) / 17) ** 2 + ((x - 20) / 19) ** 2 < 1
        image = folder / f"p{number}.nii.gz"
        write_volume(Volume((100.0 * body + 90 * liver + rng.normal(0, 8, grid.shape)).astype(np.int16), grid), image)
        if number < labelled:
            mask = folder / f"p{number}_mask.nii.gz"
            write_volume(Volume(liver.astype(np.uint8), grid), mask)
            made.append(TrainingCase(f"p{number}__GED4", image, mask, "expert"))
        else:
            made.append(TrainingCase(f"p{number}__GED4", image, None, "unlabelled"))
    return tuple(made)


@contextmanager
def settings_of_a_child() -> Iterator[None]:
    """Arithmetic as in the child of a fold with one thread; then this process is as it was."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


def train_in_this_process(specification: dict[str, Any], report: Reporter) -> None:
    """What the child of a fold does."""
    with settings_of_a_child():
        train_fold(specification, report)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether weights are equal, bit for bit."""
    return one.keys() == other.keys() and all(bool((one[name] == other[name]).all()) for name in one)
