"""Geometry and Volume: a 3-D scalar image with its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import GeometryError

if TYPE_CHECKING:
    import SimpleITK as sitk

GRID_TOLERANCE_MM = 1e-2
"""Two grids are the same when no corner voxel lies further apart than this. NIfTI stores float32
offsets: at 500 mm their rounding alone is 3e-5 mm, and scanner exports differ by up to a few µm."""


@dataclass(frozen=True)
class Geometry:
    """The grid of an image in the patient: LPS world, mm, tuples in (x, y, z) order.

    ``direction`` is the 3 × 3 matrix of the axes in row-major order, as SimpleITK has it.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array, (z, y, x)."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Voxel size in mm in array order."""
        return self.spacing[2], self.spacing[1], self.spacing[0]

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(np.prod(self.spacing)) / 1000.0

    def index_to_lps(self) -> NDArray[np.float64]:
        """The 4 × 4 matrix from voxel index (x, y, z) to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    def corners_lps(self) -> NDArray[np.float64]:
        """Centres of the eight corner voxels, (8, 3), LPS mm."""
        last = np.asarray(self.size) - 1
        index = np.array([[x, y, z, 1.0] for x in (0, last[0]) for y in (0, last[1]) for z in (0, last[2])])
        return (index @ self.index_to_lps().T)[:, :3]

    def same_grid(self, other: Geometry, tolerance_mm: float = GRID_TOLERANCE_MM) -> bool:
        """Whether both grids have the same voxels in the same places."""
        if self.size != other.size:
            return False
        return bool(np.abs(self.corners_lps() - other.corners_lps()).max() <= tolerance_mm)


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar image, array ``[z, y, x]``, on a grid. ``trailing_singleton``: the file was 4-D with one frame."""

    array: NDArray[Any]
    geometry: Geometry
    trailing_singleton: bool = False

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise GeometryError(f"array {self.array.shape} does not fit grid {self.geometry.shape} (z, y, x)")

    def with_array(self, array: NDArray[Any]) -> Volume:
        """Another image on this grid (and with this file shape)."""
        return replace(self, array=array)

    def volume_ml(self) -> float:
        """Volume of the non-zero voxels in mL."""
        return float(np.count_nonzero(self.array)) * self.geometry.voxel_ml


def require_same_grid(mask: Geometry, image: Geometry, where: Path | str) -> None:
    """Raise :class:`GeometryError` unless both grids are the same."""
    if mask.same_grid(image):
        return
    detail = (
        f"{mask.size} voxels against {image.size}"
        if mask.size != image.size
        else f"up to {np.abs(mask.corners_lps() - image.corners_lps()).max():.3g} mm apart"
    )
    raise GeometryError(
        f"the mask is not on its image's grid ({detail})", where, "resample the mask onto the image (nearest neighbour)"
    )


def to_sitk(volume: Volume) -> sitk.Image:
    """The same image as a 3-D SimpleITK image (a copy). Booleans become uint8."""
    import SimpleITK as sitk

    array = volume.array
    if array.dtype == bool or array.dtype == np.float16:
        array = array.astype(np.uint8 if array.dtype == bool else np.float32)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(volume.geometry.spacing)
    image.SetOrigin(volume.geometry.origin)
    image.SetDirection(tidy_direction(volume.geometry.direction))
    return image


def tidy_direction(direction: tuple[float, ...]) -> tuple[float, ...]:
    """Directions for ITK: what is next to nothing is 0, because its inverse of a matrix with such numbers is wrong."""
    return tuple(0.0 if abs(value) < 1e-12 else value for value in direction)


def from_sitk(image: sitk.Image) -> Volume:
    """A 3-D SimpleITK image as a Volume (a copy)."""
    import SimpleITK as sitk

    return Volume(
        sitk.GetArrayFromImage(image),
        Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()),
    )
