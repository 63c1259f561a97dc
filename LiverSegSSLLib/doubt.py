"""How uncertain a probability is: binary entropy, per voxel and per slice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

POSSIBLE = 0.05
"""Least probability of a voxel that may be liver."""

DOUBTFUL = (0.2, 0.8)
"""Probabilities between which the sources disagree: with five of them, one against four or closer."""


def binary_entropy(probability: NDArray[Any]) -> NDArray[np.float32]:
    """Entropy in bits of every voxel's probability; 0 at 0 and 1, 1 at 0.5. Any shape."""
    p = np.clip(np.asarray(probability, np.float32), 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return np.nan_to_num(entropy, nan=0.0)


def slice_entropy(probability: NDArray[Any]) -> NDArray[np.float64]:
    """Doubt of every slice ``[z]`` of a probability ``[z, y, x]``: its entropy summed, in voxels of full doubt.

    A sum, not a mean: a slice with a large doubtful area needs a person more than one where only three voxels may be
    liver and all three are uncertain.
    """
    doubt: NDArray[np.float64] = binary_entropy(probability).sum(axis=(1, 2), dtype=np.float64)
    return doubt


def is_doubtful(probability: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the sources disagree (0.2 … 0.8)."""
    doubtful: NDArray[np.bool_] = (probability >= DOUBTFUL[0]) & (probability <= DOUBTFUL[1])
    return doubtful
