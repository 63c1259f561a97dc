"""Masks in the scene: back on their own grid, value for value; names, terminology, colour; one step of undo."""

import numpy as np
import pytest
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st

from Testing.slicer.grids import geometries, same_bits
from Testing.slicer.scenes import make_scene

slicer = pytest.importorskip("slicer")

from LiverSegSSLPanel.scene.segmentations import (  # noqa: E402
    LIVER,
    Label,
    add_segment,
    add_segmentation,
    drawing_stamp,
    labels_of,
    mask_of,
    set_labels,
    terminology,
    undo_steps,
)
from LiverSegSSLPanel.scene.volumes import add_volume  # noqa: E402

from LiverSegSSLLib.errors import GeometryError, LabelError  # noqa: E402
from LiverSegSSLLib.volume import Geometry, Volume  # noqa: E402

GRID = Geometry((9, 8, 6), (0.7, 0.9, 3.1), (-12.5, 7.25, 33.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
SPLEEN = Label(3, "Spleen", (0.6, 0.4, 0.5), terminology("78961009", "Spleen"))
KIDNEY = Label(7, "Right kidney", (0.7, 0.3, 0.2), terminology("64033007", "Kidney"))


def segmentation_on(scene, geometry, labels=(LIVER,)):
    image = add_volume(scene, Volume(np.zeros(geometry.shape, np.int16), geometry), "image")
    return image, add_segmentation(scene, image, "label", labels)


@settings(max_examples=60, deadline=None)
@given(geometry=geometries(), share=st.sampled_from([0.0, 0.1, 0.5, 1.0]), seed=st.integers(0, 2**32 - 1))
def test_a_mask_comes_back_voxel_for_voxel_on_its_own_grid(geometry, share, seed):
    own, _modules = make_scene()
    mask = (np.random.default_rng(seed).random(geometry.shape) < share).astype(np.uint8)
    _, node = segmentation_on(own, geometry)
    set_labels(node, Volume(mask, geometry))
    back = mask_of(node, geometry)
    assert same_bits(back.geometry, geometry) and back.array.dtype == np.uint8
    np.testing.assert_array_equal(back.array, mask)


@settings(max_examples=40, deadline=None)
@given(geometry=geometries(), seed=st.integers(0, 2**32 - 1))
def test_several_labels_keep_their_values_and_names(geometry, seed):
    own, _modules = make_scene()
    values = np.random.default_rng(seed).choice(np.array([0, 1, 3, 7], np.uint8), geometry.shape)
    _, node = segmentation_on(own, geometry, (KIDNEY, LIVER, SPLEEN))
    set_labels(node, Volume(values, geometry))
    labels, names = labels_of(node, geometry)
    assert names == {7: "Right kidney", 1: "Liver", 3: "Spleen"}
    np.testing.assert_array_equal(labels.array, values)


def test_the_liver_has_snomed_code_and_colour_and_they_are_slicers(scene):
    _, node = segmentation_on(scene, GRID)
    segment = node.GetSegmentation().GetSegment("Liver")
    assert segment.GetName() == "Liver"
    np.testing.assert_allclose(np.array(segment.GetColor()) * 255, [221, 130, 101])
    entry = slicer.vtkSlicerTerminologyEntry()
    assert slicer.vtkSlicerTerminologiesModuleLogic().DeserializeTerminologyEntry(segment.GetTerminology(), entry)
    kind = entry.GetTypeObject()
    assert kind.GetCodingSchemeDesignator() == "SCT"
    assert (kind.GetCodingSchemeDesignator(), kind.GetCodeValue(), kind.GetCodeMeaning()) == (
        "SCT",
        "10200004",
        "Liver",
    )
    assert slicer.vtkSlicerTerminologiesModuleLogic.SerializeTerminologyEntry(entry) == segment.GetTerminology()


def test_the_scene_shows_the_mask_where_the_library_has_it(scene):
    mask = np.zeros(GRID.shape, np.uint8)
    mask[4, 2, 7] = 1
    _, node = segmentation_on(scene, GRID)
    set_labels(node, Volume(mask, GRID))
    drawn = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("Liver", drawn)
    matrix = vtk.vtkMatrix4x4()
    drawn.GetImageToWorldMatrix(matrix)
    assert drawn.GetExtent()[::2] == (7, 2, 4)
    ras = np.array(matrix.MultiplyPoint((7.0, 2.0, 4.0, 1.0))[:3])
    np.testing.assert_allclose(ras, (GRID.index_to_lps() @ [7, 2, 4, 1])[:3] * [-1, -1, 1], atol=1e-12)


def test_slicers_own_export_agrees(scene):
    """Against slicer.util, which goes by way of a label map volume."""
    import slicer.util

    mask = (np.random.default_rng(1).random(GRID.shape) < 0.3).astype(np.uint8)
    image, node = segmentation_on(scene, GRID)
    set_labels(node, Volume(mask, GRID))
    np.testing.assert_array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(node, "Liver", image), mask)
    other = np.roll(mask, 1, axis=2)
    slicer.util.updateSegmentBinaryLabelmapFromArray(other, node, "Liver", image)
    np.testing.assert_array_equal(mask_of(node, GRID).array, other)


def test_what_was_drawn_on_another_grid_is_taken_over_by_the_nearest_voxel(scene):
    """A user may choose a finer grid in the segment editor."""
    fine = Geometry((18, 16, 6), (0.35, 0.45, 3.1), GRID.origin, GRID.direction)
    _, node = segmentation_on(scene, GRID)
    _, drawn = segmentation_on(scene, fine)
    mask = np.zeros(fine.shape, np.uint8)
    mask[2:4, 4:9, 6:13] = 1
    set_labels(drawn, Volume(mask, fine))
    image = slicer.vtkOrientedImageData()
    drawn.GetBinaryLabelmapRepresentation("Liver", image)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(image, node, "Liver", logic.MODE_REPLACE)
    np.testing.assert_array_equal(mask_of(node, GRID).array, mask[:, ::2, ::2])


def test_a_label_without_segment_or_on_another_grid_is_refused_and_nothing_changes(scene):
    _, node = segmentation_on(scene, GRID)
    full = Volume(np.ones(GRID.shape, np.uint8), GRID)
    set_labels(node, full)
    with pytest.raises(LabelError, match="no segment for the value 2"):
        set_labels(node, full.with_array(full.array * 2))
    shifted = Geometry(GRID.size, GRID.spacing, (0.0, 0.0, 0.0), GRID.direction)
    with pytest.raises(GeometryError, match="not on its image's grid"):
        set_labels(node, Volume(full.array * 0, shifted))
    assert mask_of(node, GRID).array.all()


def test_overlapping_segments_are_refused_in_words(scene):
    _, node = segmentation_on(scene, GRID)
    set_labels(node, Volume(np.ones(GRID.shape, np.uint8), GRID))
    segment_id = node.GetSegmentation().AddEmptySegment("mine", "Lesion")
    one = np.zeros(GRID.shape, np.uint8)
    one[1, 2, 3:5] = 1
    import slicer.util

    slicer.util.updateSegmentBinaryLabelmapFromArray(one, node, segment_id)
    with pytest.raises(LabelError, match="Lesion and Liver overlap in 2 voxels"):
        labels_of(node, GRID)
    assert mask_of(node, GRID).array.all(), "the liver itself can still be read"


def test_a_segment_of_the_users_gets_the_next_value_and_is_left_alone(scene):
    _, node = segmentation_on(scene, GRID)
    mine = node.GetSegmentation().AddEmptySegment("mine", "Lesion")
    one = np.zeros(GRID.shape, np.uint8)
    one[1, 2, 3] = 1
    import slicer.util

    slicer.util.updateSegmentBinaryLabelmapFromArray(one, node, mine)
    liver = np.zeros(GRID.shape, np.uint8)
    liver[4] = 1
    set_labels(node, Volume(liver, GRID))
    labels, names = labels_of(node, GRID)
    assert names == {1: "Liver", 2: "Lesion"}
    np.testing.assert_array_equal(labels.array, liver + 2 * one)


def test_a_liver_that_the_user_has_deleted_is_an_empty_mask(scene):
    _, node = segmentation_on(scene, GRID)
    node.GetSegmentation().RemoveSegment("Liver")
    assert not mask_of(node, GRID).array.any()
    with pytest.raises(LabelError, match="no segment for the value 1"):
        set_labels(node, Volume(np.ones(GRID.shape, np.uint8), GRID))
    add_segment(node, LIVER)
    set_labels(node, Volume(np.ones(GRID.shape, np.uint8), GRID))
    assert mask_of(node, GRID).array.all()


def test_a_transform_above_image_and_label_alike_changes_nothing_and_above_one_alone_is_refused(scene):
    image, node = segmentation_on(scene, GRID)
    mask = (np.random.default_rng(2).random(GRID.shape) < 0.3).astype(np.uint8)
    set_labels(node, Volume(mask, GRID))
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "above")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 40.0)
    transform.SetMatrixTransformToParent(matrix)
    image.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(LabelError, match="another transform than its image"):
        mask_of(node, GRID)
    node.SetAndObserveTransformNodeID(transform.GetID())
    np.testing.assert_array_equal(mask_of(node, GRID).array, mask)


