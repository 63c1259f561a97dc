"""Several carried masks become one probability: every atlas counts where it looks like the target.

Locally weighted voting (X. Artaechevarria et al., IEEE TMI 2009), on isotropic arrays [z, y, x].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.align.soft_mask import soft

PATCH_MM = 9.0
"""Gaussian sigma of the neighbourhood in which atlas and target are compared."""

TOLERANCE = 0.01
"""Mean squared difference (images scaled 0 … 1) at which an atlas' weight falls to 1/e."""


def fuse(
    target: NDArray[np.float32],
    images: Sequence[NDArray[np.float32]],
    distances_mm: Sequence[NDArray[np.float32]],
    trusts: Sequence[float],
    spacing_mm: float,
    softness_mm: float,
) -> NDArray[np.float32]:
    """Probability from carried atlas images and signed distances, all on the target's grid.

    :param images: scaled like the target's, 0 … 1.
    :param distances_mm: signed distance to each atlas' mask, positive inside.
    :param trusts: weight of each atlas as a whole.
    """
    from scipy import ndimage

    total = np.zeros(target.shape)
    weighted = np.zeros(target.shape)
    for image, distance, trust in zip(images, distances_mm, trusts, strict=True):
        difference = ndimage.gaussian_filter((image - target) ** 2, PATCH_MM / spacing_mm)
        weight = trust * (np.exp(-difference / TOLERANCE) + 1e-6)
        total += weight
        weighted += weight * soft(distance, softness_mm)
    return (weighted / total).astype(np.float32)
