"""Segmentations over a slice, in the plainest way: for pictures of the panel, not for the judgement of masks."""

from typing import Any

import numpy as np
import slicer
import vtk
from PySide6 import QtGui
from vtkmodules.util.numpy_support import vtk_to_numpy


def overlay(slice_node: Any) -> QtGui.QImage | None:
    """The visible segments of the scene in the plane of a slice node, as a transparent picture of the view's size; None
    where there are none."""
    wide, high, _ = slice_node.GetDimensions()
    colours = np.zeros((high, wide, 4), np.uint8)
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        display = node.GetDisplayNode()
        if display is None or not display.GetVisibility() or not display.IsDisplayableInView(slice_node.GetID()):
            continue
        for segment_id in node.GetSegmentation().GetSegmentIDs():
            if display.GetSegmentVisibility(segment_id):
                _paint(colours, node, segment_id, slice_node, bool(display.GetVisibility2DFill()))
    if not colours.any():
        return None
    pixels = np.ascontiguousarray(colours[::-1])
    return QtGui.QImage(pixels.data, wide, high, 4 * wide, QtGui.QImage.Format.Format_RGBA8888).copy()


def _paint(colours: np.ndarray, node: Any, segment_id: str, slice_node: Any, fill: bool) -> None:
    """Fill a segment lightly and draw its edge, in its colour. `colours`: (rows from below, columns, RGBA)."""
    inside = _resliced(node, segment_id, slice_node)
    if inside is None or not inside.any():
        return
    padded = np.pad(inside, 1)
    core = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    colour = [round(255 * part) for part in node.GetSegmentation().GetSegment(segment_id).GetColor()]
    if fill:
        colours[inside] = [*colour, 70]
    colours[inside & ~core] = [*colour, 255]


def _resliced(node: Any, segment_id: str, slice_node: Any) -> np.ndarray | None:
    """Whether each pixel (row from below, column) of a slice lies in a segment."""
    image = slicer.vtkOrientedImageData()
    if not node.GetBinaryLabelmapRepresentation(segment_id, image) or image.IsEmpty():
        return None
    from_ras = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(from_ras)
    from_slice = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Multiply4x4(from_ras, slice_node.GetXYToRAS(), from_slice)
    plain = vtk.vtkImageData()
    plain.ShallowCopy(image)
    # The matrix gives voxels; spacing and origin are in it already.
    plain.SetSpacing(1, 1, 1)
    plain.SetOrigin(0, 0, 0)
    plain.SetDirectionMatrix(1, 0, 0, 0, 1, 0, 0, 0, 1)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(plain)
    reslice.SetResliceAxes(from_slice)
    wide, high, _ = slice_node.GetDimensions()
    reslice.SetOutputExtent(0, wide - 1, 0, high - 1, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetInterpolationModeToNearestNeighbor()
    reslice.Update()
    return vtk_to_numpy(reslice.GetOutput().GetPointData().GetScalars()).reshape(high, wide) > 0
