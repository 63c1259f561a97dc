"""How sure the propagated masks are: entropy of the mean probability, and disagreement between those it is the mean of.

Entropy cannot tell a border that every support puts at the same doubtful place from supports that contradict each
other; disagreement can. Members are one (support, space) each, with their weight (:mod:`.consistency`). Arrays are
[z, y, x] on any grid; what leaves the room is on the native grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.doubt import POSSIBLE, binary_entropy

Array = NDArray[np.float32]

THRESHOLD = 0.5
"""Probability from which a voxel is liver."""


class Tally:
    """Adds up members one after another: memory does not grow with their number.

    The mean is weighted, ``p̄ = Σ w p / Σ w``; the sum is kept in float64, so the order of the members moves the mean
    by under 1e-12.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._weight = 0.0
        self._sum = np.zeros(shape, np.float64)
        self._for = np.zeros(shape, np.float64)
        self.members = 0

    def add(self, probability: NDArray[np.floating], weight: float = 1.0) -> None:
        """One member; ``weight`` above 0."""
        if not weight > 0:
            raise ValueError(f"a member's weight must be above 0, not {weight}")
        self._weight += weight
        self._sum += weight * probability
        self._for += weight * (probability >= THRESHOLD)
        self.members += 1

    def mean(self) -> Array:
        """The weighted mean probability, float32.

        :raises ValueError: nothing was added.
        """
        if not self.members:
            raise ValueError("there is no member to take the mean of")
        return np.clip(self._sum / self._weight, 0.0, 1.0).astype(np.float32)

    def disagreement(self) -> Array:
        """The share of the weight whose own mask differs from the mask of the mean, 0 … 1, float32."""
        mean = self.mean()
        share = self._for / self._weight
        return np.clip(np.where(mean >= THRESHOLD, 1.0 - share, share), 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Of one case. Slices are those of the arrays' first axis.

    :param entropy: bits of every voxel, 0 … 1.
    :param disagreement: share of the members that differ from the mean, every voxel.
    :param slice_entropy: summed over each slice, in voxels of full doubt (as :func:`doubt.slice_entropy`).
    :param slice_disagreement: likewise.
    :param case_entropy: mean over the possible liver (probability ≥ 0.05, or any member for it); 0 where there is none.
    :param case_disagreement: likewise.
    """

    entropy: Array
    disagreement: Array
    slice_entropy: NDArray[np.float64]
    slice_disagreement: NDArray[np.float64]
    case_entropy: float
    case_disagreement: float


def uncertainty_of(probability: Array, disagreement: Array) -> Uncertainty:
    """Per voxel, slice and case, from the two maps of a :class:`Tally` on one grid [z, y, x]."""
    entropy = binary_entropy(probability)
    region = (probability >= POSSIBLE) | (disagreement > 0)
    return Uncertainty(
        entropy,
        disagreement,
        entropy.sum(axis=(1, 2), dtype=np.float64),
        disagreement.sum(axis=(1, 2), dtype=np.float64),
        float(entropy[region].mean()) if region.any() else 0.0,
        float(disagreement[region].mean()) if region.any() else 0.0,
    )
