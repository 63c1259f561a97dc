"""The stand-ins of CTK's and Slicer's widgets, windows that wait for the person, .ui files, and the services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

UI = """<ui version="4.0"><widget class="qMRMLWidget" name="root"><layout class="QVBoxLayout" name="layout">
<item><widget class="{cls}" name="part"><property name="{name}"{stdset}><string>x</string></property></widget></item>
</layout></widget><connections>{connections}</connections></ui>"""


def load_ui(folder: Path, connections: str = "", stdset: str = "", cls: str = "QLineEdit", name: str = "text") -> Any:
    import slicer

    path = folder / "part.ui"
    path.write_text(UI.format(cls=cls, name=name, stdset=stdset, connections=connections))
    return slicer.util.loadUI(str(path))


def page(*widgets: Any) -> Any:
    """The widgets in a window that is shown."""
    import qt

    parent = qt.QWidget()
    layout = qt.QVBoxLayout(parent)
    for widget in widgets:
        layout.addWidget(widget)
    parent.show()
    return parent


def test_a_ui_file_builds_the_widgets_of_slicer(host: Any, tmp_path: Path) -> None:
    import ctk
    import slicer

    root = load_ui(tmp_path, cls="ctkPathLineEdit", name="label")
    assert type(root) is slicer.qMRMLWidget
    assert type(root.part) is ctk.ctkPathLineEdit
    assert root.part.label == "x"
    root = load_ui(tmp_path, cls="QLineEdit", name="SlicerParameterName", stdset=' stdset="0"')
    assert root.part.property("SlicerParameterName") == "x"
    assert slicer.util.childWidgetVariables(root).part is root.part


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cls": "ctkMagicButton"}, "ctkMagicButton"),
        ({"name": "txet"}, "has no property 'txet'"),
        (
            {"connections": "<connection><sender>part</sender><signal>textChangd(QString)</signal>"
             "<receiver>part</receiver><slot>clear()</slot></connection>"},
            "textChangd",
        ),
    ],
    ids=["class", "property", "signal"],
)  # fmt: skip
def test_what_a_ui_file_has_wrong_fails_the_test(host: Any, tmp_path: Path, given: dict, said: str) -> None:
    if said == "textChangd":
        with pytest.raises(AttributeError, match=said):
            load_ui(tmp_path, **given)
    else:
        load_ui(tmp_path, **given)
    host.forgive(said)
    if said == "ctkMagicButton":
        host.forgive(r"\[qt\]")


def test_a_collapsible_button_folds_its_contents(host: Any) -> None:
    import ctk
    import qt

    section, label, folds = ctk.ctkCollapsibleButton(), qt.QLabel("inside"), []
    section.text = "Review"
    qt.QVBoxLayout(section).addWidget(label)
    section.connect("contentsCollapsed(bool)", lambda folded: folds.append(folded))
    window = page(section)
    host.click(section)
    assert section.collapsed
    assert not label.visible
    section.collapsed = False
    assert label.visible
    assert folds == [True, False]
    window.close()


def test_paths_are_typed_and_browsed_for(host: Any, tmp_path: Path) -> None:
    import ctk

    line, button, got = ctk.ctkPathLineEdit(), ctk.ctkDirectoryButton(), []
    line.connect("currentPathChanged(QString)", got.append)
    button.connect("directoryChanged(QString)", got.append)
    window = page(line, button)
    host.type(line, "/data")
    assert line.currentPath == got[-1] == "/data"
    button.caption = "Choose the cohort"
    host.expect("Choose the cohort", str(tmp_path))
    button.browse()
    assert button.directory == got[-1] == str(tmp_path)
    host.choose_folder(line, tmp_path / "masks")
    assert line.currentPath == str(tmp_path / "masks")
    line.filters = ctk.ctkPathLineEdit.Dirs
    window.close()


def test_sliders_and_spin_boxes_of_ctk(host: Any) -> None:
    import ctk

    for widget in (ctk.ctkSliderWidget(), ctk.ctkDoubleSpinBox()):
        got: list[float] = []
        widget.connect("valueChanged(double)", got.append)
        widget.minimum, widget.maximum, widget.decimals, widget.singleStep = 0, 5, 1, 0.5
        widget.value = 2.5
        widget.setValue(9)
        assert (widget.value, got) == (5.0, [2.5, 5.0])


def test_the_node_selector_follows_the_scene(host: Any) -> None:
    import slicer

    box, ids, bools = slicer.qMRMLNodeComboBox(), [], []
    box.nodeTypes = ["vtkMRMLVolumeNode"]
    box.noneEnabled = True
    box.connect("currentNodeIDChanged(QString)", ids.append)
    box.connect("currentNodeChanged(bool)", bools.append)
    box.setMRMLScene(slicer.mrmlScene)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR")
    hidden = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hidden")
    assert box.currentNode() is None
    box.setCurrentNode(volume)
    assert box.currentNode() is volume
    assert box.currentNodeID == ids[-1] == volume.GetID()
    slicer.mrmlScene.RemoveNode(hidden)
    assert box.currentNode() is volume
    slicer.mrmlScene.Clear(0)
    assert box.currentNode() is None
    assert bools == [True, False]
    with pytest.raises(AttributeError):
        box.connect("currentNodeChanged(vtkMRMLScene*)", print)
    host.forgive(r"\[signal\]")


def test_the_subject_hierarchy_selector_offers_items(host: Any) -> None:
    import slicer

    tree = slicer.mrmlScene.GetSubjectHierarchyNode() or slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(
        slicer.mrmlScene
    )
    patient = tree.CreateSubjectItem(tree.GetSceneItemID(), "P1")
    study = tree.CreateStudyItem(patient, "2024")
    box, got = slicer.qMRMLSubjectHierarchyComboBox(), []
    box.setMRMLScene(slicer.mrmlScene)
    box.connect("currentItemChanged(vtkIdType)", got.append)
    box.setCurrentItem(study)
    assert (box.currentItem(), got) == (study, [study])
    box.setLevelFilter(["Patient"])
    assert box.currentText in ("P1", box.noneDisplay)


def test_the_segment_editor_selects_and_undoes(host: Any) -> None:
    import numpy as np
    import slicer

    scene = slicer.mrmlScene
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR")
    slicer.util.updateVolumeFromArray(volume, np.zeros((4, 5, 6), np.int16))
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Liver")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    liver = segmentation.GetSegmentation().AddEmptySegment("liver", "liver")
    node = scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor, segments = slicer.qMRMLSegmentEditorWidget(), []
    editor.setMaximumNumberOfUndoStates(10)
    editor.setMRMLSegmentEditorNode(node)
    editor.setMRMLScene(scene)
    editor.connect("currentSegmentIDChanged(QString)", segments.append)
    editor.setSegmentationNode(segmentation)
    editor.setSourceVolumeNode(volume)
    assert (editor.segmentationNodeID(), editor.currentSegmentID()) == (segmentation.GetID(), "liver")
    assert segments == ["liver"]
    editor.setActiveEffectByName("Paint")
    assert editor.activeEffect().name == "Paint"
    editor.readOnly = True
    assert editor.activeEffect() is None
    editor.setActiveEffect(None)
    assert editor.activeEffect() is None
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1:3, 1:3, 1:3] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, liver, volume)
    editor.saveStateForUndo()
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones_like(mask), segmentation, liver, volume)
    editor.undo()
    editor.redo()
    editor.undo()
    assert slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, liver, volume).sum() == 8
    # Reading the array counted as a change for Slicer's history (measured): there is nothing to redo after it.
    editor.saveStateForUndo()
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones_like(mask), segmentation, liver, volume)
    assert slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, liver, volume).sum() == 120


def test_an_announced_question_is_answered(host: Any) -> None:
    import qt
    import slicer

    host.expect("Discard the changes", "Yes")
    assert slicer.util.confirmYesNoDisplay("Discard the changes?")
    host.expect("Discard the changes", "No")
    assert not slicer.util.confirmYesNoDisplay("Discard the changes?")
    host.expect("still running", "Save")
    answer = qt.QMessageBox.question(None, "Job", "A job is still running", qt.QMessageBox.Save | qt.QMessageBox.Cancel)
    assert answer == qt.QMessageBox.Save
    assert len(host.popups) == 3


def test_a_dialog_of_our_own_is_operated(host: Any) -> None:
    import qt

    dialog = qt.QDialog()
    dialog.windowTitle = "Your name"
    edit, button = qt.QLineEdit(), qt.QPushButton("OK")
    layout = qt.QVBoxLayout(dialog)
    layout.addWidget(edit)
    layout.addWidget(button)
    button.connect("clicked()", dialog.accept)

    def fill(window: Any) -> None:
        assert window is dialog
        host.type(edit, "Ann")
        host.click(button)

    host.expect("Your name", fill)
    assert dialog.exec_() == qt.QDialog.Accepted
    assert edit.text == "Ann"


def test_menus_files_and_web_pages_are_answered(host: Any, tmp_path: Path) -> None:
    import qt

    menu, got = qt.QMenu("Case"), []
    menu.addAction("&Open").connect("triggered()", lambda: got.append("open"))
    host.expect("Open", "Open")
    menu.exec_(qt.QPoint(0, 0))
    assert got == ["open"]
    host.expect("Report", str(tmp_path / "report.html"))
    assert qt.QFileDialog.getSaveFileName(None, "Report", "") == str(tmp_path / "report.html")
    host.expect("https://www.slicer.org")
    assert qt.QDesktopServices.openUrl(qt.QUrl("https://www.slicer.org"))


def test_a_window_that_nobody_announced_fails_and_does_not_wait(host: Any) -> None:
    import qt
    import slicer

    assert not slicer.util.confirmOkCancelDisplay("Surprise")
    assert qt.QFileDialog.getExistingDirectory(None, "Which?") == ""
    box = qt.QMessageBox()
    box.text = "Open"
    box.show()
    assert len(host.forgive("nobody announced")) == 3


def test_a_progress_dialog_is_a_window_too(host: Any) -> None:
    import slicer

    host.expect("Reading the cohort")
    dialog = slicer.util.createProgressDialog(labelText="Reading the cohort", maximum=3)
    dialog.value = 1
    host.process()
    dialog.close()
    other = slicer.util.createProgressDialog(labelText="Sorting", maximum=3)
    other.value = 1
    host.process()
    other.close()
    host.forgive("nobody announced.*Sorting")


def test_an_announced_window_that_never_comes_fails(host: Any) -> None:
    host.expect("Are you sure", "Yes")
    from Testing.host.rules.popups import POPUPS

    POPUPS.report_missing()
    POPUPS.clear()
    host.forgive("never came")


def test_nothing_is_installed(host: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import slicer
    import slicer.packaging as packaging

    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# ours\nnumpy>=1\nno-such-package-of-ours>=2\n--index-url x\n")
    wanted = packaging.load_requirements(str(requirements))
    assert [one.name for one in wanted] == ["numpy", "no-such-package-of-ours"]
    assert packaging.pip_check(wanted[:1])
    assert not packaging.pip_check(wanted)
    packaging.pip_ensure(wanted, requester="LiverSegSSL")
    slicer.util.pip_install("torch")
    host.pip_outcome("decline")
    with pytest.raises(RuntimeError, match="declined"):
        packaging.pip_ensure(wanted)
    assert [what for what, _ in host.log.pip] == ["pip_ensure", "pip_install", "pip_ensure"]


def test_volumes_and_segmentations_are_saved_and_read(host: Any, tmp_path: Path) -> None:
    import numpy as np
    import slicer

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR")
    slicer.util.updateVolumeFromArray(volume, np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    volume.SetSpacing(1.5, 2, 3)
    assert slicer.util.saveNode(volume, str(tmp_path / "mr.nii.gz"), properties={})
    again = slicer.util.loadVolume(str(tmp_path / "mr.nii.gz"), properties={})
    assert again.GetName() == "mr"
    assert (slicer.util.arrayFromVolume(again) == slicer.util.arrayFromVolume(volume)).all()
    assert again.GetSpacing() == pytest.approx((1.5, 2, 3))
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Liver")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segmentation.GetSegmentation().AddEmptySegment("liver", "liver")
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones((2, 3, 4), np.uint8), segmentation, "liver", volume)
    assert slicer.util.saveNode(segmentation, str(tmp_path / "liver.seg.nrrd"), properties={})
    read = slicer.util.loadSegmentation(str(tmp_path / "liver.seg.nrrd"), properties={})
    assert read.GetSegmentation().GetSegment("liver").GetName() == "liver"


def test_a_plot_lives_in_the_scene(host: Any) -> None:
    import slicer

    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
    host.process()
    assert manager.plotViewCount == 1
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode", "Loss")
    manager.plotWidget(0).mrmlPlotViewNode().SetPlotChartNodeID(chart.GetID())
    assert manager.plotWidget(0).mrmlPlotViewNode().GetPlotChartNode() is chart


def test_the_application_answers(host: Any, tmp_path: Path) -> None:
    import slicer

    done: list[int] = []
    slicer.app.connect("startupCompleted()", lambda: done.append(1))
    host.start_up_completed()
    assert done == [1]
    assert slicer.app.applicationName == "Slicer"
    assert Path(slicer.app.temporaryPath).is_dir()
    assert (slicer.app.majorVersion, slicer.app.minorVersion) == (5, 12)
    assert not slicer.app.testingEnabled()
    assert Path(slicer.util.tempDirectory()).is_dir()
    assert slicer.modules.terminologies.logic().GetNumberOfCategoriesInTerminology(
        "Segmentation category and type - 3D Slicer General Anatomy list"
    )
    with slicer.util.tryWithErrorDisplay("Failed", waitCursor=True):
        slicer.app.processEvents()
    host.expect("Failed to compute")
    with (
        pytest.raises(ValueError, match="no liver"),
        slicer.util.tryWithErrorDisplay("Failed to compute", waitCursor=True),
    ):
        raise ValueError("no liver")
    slicer.util.exit(2)
    assert host.log.exit_code == 2
    assert slicer.util.showStatusMessage("Loaded") is not False


def test_texts_pass_the_translator(host: Any) -> None:
    from slicer.i18n import tr as _
    from slicer.i18n import translate

    host.translate_by(str.upper)
    assert _("Propose") == "PROPOSE"
    assert translate("qSlicer", "Accept") == "ACCEPT"
    assert host.log.texts >= {"Propose", "Accept"}


def test_light_and_dark(host: Any, tmp_path: Path) -> None:
    import qt

    label = qt.QLabel("Doubt")
    label.show()
    shots = []
    for dark in (False, True):
        host.theme(dark)
        shots.append(host.screenshot(label, tmp_path / f"{dark}.png").read_bytes())
    host.theme(False)
    assert shots[0] != shots[1]
    label.close()
