"""Places on a regular grid as tensors: sampling, affine maps, displacements; and their way back to ITK.

Index tensors are (z, y, x, 3) with components in (z, y, x) order, in voxels of a grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.volume import Geometry

if TYPE_CHECKING:
    import SimpleITK as sitk
    import torch


def index_grid(shape: Sequence[int]) -> torch.Tensor:
    """The voxel indices (z, y, x, 3) of a grid."""
    import torch

    return torch.stack(torch.meshgrid(*[torch.arange(n, dtype=torch.float32) for n in shape], indexing="ij"), -1)


def sample(image: torch.Tensor, index: torch.Tensor, outside: str = "zeros") -> torch.Tensor:
    """Linear interpolation of (channels, z, y, x) at voxel indices (z, y, x, 3).

    :param outside: ``"zeros"``, or ``"border"`` for the nearest voxel.
    """
    import torch
    import torch.nn.functional as functional

    size = torch.tensor(image.shape[1:], dtype=torch.float32)
    normal = ((2 * index + 1) / size - 1).flip(-1)
    return functional.grid_sample(image[None], normal[None], align_corners=False, padding_mode=outside)[0]


def pooled(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Means over cubes of ``factor`` voxels; what does not fill a cube at the far end is dropped."""
    import torch.nn.functional as functional

    return functional.avg_pool3d(image[None], factor)[0] if factor > 1 else image


def index_matrix(fixed: Geometry, moving: Geometry, matrix_lps: NDArray[np.float64]) -> NDArray[np.float64]:
    """A linear map of LPS points as one from fixed to moving voxel indices, both in (z, y, x) order; 4 × 4."""
    flip = np.eye(4)[[2, 1, 0, 3]]
    inner = np.linalg.inv(moving.index_to_lps()) @ matrix_lps @ fixed.index_to_lps()
    return flip @ inner @ flip


def lps_matrix(fixed: Geometry, moving: Geometry, matrix_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of :func:`index_matrix`."""
    flip = np.eye(4)[[2, 1, 0, 3]]
    return moving.index_to_lps() @ flip @ matrix_zyx @ flip @ np.linalg.inv(fixed.index_to_lps())


def displacement_transform(displacement: torch.Tensor, grid: Geometry) -> sitk.DisplacementFieldTransform:
    """Displacements (3, z, y, x) in voxels of a grid, components (z, y, x), as a transform of LPS points in mm."""
    import SimpleITK as sitk

    axes = grid.index_to_lps()[:3, :3]
    vectors = displacement.detach().double().numpy()[::-1]  # components (x, y, z)
    lps = np.einsum("ij,jzyx->zyxi", axes, vectors)
    field = sitk.GetImageFromArray(np.ascontiguousarray(lps), isVector=True)
    field.SetSpacing(grid.spacing)
    field.SetOrigin(grid.origin)
    field.SetDirection(grid.direction)
    return sitk.DisplacementFieldTransform(field)


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use so many threads in this block."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(threads, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