def test_several_labels_set_at_once_are_one_step_of_undo(scene):
    values = np.random.default_rng(3).choice(np.array([0, 1, 3], np.uint8), GRID.shape)
    other = np.random.default_rng(4).choice(np.array([0, 1, 3], np.uint8), GRID.shape)
    _, node = segmentation_on(scene, GRID, (LIVER, SPLEEN))
    set_labels(node, Volume(values, GRID))
    history = undo_steps(node)
    set_labels(node, Volume(other, GRID), history.SaveState)
    assert history.GetNumberOfStates() == 1
    history.RestorePreviousState()
    np.testing.assert_array_equal(labels_of(node, GRID)[0].array, values)
    history.RestoreNextState()
    np.testing.assert_array_equal(labels_of(node, GRID)[0].array, other)


def test_the_stamp_changes_with_every_stroke_and_only_then(scene):
    import slicer.util

    image, node = segmentation_on(scene, GRID)
    stamps = [drawing_stamp(node)]
    mask = np.zeros(GRID.shape, np.uint8)
    for index in range(4):
        mask[index, 2, 3] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "Liver", image)
        mask_of(node, GRID)
        labels_of(node, GRID)
        stamps += [drawing_stamp(node)] * 2
    array = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, "Liver")
    array[:] = 0
    node.GetBinaryLabelmapInternalRepresentation("Liver").Modified()
    stamps.append(drawing_stamp(node))
    assert len(set(stamps)) == 6


