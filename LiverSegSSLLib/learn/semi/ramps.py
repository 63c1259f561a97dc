"""How the weight of what is not certain grows in the course of a training."""

from __future__ import annotations

import math


def gaussian_ramp(progress: float) -> float:
    """exp(−5 (1 − t)²) with t = progress within [0, 1]: 0.0067379 at 0, 0.28650 at 1/2, 1 from 1 on.

    (Laine and Aila 2017; what SSL4MIS calls ``sigmoid_rampup``.)
    """
    return math.exp(-5.0 * (1.0 - min(max(progress, 0.0), 1.0)) ** 2)


def ramped(weight: float, progress: float, ramp: float) -> float:
    """A weight that has grown fully when ``progress`` (0 … 1 over the training) reaches ``ramp``; 0: at once."""
    return weight * (gaussian_ramp(progress / ramp) if ramp else 1.0)
