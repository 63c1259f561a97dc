"""The patient's body in an MR image: Otsu below a percentile, so that bright voxels cannot spoil it.

After FLARE24_he's registration stage (METHODS 6.1): ``t = otsu(I[I < P80])``, body = ``I > t``; then the largest
component with its holes filled slice by slice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.volume import Volume

PERCENTILE = 80.0
"""Voxels at or above this percentile do not take part in Otsu's choice of the threshold."""


def body_mask(volume: Volume) -> Volume:
    """The body as uint8 0/1 on the image's grid. A constant image has none (all 0)."""
    return volume.with_array(body_array(volume.array).astype(np.uint8))


def body_volume_ml(volume: Volume) -> float:
    """Volume of the body mask in mL: the ``vol`` by which atlases are matched (METHODS 5, MDM)."""
    return body_mask(volume).volume_ml()


def body_array(image: NDArray[np.generic]) -> NDArray[np.bool_]:
    """The body in an array [z, y, x]; see :func:`body_mask`."""
    from scipy import ndimage

    values = np.nan_to_num(np.asarray(image, dtype=np.float32))
    mask = values > _threshold(values)
    components, count = ndimage.label(mask)
    if count == 0:
        return np.zeros(values.shape, bool)
    largest = components == 1 + int(np.argmax(np.bincount(components.ravel())[1:]))
    # Slice by slice, since lungs and bowel open through the ends of the field of view.
    return np.stack([ndimage.binary_fill_holes(plane) for plane in largest])


def _threshold(values: NDArray[np.float32]) -> float:
    """Otsu's threshold of the voxels below P80; the image's maximum (nothing is above it) when there is no contrast."""
    from skimage.filters import threshold_otsu

    below = values[values < np.percentile(values, PERCENTILE)]
    if below.size == 0 or below.min() == below.max():
        # Over a fifth of the voxels share the largest value, or the background is one value: no second mode below P80.
        below = values.ravel()
    if below.min() == below.max():
        return float(values.max())
    return float(threshold_otsu(below))
