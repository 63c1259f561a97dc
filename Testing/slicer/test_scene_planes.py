"""Slices of a volume as planes of the world, on grids of all kinds and under transforms."""

import numpy as np
import pytest

pytest.importorskip("slicer")

from LiverSegSSLPanel.scene.planes import axial_axis, middle_of, slice_at, slice_centre, view_axes
from LiverSegSSLPanel.scene.segmentations import add_segmentation, set_labels
from LiverSegSSLPanel.scene.volumes import add_volume

from LiverSegSSLLib.volume import Geometry, Volume

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)  # columns: left, inferior, posterior (LPS)
COS, SIN = np.cos(0.2), np.sin(0.2)
TILTED = (1.0, 0.0, 0.0, 0.0, COS, -SIN, 0.0, SIN, COS)


def volume(scene, direction=AXIAL, size=(10, 8, 6), spacing=(1.5, 2.0, 4.0)):
    geometry = Geometry(size, spacing, (5.0, -7.0, 11.0), direction)
    return add_volume(scene, Volume(np.zeros(geometry.shape, np.int16), geometry), "image")


def test_an_axial_volume_is_seen_as_radiologists_see_it(scene):
    node = volume(scene)
    assert axial_axis(node) == 0
    np.testing.assert_allclose(view_axes(node, 0), [[-1, 0, 0], [0, 1, 0], [0, 0, 1]], atol=1e-12)
    # Index (4.5, 3.5, 2) is LPS (5 + 6.75, -7 + 7, 11 + 8).
    np.testing.assert_allclose(slice_centre(node, 0, 2), [-11.75, 0.0, 19.0], atol=1e-9)


def test_a_coronal_volume_has_its_axial_slices_across_another_axis(scene):
    node = volume(scene, CORONAL)
    assert axial_axis(node) == 1
    np.testing.assert_allclose(view_axes(node, 1)[:, 2], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(view_axes(node, 0), [[-1, 0, 0], [0, 0, 1], [0, 1, 0]], atol=1e-12)


@pytest.mark.parametrize("direction", [AXIAL, CORONAL, TILTED])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_is_found_again_and_lies_in_its_view(scene, direction, axis):
    node = volume(scene, direction)
    axes = view_axes(node, axis)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    first, second = slice_centre(node, axis, 1), slice_centre(node, axis, 2)
    step = node.GetSpacing()[2 - axis]
    np.testing.assert_allclose(abs(axes[:, 2] @ (second - first)), step)
    assert slice_at(node, axis, first) == 1 and slice_at(node, axis, first + 0.4 * (second - first)) == 1
    assert slice_at(node, axis, first + 100 * (second - first)) == node.GetImageData().GetDimensions()[2 - axis] - 1


def test_transforms_above_the_volume_count(scene):
    import vtk

    node = volume(scene)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([1, 0, 0, 10, 0, COS, -SIN, 20, 0, SIN, COS, 30, 0, 0, 0, 1])
    transform.SetMatrixTransformToParent(matrix)
    before = slice_centre(node, 0, 3)
    node.SetAndObserveTransformNodeID(transform.GetID())
    moved = matrix.MultiplyPoint([*before, 1.0])[:3]
    np.testing.assert_allclose(slice_centre(node, 0, 3), moved, atol=1e-9)
    np.testing.assert_allclose(view_axes(node, 0)[:, 2], [0, -SIN, COS], atol=1e-9)
    assert slice_at(node, 0, np.array(moved)) == 3


def test_the_middle_of_what_is_drawn_or_of_the_image(scene):
    node = volume(scene)
    segmentation = add_segmentation(scene, node, "liver")
    np.testing.assert_allclose(middle_of(node, segmentation), slice_centre(node, 0, 2.5), atol=1e-6)
    np.testing.assert_allclose(middle_of(node, None), slice_centre(node, 0, 2.5), atol=1e-6)
    geometry = Geometry((10, 8, 6), (1.5, 2.0, 4.0), (5.0, -7.0, 11.0), AXIAL)
    mask = np.zeros(geometry.shape, np.uint8)
    mask[4, 2:5, 2:5] = 1
    set_labels(segmentation, Volume(mask, geometry))
    assert slice_at(node, 0, middle_of(node, segmentation)) == 4
