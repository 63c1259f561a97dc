"""Doubt: the binary entropy of the mean probability.

The mean of the probabilities of several supports, folds or fields says by its entropy where they disagree: 0 bit where
all say the same, 1 bit where they are split evenly (SSL-MedSAM2 saves it as its uncertainty; METHODS 7.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.doubt import POSSIBLE, binary_entropy, is_doubtful
from LiverSegSSLLib.score.evidence import Evidence, failed, percent
from LiverSegSSLLib.types import Score

Region = Literal["possible", "band", "image"]


def mean_entropy(probability: NDArray[Any], region: Region = "possible") -> float:
    """Mean entropy in bits of one case, 0 … 1; 0 where the region is empty.

    :param region: ``possible``: voxels of probability ≥ 0.05, so that neither the field of view nor a thin rim of
        doubt around a large liver decides; ``band``: only voxels where the sources disagree at all (0.05 … 0.95);
        ``image``: every voxel.
    """
    chosen = _region(probability, region)
    return float(binary_entropy(probability[chosen]).mean()) if chosen.any() else 0.0


def doubtful_share(probability: NDArray[Any]) -> float:
    """Share of the possible liver (probability ≥ 0.05) in which the sources disagree (0.2 … 0.8)."""
    possible = np.count_nonzero(probability >= POSSIBLE)
    split = np.count_nonzero(is_doubtful(probability))
    return split / possible if possible else 0.0


@dataclass(frozen=True)
class EntropyScore:
    """Mean entropy of the probability, at most ``most_bits``; value 1 − mean entropy."""

    name: ClassVar[str] = "entropy"
    most_bits: float = 0.5
    region: Region = "possible"

    def __call__(self, evidence: Evidence) -> Score | None:
        """Applies where a probability was kept."""
        if evidence.probability is None:
            return None
        probability = evidence.probability.array
        if not (probability >= 0.5).any():
            return failed(self.name, "nowhere is liver more likely than not")
        bits = mean_entropy(probability, self.region)
        share = doubtful_share(probability)
        return Score(self.name, 1.0 - bits, bits <= self.most_bits, f"in doubt in {percent(share)} of the volume")


def _region(probability: NDArray[Any], region: Region) -> NDArray[np.bool_]:
    if region == "image":
        return np.ones(probability.shape, bool)
    chosen: NDArray[np.bool_] = probability >= POSSIBLE
    return chosen & (probability <= 1 - POSSIBLE) if region == "band" else chosen
