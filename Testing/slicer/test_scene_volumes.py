"""Images in the scene: every voxel and the grid to the last bit, and what a transform above them does."""

import numpy as np
import pytest
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st

from Testing.slicer.grids import DTYPES, geometries, same_bits

slicer = pytest.importorskip("slicer")

from LiverSegSSLPanel.scene.geometry import node_geometry  # noqa: E402
from LiverSegSSLPanel.scene.volumes import add_volume, volume_of  # noqa: E402

from LiverSegSSLLib.errors import GeometryError, ImageError  # noqa: E402
from LiverSegSSLLib.volume import Geometry, Volume  # noqa: E402

OBLIQUE = Geometry((4, 3, 2), (0.7, 0.9, 3.1), (-12.5, 7.25, 33.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))


@settings(max_examples=60, deadline=None)
@given(geometry=geometries(), dtype=st.sampled_from(DTYPES), seed=st.integers(0, 2**32 - 1))
def test_an_image_comes_back_bit_for_bit(geometry, dtype, seed):
    own = slicer.vtkMRMLScene()
    array = np.random.default_rng(seed).integers(0, 200, geometry.shape).astype(dtype)
    back = volume_of(add_volume(own, Volume(array, geometry), "image"))
    assert same_bits(back.geometry, geometry)
    assert back.array.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(back.array, array)


@settings(max_examples=40, deadline=None)
@given(geometry=geometries())
def test_the_scene_sees_the_voxels_where_the_library_does(geometry):
    own = slicer.vtkMRMLScene()
    node = add_volume(own, Volume(np.zeros(geometry.shape, np.int16), geometry), "image")
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    last = [size - 1 for size in geometry.size]
    ras = np.array(matrix.MultiplyPoint((*map(float, last), 1.0))[:3])
    lps = (geometry.index_to_lps() @ np.array([*last, 1.0]))[:3]
    np.testing.assert_allclose(ras, lps * [-1, -1, 1], atol=1e-9 * max(1.0, np.abs(lps).max()))


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0, 1], bool, np.uint8),
        ([-(2**31), 7], np.int64, np.int32),
        ([0, 2**32 - 1], np.uint64, np.uint32),
        ([-1, 2**40], np.int64, np.float64),
        ([0.5, 2.0], np.float16, np.float32),
        ([0.5, 2.0], ">f4", np.float32),
    ],
)
def test_types_that_mrml_lacks_become_the_nearest_that_holds_their_values(scene, values, dtype, expected):
    array = np.array(values, dtype).reshape(1, 1, 2)
    back = volume_of(add_volume(scene, Volume(array, Geometry((2, 1, 1), (1.0, 1.0, 1.0))), "image"))
    assert back.array.dtype == expected
    assert back.array.ravel().tolist() == array.ravel().astype(expected).tolist()


@pytest.mark.parametrize("array", [np.array([[[2**60 + 1]]]), np.array([[["a"]]])])
def test_values_that_no_type_holds_are_refused(scene, array):
    with pytest.raises(ImageError, match="cannot hold"):
        add_volume(scene, Volume(array, Geometry((1, 1, 1), (1.0, 1.0, 1.0))), "image")
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_a_changed_image_does_not_change_the_one_in_the_scene_nor_the_reverse(scene):
    array = np.arange(24, dtype=np.int16).reshape(OBLIQUE.shape)
    node = add_volume(scene, Volume(array, OBLIQUE), "image")
    array[:] = 0
    first = volume_of(node)
    first.array[:] = 5
    assert volume_of(node).array.ravel().tolist() == list(range(24))


def test_a_rigid_transform_above_the_volume_is_hardened_into_what_is_exported_only(scene):
    node = add_volume(scene, Volume(np.zeros(OBLIQUE.shape, np.int16), OBLIQUE), "image")
    turn = np.array([[0.0, -1.0, 0.0, 5.0], [1.0, 0.0, 0.0, -6.0], [0.0, 0.0, 1.0, 7.0], [0.0, 0.0, 0.0, 1.0]])
    _under(scene, node, turn)
    moved = volume_of(node).geometry
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    np.testing.assert_allclose(moved.index_to_lps(), flip @ turn @ flip @ OBLIQUE.index_to_lps(), atol=1e-12)
    np.testing.assert_allclose(moved.spacing, OBLIQUE.spacing)
    assert same_bits(node_geometry(node), OBLIQUE)


def test_a_transform_that_does_nothing_changes_no_bit(scene):
    node = add_volume(scene, Volume(np.zeros(OBLIQUE.shape, np.int16), OBLIQUE), "image")
    _under(scene, node, np.eye(4))
    assert same_bits(volume_of(node).geometry, OBLIQUE)


@pytest.mark.parametrize(
    ("matrix", "word"),
    [
        ([[1.0, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "shears"),
        ([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], "flattens"),
    ],
)
def test_a_transform_that_no_grid_can_follow_is_refused_in_words(scene, matrix, word):
    node = add_volume(scene, Volume(np.zeros(OBLIQUE.shape, np.int16), OBLIQUE), "image")
    _under(scene, node, np.array(matrix, float))
    with pytest.raises(GeometryError, match=word):
        volume_of(node)


def test_a_transform_that_bends_is_refused_in_words(scene):
    node = add_volume(scene, Volume(np.zeros(OBLIQUE.shape, np.int16), OBLIQUE), "image")
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    spline = vtk.vtkThinPlateSplineTransform()
    points = vtk.vtkPoints()
    moved = vtk.vtkPoints()
    for point in ((0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 10), (10, 10, 10)):
        points.InsertNextPoint(point)
        moved.InsertNextPoint([value * 1.1 + 1 for value in point] if point[0] else point)
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(moved)
    spline.SetBasisToR()
    transform.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(GeometryError, match="bends"):
        volume_of(node)


def test_an_empty_node_is_refused_in_words(scene):
    with pytest.raises(GeometryError, match="holds no image"):
        volume_of(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))


def _under(scene, node, matrix):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "above")
    values = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            values.SetElement(row, column, matrix[row][column])
    transform.SetMatrixTransformToParent(values)
    node.SetAndObserveTransformNodeID(transform.GetID())
