"""Results, as a person uses it: look at the table, measure, read the report, take the masks away."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vtk

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

from LiverSegSSLPanel.logic_results import ResultLogic
from LiverSegSSLPanel.proposing import labelled_cases

from LiverSegSSLLib.rounds.places import Places
from LiverSegSSLLib.rounds.state import RunState
from LiverSegSSLLib.volume import read_geometry, read_mask
from Testing.host.natives import dicom
from Testing.host.rules.troubles import SLOWEST
from Testing.host.rules.wrapping import to_wrapper
from Testing.integration.loop_cohort import write_small_cohort
from Testing.slicer.panels import open_module, section, tick

WAIT_S = 120.0
LABELLED = "1001-A-S3"
LABEL_STATES = ["Expert", "Corrected", "Accepted", "Proposed", "None"]


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small cohort and a run that has proposed for the T2 of its labelled studies: the truth, moved a little."""
    folder = tmp_path_factory.mktemp("proposed")
    data, truth, _recipe = write_small_cohort(folder)
    logic = ResultLogic(device="cpu", workers=1)
    logic.openCohort(data, folder / "workspace")
    labels = {}
    for _row, cell in labelled_cases(logic.rows()):
        logic.store.add_expert(logic.case(cell.case_id))
        case_id = cell.case_id.replace("GED4", "T2")
        mask = read_mask(truth / f"{case_id}.nii.gz")
        moved = mask.with_array(np.roll(mask.array, 1, axis=2))
        labels[case_id] = logic.store.add(case_id, moved, source="transfer", round=1).id
    state = RunState(Places(logic.workspace, "default").state)
    state.stage("round 1: select", [], lambda: {"labels": labels, "kept": sorted(labels), "change": None})
    logic.closeCohort()
    return folder


@pytest.fixture
def opened(host: Any, proposed: Path, tmp_path: Path) -> tuple[Any, Any]:
    """The panel with a copy of it, and its section Results."""
    from LiverSegSSLPanel.notices import Notice

    shutil.copytree(proposed / "workspace", tmp_path / "workspace")
    widget = open_module(host)
    widget.logic.openCohort(proposed / "data", tmp_path / "workspace")
    widget.panel.tell(Notice.COHORT)
    results = section(widget, "Results")
    host.process(lambda: results.ui.resultsTable.rowCount and not results.busy, timeout=WAIT_S)
    return widget, results


def test_without_a_cohort_everything_says_what_it_waits_for(host: Any) -> None:
    widget = open_module(host)
    ui = section(widget, "Results").ui
    for button in (ui.predictButton, ui.evaluateButton, ui.reportButton, ui.exportButton):
        assert not button.enabled and "Open a cohort first (section Cohort)." in button.toolTip.splitlines()
    assert ui.openButton.toolTip == "No report has been written yet."
    assert "Choose the folder of the true masks." in ui.evaluateButton.toolTip
    for button in (ui.segmentationsButton, ui.dicomButton):
        assert not button.enabled and "Open a study first (double-click it in Cohort)." in button.toolTip
    assert not ui.resultsTable.visible
    ui.truthPath.currentPath = ui.exportPath.currentPath = "/half a fold"
    widget.panel.parameters.trainRounds = 3
    host.process()
    host.process(lambda: not section(widget, "Results").busy, timeout=WAIT_S)
    assert ui.truthPath.currentPath == ui.exportPath.currentPath == "/half a fold", "what is being typed stays"


