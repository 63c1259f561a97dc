"""The slices of a volume as planes in the world: where they are, and how a view has to lie to show them.

World is RAS in mm, with the transforms above the volume; axes and indices are those of the array ``[z, y, x]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

Array = NDArray[np.float64]

SUPERIOR = np.array([0.0, 0.0, 1.0])


def index_to_world(node: Any) -> Array:
    """The 4 × 4 matrix from index ``(x, y, z)`` to world; under a transform that bends, as it is in the middle."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    to_ras = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    transform = node.GetParentTransformNode()
    if transform is None:
        return to_ras
    to_world = vtk.vtkGeneralTransform()
    transform.GetTransformToWorld(to_world)
    middle = (np.array(node.GetImageData().GetDimensions()) - 1) / 2
    steps = np.vstack([middle, middle + np.eye(3)])
    points = np.array([to_world.TransformPoint(*(to_ras[:3, :3] @ step + to_ras[:3, 3])) for step in steps])
    result = np.eye(4)
    result[:3, :3] = (points[1:] - points[0]).T
    result[:3, 3] = points[0] - result[:3, :3] @ middle
    return result


def axial_axis(node: Any) -> int:
    """The axis of the array across which the slices are most nearly axial."""
    directions = index_to_world(node)[:3, :3]
    steepness = np.abs(SUPERIOR @ (directions / np.linalg.norm(directions, axis=0)))
    return 2 - int(np.argmax(steepness))


def slice_centre(node: Any, axis: int, index: float) -> Array:
    """The middle of a slice, in the world."""
    place = (np.array(node.GetImageData().GetDimensions()) - 1) / 2
    place[2 - axis] = index
    to_world = index_to_world(node)
    return to_world[:3, :3] @ place + to_world[:3, 3]


def slice_at(node: Any, axis: int, point: Array) -> int:
    """The slice of a volume that is nearest to a point of the world."""
    to_world = index_to_world(node)
    place = np.linalg.solve(to_world[:3, :3], point - to_world[:3, 3])[2 - axis]
    return int(np.clip(np.rint(place), 0, node.GetImageData().GetDimensions()[2 - axis] - 1))


def view_axes(node: Any, axis: int) -> Array:
    """How a view has to lie to show the slices across an axis, as radiologists look at them.

    :returns: columns: to the right and up on the screen, and towards the next slice; unit vectors of the world.
    """
    to_world = index_to_world(node)[:3, :3]
    directions = to_world / np.linalg.norm(to_world, axis=0)
    right, up = (directions[:, 2 - other] for other in range(3) if other != axis)
    normal = np.cross(right, up)
    normal = normal / np.linalg.norm(normal)
    usual = max(_usual_axes(), key=lambda axes: abs(axes[:, 2] @ normal))
    if abs(right @ usual[:, 0]) < abs(up @ usual[:, 0]):
        right, up = up, right
    right, up = right * _sign(right @ usual[:, 0]), up * _sign(up @ usual[:, 1])
    up = up - (up @ right) * right
    return np.column_stack([right, up / np.linalg.norm(up), normal * _sign(normal @ usual[:, 2])])


def middle_of(image: Any, segmentation: Any) -> Array:
    """The middle of what is drawn, in the world; of the image where nothing is."""
    bounds = [1.0, -1.0] * 3
    if segmentation is not None:
        segmentation.GetRASBounds(bounds)
    if bounds[0] > bounds[1]:
        image.GetRASBounds(bounds)
    return np.add(bounds[0::2], bounds[1::2]) / 2


def _usual_axes() -> list[Array]:
    kind = slicer.vtkMRMLSliceNode
    found = []
    for preset in (kind.GetAxialSliceToRASMatrix, kind.GetCoronalSliceToRASMatrix, kind.GetSagittalSliceToRASMatrix):
        matrix = vtk.vtkMatrix3x3()
        preset(matrix)
        found.append(np.array([[matrix.GetElement(row, column) for column in range(3)] for row in range(3)]))
    return found


def _sign(number: float) -> float:
    return -1.0 if number < 0 else 1.0
