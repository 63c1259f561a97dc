"""Trainers that need no images, and batches for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.learn.plans import CONFIGURATION, plans_from_preset, with_options
from LiverSegSSLLib.learn.semi.mixing import resized
from LiverSegSSLLib.learn.semi.two_stream import Step, TwoStreamTrainer

PATCH = (8, 16, 16)
_HEADS = (PATCH, (8, 8, 8), (4, 4, 4))
_FINGERPRINT = {
    "spacings": [[6.0, 4.0, 4.0]],
    "shapes_after_crop": [[20, 40, 40]],
    "foreground_intensity_properties_per_channel": {"0": {}},
}
_NETWORK = {
    "patch_size": PATCH,
    "features_per_stage": [2, 4, 4, 4],
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2]],
    "n_conv_per_stage": [1, 1, 1, 1],
    "n_conv_per_stage_decoder": [1, 1, 1],
}


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """For small tensors: two gain nothing, and wait for each other on a busy machine. Restored at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def initialised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A trainer of a class with some options, on the processor: networks, optimizers, random numbers, no images."""

    def make(kind: type[TwoStreamTrainer], ignore: bool = False, **options: Any) -> Any:
        for name in ("raw", "preprocessed", "results"):
            monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
        preset = load_preset("cpu", {"epochs": 4, "iterations_per_epoch": 25, "configuration": _NETWORK, **options})
        plans = with_options(plans_from_preset(preset, "Dataset001_x", _FINGERPRINT, 2), preset)
        folder = tmp_path / "preprocessed" / "Dataset001_x" / plans["configurations"][CONFIGURATION]["data_identifier"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "any.b2nd").touch()  # by which nnU-Net knows how images are stored
        labels = {"background": 0, "liver": 1, **({"ignore": 2} if ignore else {})}
        dataset = {"channel_names": {"0": "MRI"}, "labels": labels, "numTraining": 2, "file_ending": ".nii.gz"}
        trainer = kind({**plans, "continue_training": False}, CONFIGURATION, 0, dataset, torch.device("cpu"))
        trainer.initialize()
        trainer.draw = np.random.default_rng(0)
        trainer.generator.manual_seed(0)
        return trainer

    return make


@pytest.fixture
def step_of() -> Callable[..., Step]:
    """A batch of random patches and labels with a few voxels of liver."""

    def make(number: int = 0, progress: float = 0.0, labelled: int = 2, unlabelled: int = 2, seed: int = 0) -> Step:
        generator = torch.Generator().manual_seed(seed)
        label = (torch.rand((labelled, 1, *PATCH), generator=generator) < 0.3).short()
        weak = torch.randn((unlabelled, 1, *PATCH), generator=generator)
        return Step(
            image=torch.randn((labelled, 1, *PATCH), generator=generator),
            target=[resized(label, shape) for shape in _HEADS],
            unlabelled=weak,
            strong=weak * 1.3 + 0.2,
            number=number,
            progress=progress,
        )

    return make