@pytest.mark.slow
def test_figures_and_the_report(host: Any, opened: Any, proposed: Path) -> None:
    from LiverSegSSLPanel.notices import Notice

    widget, results = opened
    ui = results.ui
    assert _cells(ui.resultsTable)[0] == ["Phase", "Vendor", "Cases", *LABEL_STATES, "Liver (mL)"]
    assert [row[:-1] for row in _cells(ui.resultsTable)[1:]] == [
        ["GED4", "A", "2", "1", "–", "–", "–", "1"],
        ["GED4", "B1", "2", "1", "–", "–", "–", "1"],
        ["T2", "A", "2", "–", "–", "–", "1", "1"],
        ["T2", "B1", "2", "–", "–", "–", "1", "1"],
    ]
    expert = widget.logic.store.current(f"{LABELLED}__GED4")
    assert _cells(ui.resultsTable)[1][-1] == f"{expert.volume_ml:.0f}"
    assert ui.tableLabel.text == "Nothing has been measured against true masks yet."
    assert ui.predictButton.toolTip == "Choose the folder of a model, or train one first (section Retrain)."

    host.choose_folder(ui.truthPath, proposed / "truth")
    host.process(lambda: ui.evaluateButton.enabled)
    host.click(ui.evaluateButton)
    assert ui.evaluateButton.text == "Cancel"
    host.process(lambda: ui.shownBox.count == 2, timeout=WAIT_S)
    assert ui.shownBox.currentText == "Against the truth: proposals, round 1"
    head, *rows = _cells(ui.resultsTable)
    assert head == ["Phase", "Vendor", "Cases", "Empty", "Dice", "HD95 (mm)", "ASSD (mm)", "NSD"]
    assert [row[:4] for row in rows] == [["T2", "A", "1", "–"], ["T2", "B1", "1", "–"]]
    measured = {row.vendor: row for row in _metrics(widget)}
    assert [row[4] for row in rows] == [f"{measured[vendor].dice:.3f}" for vendor in ("A", "B1")]
    assert [row[5] for row in rows] == [f"{measured[vendor].hd95_mm:.1f}" for vendor in ("A", "B1")]
    host.choose(ui.shownBox, "Labels by state")
    widget.panel.tell(Notice.LABELS)
    host.process(lambda: not results.busy)
    assert len(_cells(ui.resultsTable)[0]) == 9, "what was chosen stays"

    assert not ui.openButton.enabled
    host.click(ui.reportButton)
    host.process(lambda: ui.openButton.enabled, timeout=WAIT_S)
    report = widget.logic.reportPath()
    assert "Dice" in report.read_text(encoding="utf-8")
    host.expect(f"open file://{report}")
    host.click(ui.openButton)


def test_a_model_is_chosen_and_one_that_is_none_is_refused(host: Any, opened: Any, tmp_path: Path) -> None:
    from LiverSegSSLPanel.notices import Notice

    widget, results = opened
    ui = results.ui
    folder = widget.logic.workspace / "nnunet" / "demo" / "results" / "Dataset001_x" / "Trainer"
    (folder / "fold_0").mkdir(parents=True)
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"")
    (folder / "liversegssl_model.json").write_text('{"name": "round1", "method": "cps"}', encoding="utf-8")
    widget.panel.tell(Notice.LABELS)
    host.process(lambda: ui.modelBox.count == 2, timeout=WAIT_S)
    host.choose(ui.modelBox, "Another folder …")
    host.process(lambda: ui.modelPath.visible)
    assert not ui.predictButton.enabled
    host.choose_folder(ui.modelPath, tmp_path)
    host.process(lambda: ui.predictButton.enabled)
    assert widget.panel.parameters.predictModel == str(tmp_path)
    host.choose(ui.modelBox, ui.modelBox.itemText(0))
    assert ui.modelBox.currentText.startswith("The last one: demo, round1 · Cross pseudo supervision (CPS) · ")
    host.process(lambda: not ui.modelPath.visible)
    assert widget.panel.parameters.predictModel == "" and results.model.folder == str(folder)
    host.click(ui.predictButton)
    assert results.predicting.job.parameters["model"] == str(folder)
    host.process(lambda: ui.predictButton.text == "Segment every phase", timeout=WAIT_S)
    assert "is not a model folder – give the folder that contains fold_0" in results.predicting.ui.stateLabel.text


