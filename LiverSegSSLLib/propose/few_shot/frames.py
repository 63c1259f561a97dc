"""A volume as the frames of a video, and what the network says of them back on the volume's own grid.

METHODS 7.1. Volumes come to one canonical frame first (axial, LPS: index 0 is the lowest slice, rows run to posterior,
columns to left), because the published code takes the first array axis for the slices whatever it is. Intensities are
scaled as published. Arrays are [z, y, x]; everything here is numpy but the last step, which resizes logits with torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import GeometryError, LabelError
from LiverSegSSLLib.volume import Geometry, Volume, axes_of, orient, require_same_grid, resize_nearest

if TYPE_CHECKING:
    import torch

PERCENTILES = (0.5, 99.5)
"""Of the voxels above 0: what becomes black and white (MedSAM's preprocessing for MRI)."""

TOP = 255.0
"""White."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of the red, green and blue channel of images in 0 … 1; every SAM 2 model expects them taken out."""

LPS = "LPS"
"""The canonical frame: columns run to the left, rows to posterior, slices to superior."""


@dataclass(frozen=True, eq=False)
class Frames:
    """The slices of one volume in the canonical frame.

    :param grey: float32 (slices, rows, columns), 0 … 255, not yet cut down to 8 bit.
    :param native: the grid that results go back to; ``trailing_singleton`` is that of its file.
    :param limits: intensities that became 0 and 255, in the image's own units.
    """

    grey: NDArray[np.float32]
    canonical: Geometry
    native: Geometry
    trailing_singleton: bool = False
    limits: tuple[float, float] = (0.0, 0.0)

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.grey)

    @property
    def in_plane(self) -> tuple[int, int]:
        """Rows and columns of a slice."""
        return self.grey.shape[1], self.grey.shape[2]

    def with_grey(self, grey: NDArray[np.float32]) -> Frames:
        """The same slices in another image space (see :mod:`.spaces`)."""
        if grey.shape != self.grey.shape:
            raise GeometryError(f"an image space must keep the shape {self.grey.shape}, not make it {grey.shape}")
        return replace(self, grey=grey)

    def pixels(self, size: int, slices: Sequence[int] | None = None) -> NDArray[np.float32]:
        """What the network takes: float32 (n, 3, size, size), ImageNet's mean and deviation taken out.

        As published: cut down (not rounded) to 8 bit, resized by Pillow's bicubic filter, three equal channels. Only
        the named slices, so that a large volume need not be held at the network's size.
        """
        chosen = range(len(self)) if slices is None else slices
        result = np.empty((len(chosen), 3, size, size), np.float32)
        for place, index in enumerate(chosen):
            plane = _resized(np.clip(self.grey[index], 0.0, TOP).astype(np.uint8), size) / np.float32(TOP)
            for channel, (mean, std) in enumerate(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)):
                result[place, channel] = (plane - np.float32(mean)) / np.float32(std)
        return result


def frames_of(volume: Volume) -> Frames:
    """The slices of an image, scaled as published.

    Values that are no numbers count as background. A volume of one slice, and one whose slices run in another
    direction, are as good as any.
    """
    array = np.nan_to_num(volume.array.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    upright = orient(volume.with_array(array), LPS)
    grey, limits = published_grey(upright.array)
    return Frames(grey, upright.geometry, volume.geometry, volume.trailing_singleton, limits)


def published_grey(array: NDArray[Any]) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Clip at the 0.5 and 99.5 percentiles of the voxels above 0, scale to 0 … 255; what was 0 stays 0.

    An image without contrast becomes black. Also returns the limits that were black and white.
    """
    values = array.astype(np.float32)
    positive = values[values > 0]
    if not positive.size:
        return np.zeros(values.shape, np.float32), (0.0, 0.0)
    low, high = (float(limit) for limit in np.percentile(positive, PERCENTILES))
    clipped = np.clip(values, low, high)
    darkest, brightest = float(clipped.min()), float(clipped.max())
    if brightest <= darkest:
        return np.zeros(values.shape, np.float32), (darkest, brightest)
    grey = (clipped - darkest) / (brightest - darkest) * TOP
    grey[values == 0] = 0
    return grey.astype(np.float32), (darkest, brightest)


def canonical_mask(mask: Volume, frames: Frames, where: str = "the support") -> NDArray[np.bool_]:
    """A 0/1 mask in the canonical frame of its image, bool (slices, rows, columns).

    :raises GeometryError: the mask is not on its image's grid.
    :raises LabelError: it is empty; nothing can be propagated from it.
    """
    require_same_grid(mask.geometry, frames.native, where)
    upright: NDArray[np.bool_] = orient(mask.with_array((mask.array != 0).astype(np.uint8)), LPS).array != 0
    if not upright.any():
        raise LabelError(
            "the mask is empty: there is nothing to propagate", where, "label the liver in it, or leave it out"
        )
    return upright


def prompts_of(mask: NDArray[np.bool_], size: int) -> dict[int, NDArray[np.bool_]]:
    """The mask prompts of a labelled volume: slice → bool (size, size), nearest neighbour, only slices with foreground.

    A slice whose few foreground pixels fall between the pixels of a smaller prompt has none.
    """
    prompts = {}
    for index in np.flatnonzero(mask.any(axis=(1, 2))):
        prompt = resize_nearest(mask[index], (size, size))
        if prompt.any():
            prompts[int(index)] = prompt
    return prompts


def probability_of(logits: torch.Tensor, frames: Frames) -> torch.Tensor:
    """Logits at a quarter of the network's size → probabilities on the canonical grid, float32 (slices, rows, columns).

    :param logits: (slices, h, w), any device and precision. Resized bilinearly before the sigmoid, as SAM 2 brings its
        masks to the size of the video; so the mean over insertions and supports is one of probabilities, as published.
    """
    import torch
    import torch.nn.functional as F

    resized = F.interpolate(logits[:, None].float(), size=frames.in_plane, mode="bilinear", align_corners=False)
    return torch.sigmoid(resized[:, 0])


def native_volume(array: NDArray[Any], frames: Frames) -> Volume:
    """An array on the canonical grid as a volume on the grid of the image's file; exact, nothing is interpolated."""
    turned = orient(Volume(np.ascontiguousarray(array), frames.canonical), axes_of(frames.native))
    return Volume(turned.array, frames.native, frames.trailing_singleton)


def _resized(plane: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    from PIL import Image

    if plane.shape == (size, size):
        return plane.astype(np.float32)
    return np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
