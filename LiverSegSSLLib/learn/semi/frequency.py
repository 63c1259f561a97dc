"""The contrast of another image by its low frequencies: their amplitude is the other's, the phase stays.

Images (n, c, z, y, x); what makes up a scan's contrast and shading is in the low amplitudes, where things are is in the
phase (Yang and Soatto, CVPR 2020; in MiDSS' mixing of labelled and unlabelled images, Ma et al. 2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def half_widths(shape: Sequence[int], window: float, in_plane: bool) -> tuple[int, ...]:
    """Half widths b of the window of exchanged frequencies, −b … b, in cycles per patch.

    :param shape: (z, y, x).
    :param window: as a fraction L of the patch.
    :param in_plane: frequencies of slices: ⌊min(y, x) · L⌋ for y and x; else of the volume: ⌊n · L⌋ for each axis.
        Where that is 0, only the mean is exchanged.
    """
    if in_plane:
        return (math.floor(min(shape[-2:]) * window),) * 2
    return tuple(math.floor(side * window) for side in shape[-3:])


def restyled(image: Tensor, style: Tensor, share: Tensor, window: float, in_plane: bool = True) -> Tensor:
    """``image`` with low frequencies whose amplitude is (1 − r) its own + r those of ``style``.

    Both are moved to values ≥ 0 and back, as the frequency 0 is the mean only where that is positive. This is all that
    the reference's scale of 0 … 255 does, and that of any other affine map which both share: their factor and offset
    cancel (each patch scaled by a range of its own would lose what differs between them in brightness). As there, no
    value leaves the range of the two.

    :param image: (n, c, z, y, x), with values on the scale of ``style``.
    :param share: r in [0, 1] for each sample, (n,). 0: the image as it is.
    :return: 32 bits.
    """
    image, style = image.float(), style.float()
    axes = (2, 3, 4)
    low = torch.minimum(image.amin(axes, keepdim=True), style.amin(axes, keepdim=True))
    high = torch.maximum(image.amax(axes, keepdim=True), style.amax(axes, keepdim=True))
    mixed = with_amplitude(image - low, style - low, share, half_widths(image.shape, window, in_plane))
    return (mixed + low).clamp(low, high)


def with_amplitude(image: Tensor, style: Tensor, share: Tensor, widths: Sequence[int]) -> Tensor:
    """The exchange itself, over the last ``len(widths)`` axes, of images with values ≥ 0; its results may be below."""
    axes = tuple(range(-len(widths), 0))
    spectrum = torch.fft.rfftn(image, dim=axes)
    own, other = spectrum.abs(), torch.fft.rfftn(style, dim=axes).abs()
    mixed = torch.lerp(own, other, share.to(own).view(-1, *[1] * (image.ndim - 1)))
    # A frequency that the image lacks has no phase that could stay.
    gain = torch.where(_window(image.shape, widths, image.device), mixed / own.clamp_min(1e-12), 1.0)
    return torch.fft.irfftn(spectrum * gain, s=[image.shape[axis] for axis in axes], dim=axes)


def _window(shape: Sequence[int], widths: Sequence[int], device: torch.device) -> Tensor:
    """Which coefficients of ``rfftn`` are in the window, for the last axes."""
    inside = torch.ones((), dtype=torch.bool, device=device)
    for axis, width in zip(range(-len(widths), 0), widths, strict=True):
        frequency = torch.arange(shape[axis] // 2 + 1 if axis == -1 else shape[axis], device=device)
        frequency = torch.minimum(frequency, shape[axis] - frequency)
        inside = inside & (frequency <= width).view(-1, *[1] * (-1 - axis))
    return inside