def test_masks_are_taken_away(host: Any, opened: Any, tmp_path: Path) -> None:
    widget, results = opened
    ui, logic = results.ui, widget.logic
    assert "Choose a folder to write to." in ui.exportButton.toolTip
    host.choose_folder(ui.exportPath, tmp_path / "masks")
    for state in ("expert", "corrected", "accepted", "proposed"):
        tick(host, ui.statesList, state)
    assert ui.exportButton.toolTip == "Tick which labels are to be written."
    tick(host, ui.statesList, "corrected")
    assert ui.exportButton.toolTip == "There is no label of the ticked kinds."
    tick(host, ui.statesList, "proposed")
    host.click(ui.exportButton)
    host.process(lambda: ui.messageLabel.text, timeout=WAIT_S)
    assert ui.messageLabel.text == f"2 masks: 2 proposed, written to {tmp_path / 'masks'}"
    case = logic.case(f"{LABELLED}__T2")
    mask = read_mask(tmp_path / "masks" / LABELLED / "T2.nii.gz", read_geometry(case.image))
    np.testing.assert_array_equal(mask.array, logic.store.read_mask(logic.store.current(case.id)).array)
    assert not (tmp_path / "masks" / LABELLED / "GED4.nii.gz").exists()

    host.choose_folder(ui.exportPath, tmp_path / "care")
    host.click(ui.careBox)
    host.process()
    host.click(ui.exportButton)
    host.process(lambda: "care" in ui.messageLabel.text, timeout=WAIT_S)
    submitted = read_mask(tmp_path / "care" / "LiSeg_pred" / LABELLED / "T2_pred.nii.gz", read_geometry(case.image))
    np.testing.assert_array_equal(submitted.array, mask.array)


def test_segmentations_of_the_loaded_study_are_saved(host: Any, opened: Any, tmp_path: Path) -> None:
    import slicer

    widget, results = opened
    ui = results.ui
    host.choose_folder(ui.exportPath, tmp_path / "out")
    _open_study(host, widget)
    host.process(lambda: ui.segmentationsButton.enabled)
    host.click(ui.segmentationsButton)
    host.process(lambda: ui.messageLabel.text.startswith("2 files written"))
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(tmp_path / "out" / LABELLED / "T2.seg.nrrd"))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(node)
    segment = node.GetSegmentation().GetNthSegment(0)
    assert segment.GetName() == "Liver" and "SCT^10200004^Liver" in segment.GetTerminology()

    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    host.choose_folder(ui.exportPath, tmp_path / "file")
    host.process(lambda: ui.segmentationsButton.enabled)
    host.click(ui.segmentationsButton)
    host.process(lambda: ui.messageLabel.text.startswith("⚠"))
    assert ui.segmentationsButton.enabled, "it can be tried again with another folder"
    held = {where: 1000 * seconds for where, seconds in SLOWEST.items() if re.search("Results|Export|Propos", where)}
    assert held and max(held.values()) < 100, held


