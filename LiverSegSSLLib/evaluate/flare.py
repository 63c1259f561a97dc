"""FLARE24's official rules for Dice and surface Dice of 13 organs, to the letter.

The script is JunMa11/FLARE ``FLARE24/T2andT3_FLARE24_DSC_NSD_Eval.py``; its table of tolerances, cropped organs and
limits stands in ``Resources/metrics.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.evaluate.metrics import dice
from LiverSegSSLLib.evaluate.surfaces import SpacingZYX, surface, surface_distances
from LiverSegSSLLib.resources import table


@dataclass(frozen=True)
class FlareScore:
    """Dice and surface Dice (NSD) of one organ, rounded as the challenge rounds them."""

    dice: float
    nsd: float


def flare_scores(
    truth: NDArray[Any], prediction: NDArray[Any], spacing_zyx: SpacingZYX, values: Mapping[str, int] | None = None
) -> dict[str, FlareScore]:
    """Scores of every organ in two label maps ``[z, y, x]`` (z from feet to head or the reverse).

    :param values: organ names and their values in the label maps; ``None``: FLARE's thirteen.
    :raises GeometryError: the label maps have different shapes.
    """
    organs = table("metrics.yaml")["flare"]["values"] if values is None else values
    return {
        organ: flare_score(truth == value, prediction == value, spacing_zyx, organ) for organ, value in organs.items()
    }


def flare_score(
    truth: NDArray[np.bool_], mask: NDArray[np.bool_], spacing_zyx: SpacingZYX, organ: str = "liver"
) -> FlareScore:
    """Score of one organ.

    Both empty: 1 and 1. One empty: 0 and 0. Surface Dice is 0 when Dice is below 0.2. Aorta, vena cava and
    oesophagus are judged in the slices ``[first:last]`` of the truth: the last labelled one is left out, as there.
    A truth of one slice then leaves nothing to judge, and Dice is NaN, as there.
    """
    rules = table("metrics.yaml")
    flare = rules["flare"]
    if not truth.any() or not mask.any():
        both = float(not truth.any() and not mask.any())
        return FlareScore(both, both)
    if organ in flare["cropped"]:
        labelled = np.flatnonzero(truth.any(axis=(1, 2)))
        truth, mask = truth[labelled[0] : labelled[-1]], mask[labelled[0] : labelled[-1]]
        if not truth.any() and not mask.any():
            return FlareScore(float("nan"), float("nan"))
    overlap = dice(truth, mask)
    if overlap < flare["least_dice_for_nsd"]:
        return FlareScore(round(overlap, flare["digits"]), 0.0)
    distances = surface_distances(surface(truth, spacing_zyx), surface(mask, spacing_zyx))
    nsd = distances.surface_dice(rules["nsd_tolerance_mm"][organ])
    return FlareScore(round(overlap, flare["digits"]), round(nsd, flare["digits"]))
