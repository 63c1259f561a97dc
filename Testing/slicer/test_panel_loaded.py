"""Volumes that are loaded already, as a person makes a study of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PySide6")

from LiverSegSSLPanel.scene.volumes import add_volume

from LiverSegSSLLib.volume import read_volume
from Testing.slicer.panels import NAME, open_module, section
from Testing.slicer.tiny_cohort import IMAGE

PATIENCE_S = 60.0


@pytest.fixture
def cohort(host: Any) -> Any:
    """The section with the part for loaded volumes unfolded."""
    cohort = section(open_module(host), "Cohort")
    cohort.ui.loadedBox.collapsed = False
    host.process()
    return cohort


def boxes(cohort: Any) -> list[str]:
    """What each volume is used as."""
    table = cohort.ui.loadedTable
    return [table.cellWidget(row, 0).currentText for row in range(table.rowCount)]


def names(cohort: Any) -> list[str]:
    table = cohort.ui.loadedTable
    return [table.item(row, 1).text() for row in range(table.rowCount)]


def test_loaded_volumes_become_a_study(host: Any, cohort: Any, tmp_path: Path) -> None:
    import slicer

    ui = cohort.ui
    assert ui.loadedLabel.visible and not ui.loadedTable.visible and not ui.adoptButton.enabled
    mine = [add_volume(slicer.mrmlScene, IMAGE, name) for name in ("4: eTHRIVE_HBP", "T2", "Series 9")]
    host.process(lambda: len(names(cohort)) == 3)
    assert not ui.loadedLabel.visible
    assert boxes(cohort) == ["GED4 – hepatobiliary phase", "T2 – T2-weighted", "– leave out –"]
    assert ui.studyEdit.text == "study1" and ui.adoptButton.toolTip == "Choose a folder for the copies."
    host.choose_folder(ui.adoptPath, tmp_path / "copies")
    assert ui.adoptButton.enabled
    host.choose(ui.loadedTable.cellWidget(2, 0), "T2 – T2-weighted")
    assert not ui.adoptButton.enabled and ui.adoptButton.toolTip == "T2 is chosen more than once."
    host.choose(ui.loadedTable.cellWidget(2, 0), "T1 – T1-weighted, before contrast")
    host.click(ui.adoptButton)
    host.process(lambda: cohort.panel.has_cohort and cohort.table.rows and not cohort.table.filling, PATIENCE_S)
    assert [(row.study, [cell.phase for cell in row.phases]) for row in cohort.table.rows] == [
        ("study1", ["GED4", "T1", "T2"])
    ]
    assert cohort.panel.logic.data == tmp_path / "copies" and ui.loadedBox.collapsed
    np.testing.assert_array_equal(read_volume(tmp_path / "copies" / "study1" / "T1.nii.gz").array, IMAGE.array)
    assert all(slicer.mrmlScene.IsNodePresent(node) for node in mine)


def test_what_a_person_chose_stays_while_volumes_come_and_go(host: Any, cohort: Any) -> None:
    import slicer

    add_volume(slicer.mrmlScene, IMAGE, "T2")
    second = add_volume(slicer.mrmlScene, IMAGE, "GED4")
    host.process(lambda: len(names(cohort)) == 2)
    host.choose(cohort.ui.loadedTable.cellWidget(0, 0), "T1 – T1-weighted, before contrast")
    add_volume(slicer.mrmlScene, IMAGE, "OP")
    slicer.mrmlScene.RemoveNode(second)
    host.process(lambda: names(cohort) == ["T2", "OP"])
    assert boxes(cohort) == ["T1 – T1-weighted, before contrast", "OP – opposed phase"]


def test_what_goes_wrong_is_said(host: Any, cohort: Any, tmp_path: Path) -> None:
    import slicer
    import vtk

    node = add_volume(slicer.mrmlScene, IMAGE, "GED4")
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "bent")
    bent.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
    node.SetAndObserveTransformNodeID(bent.GetID())
    host.process(lambda: names(cohort) == ["GED4"])
    host.choose_folder(cohort.ui.adoptPath, tmp_path / "copies")
    host.click(cohort.ui.adoptButton)
    host.process(lambda: "bends" in cohort.ui.messageLabel.text, PATIENCE_S)
    assert cohort.ui.messageLabel.text.startswith("⚠ ") and cohort.ui.adoptButton.enabled
    assert not (tmp_path / "copies" / "study1").exists() and not cohort.panel.has_cohort


def test_the_scene_is_let_go_of_with_the_panel(host: Any, cohort: Any) -> None:
    import slicer

    host.unload(NAME)  # what it leaves behind fails the test
    add_volume(slicer.mrmlScene, IMAGE, "T2")
    host.process()