def test_dicom_seg_says_what_it_wants_and_goes_over_the_dicom_volume(
    host: Any, opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exporter is a stand-in with the real one's names and conditions; the scene is the real one."""
    import slicer

    widget, results = opened
    ui, logic, case_id = results.ui, widget.logic, f"{LABELLED}__T2"
    host.choose_folder(ui.exportPath, tmp_path / "out")
    _open_study(host, widget)
    assert "no DICOM SEG exporter – use Slicer 5.12, or install" in _reason(host, widget, ui)
    database = to_wrapper(dicom.ctkDICOMDatabase())
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    slicer.modules.dicomPlugins = {dicom.EXPORTER: dicom.DICOMSegmentationPluginClass}
    assert "GED4, T2: there is no DICOM volume of this image in the scene" in _reason(host, widget, ui)

    image = logic.loadedStudy().phase(case_id).image
    other = _from_dicom(image, "other phase", changed=True)
    original = _from_dicom(image, "T2 from DICOM")
    assert "GED4: there is no DICOM volume" in _reason(host, widget, ui)
    assert "T2: T2 from DICOM is not under a DICOM study" in _reason(host, widget, ui)
    _under_study(other, "1.2.3")
    _under_study(original, "1.2.3")
    assert "T2: the files of T2 from DICOM are not in Slicer's DICOM database" in _reason(host, widget, ui)
    database._native._files.update({"9.1": "/a.dcm", "9.2": "/b.dcm"})
    assert "Write T2 as DICOM SEG" in _reason(host, widget, ui) and ui.dicomButton.enabled

    nodes = slicer.mrmlScene.GetNumberOfNodes()
    host.click(ui.dicomButton)
    host.process(lambda: ui.messageLabel.text.startswith("1 files written"), timeout=WAIT_S)
    (file,) = (tmp_path / "out" / LABELLED / "T2-dicom").glob("*.dcm")
    told = json.loads(file.read_text(encoding="utf-8"))
    assert (told["image"], told["study"], told["instances"]) == ("T2 from DICOM", "1.2.3", 2)
    (segment,) = told["segments"]
    assert (segment["label"], segment["category"], segment["type"]) == ("Liver", "123037004", "10200004")
    assert segment["algorithm"] == ["AUTOMATIC", "LiverSegSSL transfer"]
    mask = logic.desk.drawn(case_id)
    assert segment["voxels"] == np.count_nonzero(mask.array) > 0
    matrix = vtk.vtkMatrix4x4()
    original.GetIJKToRASMatrix(matrix)
    grid = [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)]
    np.testing.assert_allclose(segment["ijk_to_ras"], grid, atol=1e-6)
    assert database._native._inserted == [str(file)]
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes, "what was made for the exporter has gone"

    database._native._files.pop("9.2")
    host.click(ui.dicomButton)
    host.process(lambda: "missing 1 files out of 2" in ui.messageLabel.text, timeout=WAIT_S)
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes
    original.SetOrigin(0, 0, 500)
    assert "there is no DICOM volume" in _reason(host, widget, ui), "it has been moved since"


def _reason(host: Any, widget: Any, ui: Any) -> str:
    """The tooltip of the button after the person has come back to the module."""
    host.leave("LiverSegSSL")
    host.open("LiverSegSSL")
    host.process(lambda: not section(widget, "Results").busy, timeout=WAIT_S)
    return str(ui.dicomButton.toolTip)


def _from_dicom(image: Any, name: str, changed: bool = False) -> Any:
    """A volume as the DICOM module leaves it in the scene; ``changed``: of another phase, on the same grid."""
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    voxels = vtk.vtkImageData()
    voxels.DeepCopy(image.GetImageData())
    if changed:
        voxels.SetScalarComponentFromDouble(1, 1, 1, 0, 4321.0)
    node.SetAndObserveImageData(voxels)
    matrix = vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    node.SetAttribute("DICOM.instanceUIDs", "9.1 9.2")
    return node


def _under_study(node: Any, uid: str) -> None:
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "MR liver")
    hierarchy.SetItemUID(study, "DICOM", uid)
    item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(study, node)
    hierarchy.SetItemParent(item, study)


def _metrics(widget: Any) -> list[Any]:
    from LiverSegSSLLib.evaluate.tables import read_csv

    return read_csv(widget.logic.workspace / "runs" / "default" / "metrics.csv")


def _open_study(host: Any, widget: Any) -> None:
    widget.panel.studies.open(LABELLED, f"{LABELLED}__T2")
    host.process(lambda: widget.logic.loadedStudy() is not None and not widget.panel.studies.loading, timeout=WAIT_S)


def _cells(table: Any) -> list[list[str]]:
    """The titles of the columns, then the rows."""
    columns = range(table.columnCount)
    rows = [[table.item(row, column).text() for column in columns] for row in range(table.rowCount)]
    return [[table.horizontalHeaderItem(column).text() for column in columns], *rows]
