"""How to predict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PredictionSettings:
    """How to predict.

    :param step: distance of the windows as a fraction of their size; ``None``: what the model's preset says.
    :param mirroring: average over mirrored images; ``None``: what the model's preset says.
    :param adaptive: larger steps where there would be more than 20 windows (METHODS 6.6).
    :param order: ``resample_first`` brings the network's output to the image's grid and then decides, as nnU-Net
        does; ``threshold_first`` decides on the network's grid: less memory, staircase edges (METHODS 5.1).
    :param edges: move the border to the edges of the image (:mod:`LiverSegSSLLib.edges`); mask and probability.
    :param largest: keep the largest connected part of the mask only. The probability is not touched.
    """

    step: float | None = None
    mirroring: bool | None = None
    adaptive: bool = False
    order: Literal["resample_first", "threshold_first"] = "resample_first"
    edges: bool = False
    largest: bool = True


DEFAULTS = PredictionSettings()
