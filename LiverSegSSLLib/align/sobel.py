"""Sobel space: the gradient magnitude of an image, where dark and bright organs look alike (METHODS 5, ASIT)."""

from __future__ import annotations

import numpy as np

from LiverSegSSLLib.volume import Volume

PERCENTILES = (0.5, 99.5)
"""Gradient magnitudes at these percentiles become 0 and :data:`TOP`."""

TOP = 255.0
"""Largest value of Sobel space."""


def sobel_space(volume: Volume, in_plane: bool = True) -> Volume:
    """Gradient magnitude by Sobel's kernels, per mm, scaled to 0 … 255 by percentiles; float32 on the same grid.

    Adding a constant or inverting the contrast changes nothing; a constant image becomes 0.

    :param in_plane: leave the slice axis (z) out, because thick slices make steps that are not edges.
    """
    from scipy import ndimage

    image = volume.array.astype(np.float64)
    squares = np.zeros(image.shape)
    for axis in (1, 2) if in_plane else (0, 1, 2):
        if image.shape[axis] > 1:
            # Sobel's kernel sums smoothing weights of 4 a crossing axis and spans two voxels.
            gain = 2.0 * 4.0 ** (image.ndim - 1)
            gradient = ndimage.sobel(image, axis=axis, mode="nearest") / (gain * volume.geometry.spacing_zyx[axis])
            squares += gradient**2
    magnitude = np.sqrt(squares)
    low, high = np.percentile(magnitude, PERCENTILES)
    # Rounding leaves a trace of gradient in a constant image; it is no edge.
    if high - low <= 1e-9 * max(1.0, float(np.abs(image).max())):
        return volume.with_array(np.zeros(image.shape, np.float32))
    scaled = np.clip((magnitude - low) / (high - low), 0.0, 1.0) * TOP
    return volume.with_array(scaled.astype(np.float32))
