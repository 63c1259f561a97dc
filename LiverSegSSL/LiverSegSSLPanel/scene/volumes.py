"""Images: Volume ↔ vtkMRMLScalarVolumeNode, voxel for voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray
from vtk.util import numpy_support

from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.volume import Volume
from LiverSegSSLPanel.scene.geometry import set_geometry, world_geometry

_SOFT_TISSUE_HU = (-160.0, 240.0)
_AIR = 0.1
"""Of the range of grey values: what is darker is not body."""
_WHITE = 97.0
"""Percentage of the body that is not white."""


def add_volume(scene: Any, volume: Volume, name: str) -> Any:
    """A new scalar volume node in the scene, with display, on the volume's grid. The caller chooses window and level.

    Values are kept exactly. Types that MRML lacks become the nearest that holds them: booleans bytes, half floats
    floats, 64-bit integers 32-bit ones or doubles.

    :raises ImageError: 64-bit integers that no type of MRML can hold.
    """
    array = mrml_array(volume.array, name)
    node = scene.CreateNodeByClass("vtkMRMLScalarVolumeNode")
    node.UnRegister(None)  # the Python variable holds it
    node.SetName(scene.GenerateUniqueName(name))
    scene.AddNode(node)
    # Before there is an image: Slicer's own choice of window and level takes 80 ms for 320 x 260 x 72 voxels.
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    set_image(node, volume.with_array(array))
    return node


def set_grey_window(node: Any, array: NDArray[Any], is_ct: bool = False) -> None:
    """Choose what is black and what is white so that the liver can be judged; a person may change it afterwards.

    Slicer's own choice reaches up to the brightest vessel, gut or fluid, which leaves the liver dark in T2 and DWI.

    :param is_ct: in Hounsfield units; the usual soft tissue window.
    """
    low, high = _SOFT_TISSUE_HU
    if not is_ct:
        some = np.nan_to_num(array[::2, ::3, ::3].astype(np.float64).ravel())
        low, top = np.percentile(some, (0.5, 99.0))
        body = some[some > low + _AIR * (top - low)]
        high = float(np.percentile(body, _WHITE)) if body.size else top
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(float(low), float(max(high, low + 1e-6)))


def set_image(node: Any, volume: Volume) -> None:
    """Give a volume node other voxels, and their grid."""
    image = vtk.vtkImageData()
    image.SetDimensions(*volume.geometry.size)
    fill(image, mrml_array(volume.array, node.GetName()))
    set_geometry(node, volume.geometry)
    node.SetAndObserveImageData(image)


def volume_of(node: Any) -> Volume:
    """The image of a volume node where it is seen in the scene: linear transforms above it are hardened into the grid.

    :returns: a copy.
    :raises GeometryError: there is no image, or the transform above it bends or shears.
    :raises ImageError: the image has several values per voxel.
    """
    geometry = world_geometry(node)
    scalars = node.GetImageData().GetPointData().GetScalars()
    if scalars is None or scalars.GetNumberOfComponents() != 1:
        raise ImageError("has several values per voxel, or none", node.GetName(), "give a grey-scale image")
    array = numpy_support.vtk_to_numpy(scalars).reshape(geometry.shape)
    return Volume(array.copy(), geometry)


def fill(image: Any, array: NDArray[Any]) -> None:
    """Copy an array ``[z, y, x]`` into image data of its size."""
    scalars = numpy_support.numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True)
    scalars.SetName("ImageScalars")  # VTK's own name: Slicer's DICOM exporter takes any other one for an empty segment
    image.GetPointData().SetScalars(scalars)


def mrml_array(array: NDArray[Any], where: str) -> NDArray[Any]:
    """The same values in a type that MRML has and shows.

    :raises ImageError: no such type holds them, or they are no numbers.
    """
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return array.astype(np.uint8)
    if kind == "f" and size in (2, 4, 8):
        return array.astype(np.float32 if size < 8 else np.float64, copy=False)
    if kind in "iu" and size <= 4:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    if kind in "iu":
        lowest, highest = (int(array.min()), int(array.max())) if array.size else (0, 0)
        for dtype in (np.int32, np.uint32):
            if np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max:
                return array.astype(dtype)
        if max(-lowest, highest) <= 2**53:
            return array.astype(np.float64)
    raise ImageError(f"has voxels of a type that the scene cannot hold ({array.dtype})", where, "save it as float")
