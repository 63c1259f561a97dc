"""Volumes that are in the scene already: recognised by their names, and made a study of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer")

from LiverSegSSLPanel.adopting import free_study_name, why_not
from LiverSegSSLPanel.logic import Logic
from LiverSegSSLPanel.scene.loaded import recognise, suggested_choice, volumes_in_scene
from LiverSegSSLPanel.scene.segmentations import add_segmentation
from LiverSegSSLPanel.scene.study import add_phase
from LiverSegSSLPanel.scene.volumes import add_volume, volume_of

from LiverSegSSLLib.errors import CohortError, GeometryError
from LiverSegSSLLib.volume import Geometry, Volume, read_volume, require_same_grid

COS, SIN = np.cos(0.3), np.sin(0.3)
OBLIQUE = Geometry((9, 8, 6), (0.7, 0.9, 3.1), (-12.5, 7.25, 33.0), (COS, -SIN, 0.0, SIN, COS, 0.0, 0.0, 0.0, 1.0))
IMAGE = Volume(np.arange(432, dtype=np.int16).reshape(OBLIQUE.shape), OBLIQUE)


def under(scene: Any, node: Any, patient: str, study: str) -> Any:
    """Put a volume where the DICOM module puts it in Subject Hierarchy."""
    hierarchy = scene.GetSubjectHierarchyNode()
    top = hierarchy.GetSceneItemID()
    person = hierarchy.GetItemChildWithName(top, patient) or hierarchy.CreateSubjectItem(top, patient)
    examination = hierarchy.GetItemChildWithName(person, study) or hierarchy.CreateStudyItem(person, study)
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, examination)
    else:
        hierarchy.CreateItem(examination, node)
    return node


def load(scene: Any, *names: str, patient: str = "Anna (1)", study: str = "Liver (2024)") -> list[Any]:
    return [under(scene, add_volume(scene, IMAGE, name), patient, study) for name in names]


def test_the_users_volumes_are_listed_with_phase_patient_and_study(scene: Any) -> None:
    names = ("11: t1_vibe_fs_tra_20min", "5: ep2d_diff_b50_400_800_ADC", "7: DWI b800", "t2_blade_fs_tra_1")
    mine = load(scene, *names)
    add_phase(scene, "P1", "P1", "P1__T1", "T1", IMAGE, None, "")  # ours
    add_segmentation(scene, mine[0], "a segmentation")
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "T2")
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T2 without an image")
    found = volumes_in_scene(scene)
    assert [(volume.node_id, volume.phase, volume.b_value) for volume in found] == [
        (mine[0].GetID(), "GED4", None),
        (mine[1].GetID(), "", None),
        (mine[2].GetID(), "DWI", 800),
        (mine[3].GetID(), "T2", None),
    ]
    assert {(volume.patient, volume.study) for volume in found} == {("Anna (1)", "Liver (2024)")}


def test_the_dicom_database_is_asked_for_what_the_name_does_not_say(scene: Any) -> None:
    node = load(scene, "Series 12")[0]
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    tags = {("1.2.3", "0008,103e"): "ax diff_TRACEW", ("1.2.3", "0018,9087"): "800"}
    volume = volumes_in_scene(scene, lambda uid, tag: tags.get((uid, tag), ""))[0]
    assert (volume.phase, volume.b_value) == ("DWI", 800)
    assert volumes_in_scene(scene)[0].phase == ""


def test_the_first_name_that_says_a_phase_counts() -> None:
    assert recognise(["", "Series 4", "12: eTHRIVE_HBP"]).phase == "GED4"
    assert recognise(["localizer", "what is this"]) is None


def test_what_is_suggested_is_one_study_with_each_phase_once(scene: Any) -> None:
    load(scene, "T2", patient="Bert", study="old")
    ged4, again, small_b, large_b, t2 = load(scene, "GED4", "HBP", "DWI_50", "DWI_700", "T2 HASTE")
    chosen = suggested_choice(volumes_in_scene(scene))
    assert chosen == {again.GetID(): "GED4", large_b.GetID(): "DWI", t2.GetID(): "T2"}
    assert ged4.GetID() not in chosen and small_b.GetID() not in chosen


def test_volumes_become_a_study_on_their_own_grid(scene: Any, tmp_path: Path) -> None:
    hbp, t2 = load(scene, "11: t1_vibe_fs_tra_20min", "T2")
    logic = Logic(scene)
    rows = logic.adoptVolumes({hbp.GetID(): "GED4", t2.GetID(): "T2"}, tmp_path / "copies", "study1")
    assert [(row.study, [cell.phase for cell in row.phases]) for row in rows] == [("study1", ["GED4", "T2"])]
    assert sorted(path.name for path in (tmp_path / "copies" / "study1").iterdir()) == ["GED4.nii.gz", "T2.nii.gz"]
    copy = read_volume(tmp_path / "copies" / "study1" / "GED4.nii.gz")
    np.testing.assert_array_equal(copy.array, IMAGE.array)
    require_same_grid(copy.geometry, OBLIQUE, "copy")
    assert scene.IsNodePresent(hbp) and hbp.GetName() == "11: t1_vibe_fs_tra_20min"
    np.testing.assert_array_equal(volume_of(hbp).array, IMAGE.array)
    assert not any("Anna" in str(path) for path in tmp_path.rglob("*"))
    assert free_study_name(tmp_path / "copies") == "study2"
    logic.adoptVolumes({hbp.GetID(): "GED4"}, tmp_path / "copies", "study2")
    assert len(logic.rows()) == 2
    logic.closeCohort()


def test_transforms_above_are_hardened_into_the_copy_or_refused(scene: Any, tmp_path: Path) -> None:
    import vtk

    node = load(scene, "GED4")[0]
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy([1, 0, 0, 5, 0, COS, -SIN, 6, 0, SIN, COS, 7, 0, 0, 0, 1])
    transform.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(transform.GetID())
    logic = Logic(scene)
    logic.adoptVolumes({node.GetID(): "GED4"}, tmp_path / "copies")
    copy = read_volume(tmp_path / "copies" / "study1" / "GED4.nii.gz")
    require_same_grid(copy.geometry, volume_of(node).geometry, "copy")
    assert node.GetTransformNodeID() == transform.GetID()

    bending = scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "bent")
    node.SetAndObserveTransformNodeID(bending.GetID())
    bending.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    straight = load(scene, "T2")[0]
    with pytest.raises(GeometryError, match="bends"):
        logic.adoptVolumes({straight.GetID(): "T2", node.GetID(): "GED4"}, tmp_path / "copies", "study2")
    assert sorted(path.name for path in (tmp_path / "copies").iterdir() if "study" in path.name) == ["study1"]
    logic.closeCohort()


def test_what_cannot_be_made_a_study_is_said_in_words(scene: Any, tmp_path: Path) -> None:
    (tmp_path / "study1").mkdir()
    assert why_not({}, "", "") == [
        "Choose what at least one volume is used as.",
        "Give the study a name.",
        "Choose a folder for the copies.",
    ]
    assert why_not({"a": "T2", "b": "T2"}, str(tmp_path), "study2") == ["T2 is chosen more than once."]
    assert why_not({"a": "T2"}, str(tmp_path), "Anna Müller") == [
        "'Anna Müller' cannot be a name of files: 'Anna-Muller' can."
    ]
    assert why_not({"a": "T2"}, str(tmp_path), "study1") == [
        "There is a study 'study1' in that folder: choose another name."
    ]
    (tmp_path / "manifest.csv").write_text("study,phase,image\n", encoding="utf-8")
    assert why_not({"a": "T2"}, str(tmp_path), "study2") == [
        "The folder has a table of its own images: choose another folder."
    ]
    with pytest.raises(CohortError, match="not in the scene any more"):
        Logic(scene).adoptVolumes({"vtkMRMLScalarVolumeNode99": "T2"}, tmp_path / "copies")
    assert not list((tmp_path / "copies").glob("*"))
