"""MIND-SSC: what a place looks like by how alike its neighbours are, whatever the contrast.

M. P. Heinrich et al., "Towards realtime multimodal fusion for image-guided interventions using self-similarities",
MICCAI 2013: twelve pairs of the six neighbours at a distance, patch distances between them, normalised per voxel.
Tensors are (channels, z, y, x), float32.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CHANNELS = 12
"""Pairs of the six face neighbours that are no opposites."""

_NEIGHBOURS = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))


def mind_ssc(image: torch.Tensor, radius: int = 2, dilation: int = 2) -> torch.Tensor:
    """Descriptor (12, z, y, x), each value in [0, 1], of an image (z, y, x).

    :param radius: half-width of the patches that are compared, in voxels.
    :param dilation: distance of the neighbours from the centre, in voxels.
    """
    import torch
    import torch.nn.functional as functional

    padded = functional.pad(image[None, None], (dilation,) * 6, mode="replicate")[0, 0]

    def neighbour(offset: tuple[int, int, int]) -> torch.Tensor:
        z, y, x = (dilation + step * dilation for step in offset)
        return padded[z : z + image.shape[0], y : y + image.shape[1], x : x + image.shape[2]]

    shifted = [neighbour(offset) for offset in _NEIGHBOURS]
    # Opposite neighbours (0, 1), (2, 3), (4, 5) are left out.
    pairs = [(a, b) for a, b in itertools.combinations(range(6), 2) if a // 2 != b // 2]
    squares = torch.stack([(shifted[a] - shifted[b]) ** 2 for a, b in pairs])[None]
    patches = functional.pad(squares, (radius,) * 6, mode="replicate")
    for axis in range(3):  # a box filter, one axis after the other
        kernel = [1, 1, 1]
        kernel[axis] = 2 * radius + 1
        patches = functional.avg_pool3d(patches, kernel, stride=1)
    distance = patches[0]
    distance = distance - distance.amin(0, keepdim=True)
    noise = distance.mean(0, keepdim=True)
    # In double precision, so that the number of threads cannot show in the last digit.
    average = float(noise.double().mean())
    if average <= 0:
        return torch.ones_like(distance)
    return torch.exp(-distance / noise.clamp(average * 1e-3, average * 1e3))
