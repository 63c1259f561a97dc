"""From a rough probability to the organ's real border: Bayes with the target's own intensities.

Registration between patients ends some millimetres beside the border. The image itself shows what liver looks like
in this patient (bright in GED4, dark with iron): intensity histograms inside and around the rough mask, the rough
probability as prior, in a few turns (expectation and maximisation, with histograms instead of Gaussians because the
surroundings of a liver are no Gaussian). Arrays are [z, y, x].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.components import largest_component

BINS = 48
"""Of the intensity histograms over 0 … 1."""

FLAT_WEIGHT = 0.08
"""Of total variation denoising, slice by slice: vessels fade into the tissue around them."""


@dataclass(frozen=True)
class Refinement:
    """How far intensities may move the border.

    :param strength: weight of the intensities' evidence; 0 leaves the prior.
    :param prior_strength: weight of the prior.
    :param doubt_mm: how far beside the border the prior may be (Gaussian sigma).
    :param turns: how often histograms and probability are made from each other.
    """

    strength: float = 1.0
    prior_strength: float = 1.5
    doubt_mm: float = 7.5
    turns: int = 4


def refine(
    image: NDArray[np.float32],
    body: NDArray[np.bool_],
    prior: NDArray[np.float32],
    spacing_mm: float,
    how: Refinement,
) -> NDArray[np.float32]:
    """Probability of liver; float32 in [0, 1], 0 outside the body.

    :param image: scaled to 0 … 1, on an isotropic grid.
    :param prior: rough probability on the same grid.
    """
    from scipy import ndimage
    from skimage.restoration import denoise_tv_chambolle

    if how.strength == 0 or not (prior >= 0.5).any():
        return np.where(body, prior, 0).astype(np.float32)
    flat = np.stack([denoise_tv_chambolle(plane, weight=FLAT_WEIGHT) for plane in image])
    bins = np.rint(np.clip(flat, 0, 1) * (BINS - 1)).astype(int)
    expected = _log_odds(ndimage.gaussian_filter(prior, how.doubt_mm / spacing_mm))
    probability = prior.astype(np.float64)
    for _ in range(how.turns):
        near = ndimage.binary_dilation(probability > 0.3, iterations=max(1, round(24.0 / spacing_mm))) & body
        evidence = _evidence(bins, probability, near)[bins]
        evidence = ndimage.gaussian_filter(evidence, 3.0 / spacing_mm)
        odds = how.prior_strength * expected + how.strength * evidence
        probability = np.where(body, 1.0 / (1.0 + np.exp(-odds)), 0.0)
        probability = ndimage.gaussian_filter(probability, 2.0 / spacing_mm)
    return _one_part(probability, spacing_mm)


def _evidence(bins: NDArray[np.int_], probability: NDArray[np.float64], near: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log of how much more often each intensity occurs inside than around, within ±3."""
    from scipy import ndimage

    # Voxels near ½ count little on either side.
    weights = [np.where(near, np.clip(p - 0.3, 0, 1), 0) for p in (probability, 1 - probability)]
    counts = [np.bincount(bins.ravel(), weight.ravel(), BINS) for weight in weights]
    inside, around = (
        ndimage.gaussian_filter1d(count, 1.5) + floor * count.sum() / BINS
        for count, floor in zip(counts, (1e-3, 1e-2), strict=True)
    )
    odds: NDArray[np.float64] = np.log((inside / inside.sum()) / (around / around.sum()))
    return np.clip(odds, -3, 3)


def _log_odds(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    bounded = np.clip(probability.astype(np.float64), 0.005, 0.995)
    return np.log(bounded / (1 - bounded))


def _one_part(probability: NDArray[np.float64], spacing_mm: float) -> NDArray[np.float32]:
    """Without bridges to the neighbours, stray parts and holes: lowered below ½ outside one compact part."""
    from scipy import ndimage

    found = probability > 0.5
    kept = largest_component(ndimage.binary_opening(found, iterations=max(1, round(3.0 / spacing_mm))))
    turns = max(1, round(6.0 / spacing_mm))
    kept = ndimage.binary_closing(np.pad(kept, turns + 1), iterations=turns)[(slice(turns + 1, -turns - 1),) * 3]
    kept = np.stack([ndimage.binary_fill_holes(plane) for plane in kept])
    # The border between ½ on either side stays where the mask changes.
    return np.where(kept, np.maximum(probability, 0.5), np.minimum(probability, 0.49)).astype(np.float32)