def test_the_segment_editors_own_undo_takes_our_change_back(scene):
    image, node = segmentation_on(scene, GRID)
    before = (np.random.default_rng(5).random(GRID.shape) < 0.3).astype(np.uint8)
    set_labels(node, Volume(before, GRID))
    editor = slicer.vtkSlicerSegmentEditorLogic()
    editor.SetMRMLScene(scene)
    editor.SetSegmentationHistory(slicer.vtkSegmentationHistory())
    parameters = scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetSegmentEditorNode(parameters)
    editor.SetSegmentationNode(node)
    editor.SetSourceVolumeNode(image)
    editor.SetMaximumNumberOfUndoStates(10)
    set_labels(node, Volume(1 - before, GRID), editor.SaveStateForUndo)
    assert editor.CanUndo()
    editor.Undo()
    np.testing.assert_array_equal(mask_of(node, GRID).array, before)


def test_a_segmentation_saved_and_read_again_is_the_same(scene, tmp_path):
    values = np.random.default_rng(6).choice(np.array([0, 1, 3], np.uint8), GRID.shape)
    _, node = segmentation_on(scene, GRID, (LIVER, SPLEEN))
    set_labels(node, Volume(values, GRID))
    file = str(tmp_path / "label.seg.nrrd")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(file)
    assert storage.WriteData(node)
    again = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(again)
    labels, names = labels_of(again, GRID)
    np.testing.assert_array_equal(labels.array, values)
    assert names == {1: "Liver", 3: "Spleen"}
    assert again.GetSegmentation().GetSegment("Liver").GetTerminology() == LIVER.terminology
