"""Image spaces in which a mask can cross from one contrast to another: T2 and DWI, where the plain method fails.

The network follows what looks alike. A liver is the brightest organ in GED4 and among the darker ones in T2; in the
right image space it looks alike again. Which space that is differs from case to case, so several are tried and
self-consistency decides (:mod:`.consistency`). Arrays are 0 … 255, [z, y, x], background 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.align.body_mask import body_array
from LiverSegSSLLib.align.sobel import sobel_space
from LiverSegSSLLib.propose.few_shot.frames import TOP, Frames
from LiverSegSSLLib.volume import Volume

Space = Literal["plain", "sobel", "inverted", "matched", "inverted_matched"]
"""``plain``: as they are. ``sobel``: gradient magnitude of both images, blind to the sign of an edge. ``inverted``: the
case with its grey values turned over within the body. ``matched``: the case with the supports' histogram.
``inverted_matched``: both, in this order. Only ``sobel`` changes the support's image too."""

SPACES: tuple[Space, ...] = get_args(Space)

MATCHED: tuple[Space, ...] = ("matched", "inverted_matched")
"""Those that need the supports' histogram."""

QUANTILES = 256
"""Points at which a histogram's quantile function is kept: one a grey level."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """The grey values of a body by rank: ``quantiles`` (n,), rising, 0 … 255."""

    quantiles: NDArray[np.float64]


def histogram_of(grey: NDArray[np.float32], body: NDArray[np.bool_] | None = None) -> Histogram:
    """Of the voxels within the body (``None``: find it)."""
    values = grey[body_array(grey) if body is None else body]
    if not values.size:
        values = grey.ravel()
    return Histogram(np.quantile(values.astype(np.float64), np.linspace(0.0, 1.0, QUANTILES)))


def mean_histogram(histograms: Sequence[Histogram]) -> Histogram:
    """The mean of the quantile functions (the barycentre in the Wasserstein metric): one for all supports.

    Matching to each support of its own would encode the case once a support; the supports of a case come from one
    scanner and look alike.
    """
    return Histogram(np.mean([histogram.quantiles for histogram in histograms], axis=0))


def support_in(space: Space, frames: Frames) -> Frames:
    """A support's slices in a space."""
    return frames.with_grey(_sobel(frames)) if space == "sobel" else frames


def case_in(space: Space, frames: Frames, supports: Histogram | None) -> Frames:
    """The slices of the case to segment in a space.

    :param supports: of the supports' images; only the spaces in :data:`MATCHED` need it.
    """
    if space == "plain":
        return frames
    if space == "sobel":
        return frames.with_grey(_sobel(frames))
    body = body_array(frames.grey)
    grey = frames.grey if space == "matched" else inverted(frames.grey, body)
    if space == "inverted":
        return frames.with_grey(grey)
    if supports is None:
        raise ValueError(f"the space {space} needs the supports' histogram")
    return frames.with_grey(matched(grey, body, supports))


def inverted(grey: NDArray[np.float32], body: NDArray[np.bool_]) -> NDArray[np.float32]:
    """255 − value within the body; outside it the values stay, so air stays dark."""
    return np.where(body, np.float32(TOP) - grey, grey).astype(np.float32)


def matched(grey: NDArray[np.float32], body: NDArray[np.bool_], wanted: Histogram) -> NDArray[np.float32]:
    """Grey values within the body replaced by those of the same rank in another histogram; equal values stay equal."""
    values = grey[body]
    if not values.size:
        return grey
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    # The middle of the ranks that a value takes: a tie of half the body must not become its brightest tenth.
    ranks = (np.cumsum(counts) - 0.5 * counts) / values.size
    result = grey.copy()
    result[body] = np.interp(ranks, np.linspace(0.0, 1.0, len(wanted.quantiles)), wanted.quantiles)[place]
    return result


def _sobel(frames: Frames) -> NDArray[np.float32]:
    return sobel_space(Volume(frames.grey, frames.canonical)).array
