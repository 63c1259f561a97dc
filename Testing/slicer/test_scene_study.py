"""A study in the scene: one at a time, tagged, under its patient; what is the user's is never touched."""

import numpy as np
import pytest

pytest.importorskip("slicer")

from LiverSegSSLPanel.scene.segmentations import mask_of
from LiverSegSSLPanel.scene.study import add_overlay, add_phase, remove_study, study_in_scene
from LiverSegSSLPanel.scene.subject_hierarchy import placement
from LiverSegSSLPanel.scene.volumes import add_volume, volume_of

from LiverSegSSLLib.volume import Geometry, Volume

GRID = Geometry((9, 8, 6), (0.7, 0.9, 3.1), (-12.5, 7.25, 33.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))
IMAGE = Volume(np.arange(GRID.size[0] * GRID.size[1] * GRID.size[2], dtype=np.int16).reshape(GRID.shape), GRID)
MASK = Volume((IMAGE.array % 3 == 0).astype(np.uint8), GRID)


def load(scene, study="P1-S1", patient="P1", phases=("GED4", "T2"), label=MASK):
    return [
        add_phase(scene, study, patient, f"{study}__{phase}", phase, IMAGE, label, f"{study}__{phase}.v1")
        for phase in phases
    ]


def nodes_of(scene):
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def test_a_study_is_found_again_with_all_that_was_said_about_it(scene):
    load(scene)
    study = study_in_scene(scene)
    assert (study.key, study.patient) == ("P1-S1", "P1")
    assert [(phase.case_id, phase.phase, phase.label_id) for phase in study.phases] == [
        ("P1-S1__GED4", "GED4", "P1-S1__GED4.v1"),
        ("P1-S1__T2", "T2", "P1-S1__T2.v1"),
    ]
    for phase in study.phases:
        np.testing.assert_array_equal(volume_of(phase.image).array, IMAGE.array)
        np.testing.assert_array_equal(mask_of(phase.segmentation, GRID).array, MASK.array)
        assert placement(scene, phase.image) == placement(scene, phase.segmentation) == ("P1", "P1-S1")
    assert study.phase("P1-S1__T2").phase == "T2" and study.phase("P1-S1__DWI") is None


def test_removing_the_study_leaves_the_scene_as_it_was_before(scene):
    mine = add_volume(scene, IMAGE, "mine")
    before = nodes_of(scene)
    items = scene.GetSubjectHierarchyNode().GetNumberOfItems()
    for _ in range(3):
        phases = load(scene)
        add_overlay(scene, phases[0], IMAGE.with_array(np.full(GRID.shape, 0.5, np.float32)), "doubt")
        remove_study(scene)
        assert study_in_scene(scene) is None
        assert nodes_of(scene) == before
        assert scene.GetSubjectHierarchyNode().GetNumberOfItems() == items
    np.testing.assert_array_equal(volume_of(mine).array, IMAGE.array)


def test_what_the_user_put_under_our_study_stays_there(scene):
    load(scene)
    hierarchy = scene.GetSubjectHierarchyNode()
    mine = add_volume(scene, IMAGE, "mine")
    ours = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(study_in_scene(scene).phases[0].image))
    item = hierarchy.GetItemByDataNode(mine) or hierarchy.CreateItem(ours, mine)
    hierarchy.SetItemParent(item, ours)
    remove_study(scene)
    assert scene.IsNodePresent(mine)
    assert placement(scene, mine) == ("P1", "P1-S1")


def test_two_studies_of_one_patient_stand_under_one_patient(scene):
    load(scene, "P1-S1")
    hierarchy = scene.GetSubjectHierarchyNode()
    items = hierarchy.GetNumberOfItems()
    load(scene, "P1-S2", phases=("GED4",))
    assert hierarchy.GetNumberOfItems() == items + 3  # a study, an image, a label; no second patient


def test_a_node_that_the_user_deletes_is_missing_and_nothing_else(scene):
    load(scene)
    scene.RemoveNode(study_in_scene(scene).phases[0].segmentation)
    scene.RemoveNode(study_in_scene(scene).phases[1].image)
    first, second = study_in_scene(scene).phases
    assert first.segmentation is None and first.label_id == "" and first.image is not None
    assert second.image is None and second.segmentation is not None
    remove_study(scene)
    assert study_in_scene(scene) is None


def test_a_closed_scene_has_no_study(scene):
    load(scene)
    scene.Clear(0)
    assert study_in_scene(scene) is None
    remove_study(scene)
    load(scene)
    assert len(study_in_scene(scene).phases) == 2


def test_an_overlay_is_seen_over_its_phase_and_belongs_to_it(scene):
    phase = load(scene)[0]
    doubt = IMAGE.with_array(np.linspace(0, 1, IMAGE.array.size, dtype=np.float32).reshape(GRID.shape))
    node = add_overlay(scene, phase, doubt, "doubt")
    np.testing.assert_array_equal(volume_of(node).array, doubt.array)
    display = node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 1.0)
    assert display.GetApplyThreshold() and display.GetLowerThreshold() == 0.05
    assert study_in_scene(scene).phase(phase.case_id).overlays == (node,)
    assert placement(scene, node) == ("P1", "P1-S1")


def test_the_study_survives_saving_and_opening_the_scene(scene, tmp_path):
    load(scene, phases=("GED4",))
    file = str(tmp_path / "scene.mrml")
    scene.SetURL(file)
    scene.SetRootDirectory(str(tmp_path))
    phase = study_in_scene(scene).phases[0]
    for node, kind, name in (
        (phase.image, "vtkMRMLVolumeArchetypeStorageNode", "image.nrrd"),
        (phase.segmentation, "vtkMRMLSegmentationStorageNode", "label.seg.nrrd"),
    ):
        storage = scene.AddNewNodeByClass(kind)
        storage.SetFileName(str(tmp_path / name))
        node.SetAndObserveStorageNodeID(storage.GetID())
        assert storage.WriteData(node)
    assert scene.Commit()
    scene.Clear(0)
    scene.SetURL(file)
    assert scene.Connect()
    study = study_in_scene(scene)
    assert study.key == "P1-S1" and study.phases[0].label_id == "P1-S1__GED4.v1"
    assert placement(scene, study.phases[0].image) == ("P1", "P1-S1")
    remove_study(scene)
    assert study_in_scene(scene) is None
