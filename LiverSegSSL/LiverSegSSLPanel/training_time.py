"""How long a training will take, where it has been measured. Free of Qt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LiverSegSSLLib.rounds.recipe import Learn

MEASURED_PRESET = "cpu"

STEP_S = 0.53
"""Seconds a step of the preset ``cpu``, one core a fold: the built-in study on two cores (docs/accuracy.md), 2 folds of
15 epochs, augmentation and validation included, the preparation of the images not."""

RELATIVE = MappingProxyType({"supervised": 1.0, "mean-teacher": 2.4, "bcp": 2.2, "cps": 4.6, "midss": 5.1})
"""Time of a step, supervised training = 1 (docs/training.md, what a step costs)."""


@dataclass(frozen=True)
class Expected:
    """How long a training takes on a processor; ``at_least``: its network is larger than the one that was measured."""

    seconds: float
    at_least: bool


def expected_on_processor(learn: Learn, rounds: int, cores: int) -> Expected | None:
    """The time of all rounds' trainings on a processor; ``None``: nothing like it has been measured.

    :param cores: of this computer; folds are trained side by side, one core each.
    """
    from LiverSegSSLLib.learn.options import load_preset

    measured = learn.preset == MEASURED_PRESET and learn.network is None
    if learn.method not in RELATIVE or (measured and "configuration" in learn.options):
        return None
    training = load_preset(learn.preset, learn.options, network=learn.network).training
    one_after_another = math.ceil(learn.folds / max(1, cores))
    steps = training.epochs * training.iterations_per_epoch * one_after_another * rounds
    return Expected(steps * STEP_S * RELATIVE[learn.method], not measured)
