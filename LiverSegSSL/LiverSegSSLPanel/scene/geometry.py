"""Grids in MRML: LPS in the library, RAS in the scene.

Spacing, origin and directions are handed over one by one, not as a matrix: changing signs is exact in floating point,
taking a matrix apart is not, and a mask must come back on the very grid that its image came from. (MRML takes no change
of a number below 2.2e-16; nothing else is lost.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

from LiverSegSSLLib.errors import GeometryError
from LiverSegSSLLib.volume import Geometry

SHEAR = 1e-4
"""Axes whose cosine is larger than this are not at right angles: no image of ours can lie on them."""

_FLIP = np.diag([-1.0, -1.0, 1.0])


def set_geometry(target: Any, geometry: Geometry) -> None:
    """Put a volume node or a ``vtkOrientedImageData`` on a grid (LPS → RAS)."""
    target.SetSpacing(*geometry.spacing)
    target.SetOrigin(*(_FLIP @ np.asarray(geometry.origin)))
    directions = _FLIP @ np.reshape(geometry.direction, (3, 3))
    if hasattr(target, "SetIJKToRASDirections"):
        target.SetIJKToRASDirections(*directions.ravel())
    else:
        target.SetDirections(directions.tolist())


def node_geometry(node: Any) -> Geometry:
    """The grid of a volume node itself (RAS → LPS); transforms above it do not count.

    :raises GeometryError: the node has no image.
    """
    image = node.GetImageData()
    if image is None or not image.GetNumberOfPoints():
        raise GeometryError("holds no image", node.GetName(), "load the volume again")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASDirectionMatrix(matrix)
    return _geometry(image.GetDimensions(), node.GetSpacing(), np.array(node.GetOrigin()), _array(matrix)[:3, :3])


def world_geometry(node: Any) -> Geometry:
    """The grid of a volume node where it is seen: a linear transform above it is hardened into the grid.

    The node stays as it is.

    :raises GeometryError: the transform bends or shears, so that no grid could say where the voxels are.
    """
    geometry = node_geometry(node)
    transform = node.GetParentTransformNode()
    if transform is None:
        return geometry
    remedy = "harden it in the module Transforms and resample the volume, or take it away"
    if not transform.IsTransformToWorldLinear():
        raise GeometryError(f"lies under a transform that bends ({transform.GetName()})", node.GetName(), remedy)
    to_world = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(to_world)
    moved = _array(to_world)
    if np.array_equal(moved, np.eye(4)):
        return geometry
    return _apply(geometry, moved, f"{node.GetName()} under {transform.GetName()}", remedy)


def _apply(geometry: Geometry, ras_to_ras: NDArray[np.float64], where: str, remedy: str) -> Geometry:
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    index_to_ras = ras_to_ras @ lps_to_ras @ geometry.index_to_lps()
    spacing = np.linalg.norm(index_to_ras[:3, :3], axis=0)
    if not (np.isfinite(index_to_ras).all() and spacing.min() > 0):
        raise GeometryError("lies under a transform that flattens it", where, remedy)
    directions = index_to_ras[:3, :3] / spacing
    # What was oblique in the file by its rounding may stay so; only what the transform has done is judged.
    own = np.reshape(geometry.direction, (3, 3))
    if np.abs(directions.T @ directions - own.T @ own).max() > SHEAR:
        raise GeometryError("lies under a transform that shears", where, remedy)
    return _geometry(geometry.size, spacing, index_to_ras[:3, 3], directions)


def _geometry(size: Any, spacing: Any, origin_ras: NDArray[Any], directions_ras: NDArray[Any]) -> Geometry:
    origin = _FLIP @ origin_ras + 0.0  # + 0: no minus zero
    x, y, z = (int(number) for number in size)
    sx, sy, sz = (float(number) for number in spacing)
    return Geometry(
        (x, y, z),
        (sx, sy, sz),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(float(value) for value in (_FLIP @ directions_ras + 0.0).ravel()),
    )


def _array(matrix: Any) -> NDArray[np.float64]:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
