"""A scripted module in the host, from loading to unloading, driven as a person would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from Testing.host import fixture

EXAMPLE = Path(fixture.__file__).parent / "example" / "HostExample.py"
NAME = "HostExample"


@pytest.fixture
def panel(host: Any) -> Any:
    host.load(EXAMPLE)
    return host.open(NAME)


def test_loading_reads_the_module_and_makes_no_panel(host: Any) -> None:
    import slicer

    module = host.load(EXAMPLE)
    assert (module.parent.title, module.parent.categories) == ("Host example", ("Testing",))
    assert slicer.util.modulePath(NAME) == str(EXAMPLE)
    assert slicer.util.getModule(NAME).name == NAME
    assert not hasattr(slicer.modules, "HostExampleWidget")
    assert "Host example" in host.log.texts


def test_opening_sets_up_and_enters_and_leaving_exits(host: Any, panel: Any) -> None:
    import slicer

    assert panel.log == ["enter"]
    assert panel.parent.isEntered
    assert slicer.util.getModuleWidget(NAME) is panel
    host.leave(NAME)
    assert panel.log == ["enter", "exit"]
    assert host.open(NAME) is panel
    assert panel.log == ["enter", "exit", "enter"]
    host.unload(NAME)
    assert panel.log[-2:] == ["exit", "cleanup"]
    assert not host.troubles


def test_a_person_clicks_types_and_chooses(host: Any, panel: Any) -> None:
    import slicer

    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR GED4")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "not a volume")
    host.choose(panel.ui.volumeSelector, "MR GED4")
    host.choose(panel.ui.methodBox, "transfer")
    host.type(panel.ui.reviewerEdit, "Dr. Ann")
    host.type(panel.ui.roundsBox, "5")
    host.click(panel.ui.overlayBox)
    parameters = panel.parameters
    assert parameters.volume.GetName() == "MR GED4"
    assert parameters.method.name == "TRANSFER"
    assert (parameters.reviewer, parameters.rounds, parameters.overlay) == ("Dr. Ann", 5, True)
    host.click(panel.ui.runButton)
    host.process(lambda: panel.ticks >= 3)
    host.click_cell(panel.ui.table, 2, 1, double=True)
    host.press(panel.ui.reviewerEdit, "Ctrl+N")
    assert panel.log == ["enter", "run", (2, 1), "next"]
    host.click(panel.strip, 11, 5)
    assert panel.strip.clicked == [11]
    assert panel.strip.painted


def test_what_a_person_cannot_do_fails(host: Any, panel: Any) -> None:
    panel.ui.runButton.enabled = False
    panel.ui.runButton.toolTip = "Choose a volume."
    with pytest.raises(AssertionError, match=r"disabled: 'Choose a volume\."):
        host.click(panel.ui.runButton)
    host.click(panel.ui.inputsButton)
    with pytest.raises(AssertionError, match="not visible"):
        host.type(panel.ui.reviewerEdit, "x")
    with pytest.raises(AssertionError, match="not offered"):
        host.click(panel.ui.inputsButton)
        host.choose(panel.ui.methodBox, "magic")


def test_the_shortcut_of_a_panel_is_its_own(host: Any, panel: Any) -> None:
    from Testing.host.rules.wrapping import to_wrapper

    host.press(to_wrapper(host.main_window), "Ctrl+N")
    assert "next" not in panel.log


@given(
    rounds=st.integers(1, 9),
    threshold=st.floats(0, 1).map(lambda value: round(value, 2)),
    reviewer=st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp", "Co", "Cn")), max_size=20),
    overlay=st.booleans(),
    phases=st.lists(st.sampled_from(["GED4", "T1", "T2", "DWI_800", "a,b", "ü"]), max_size=4),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parameters_reach_the_widgets_and_a_node_of_the_scene(
    host: Any, rounds: int, threshold: float, reviewer: str, overlay: bool, phases: list[str]
) -> None:
    if NAME not in host.modules:
        host.load(EXAMPLE)
    panel = host.open(NAME)
    parameters = panel.parameters
    parameters.rounds, parameters.threshold, parameters.reviewer = rounds, threshold, reviewer
    parameters.overlay, parameters.phases = overlay, phases
    ui = panel.ui
    assert (ui.roundsBox.value, ui.overlayBox.checked, ui.reviewerEdit.text) == (rounds, overlay, reviewer)
    assert ui.thresholdSlider.value == pytest.approx(threshold)
    again = type(parameters)(parameters.parameterNode)
    assert (again.rounds, again.threshold, again.reviewer) == (rounds, threshold, reviewer)
    assert (again.overlay, again.phases) == (overlay, phases)


def test_parameters_refuse_what_they_are_not(host: Any, panel: Any) -> None:
    import slicer

    parameters = panel.parameters
    for name, wrong, kind in [
        ("rounds", 10, ValueError),
        ("rounds", 2.0, TypeError),
        ("reviewer", None, ValueError),
        ("method", "transfer", TypeError),
        ("volume", slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode"), TypeError),
    ]:
        with pytest.raises(kind):
            setattr(parameters, name, wrong)
    assert parameters.rounds == 3
    parameters.phases.append("T2")
    assert parameters.phases == ["T2"]


def test_a_saved_scene_brings_the_values_back(host: Any, panel: Any, tmp_path: Path) -> None:
    panel.parameters.rounds, panel.parameters.phases = 8, ["GED4", "T2"]
    host.choose(panel.ui.methodBox, "transfer")
    for name in ("saved.mrml", "saved.mrb"):
        host.save_scene(tmp_path / name)
    for name in ("saved.mrml", "saved.mrb"):
        host.close_scene()
        assert (panel.parameters.rounds, panel.ui.roundsBox.value) == (3, 3)
        host.load_scene(tmp_path / name)
        assert (panel.parameters.rounds, panel.ui.roundsBox.value) == (8, 8)
        assert panel.parameters.phases == ["GED4", "T2"]
        assert panel.ui.methodBox.currentText == "transfer"


def test_a_node_that_is_deleted_leaves_the_selector(host: Any, panel: Any) -> None:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR")
    host.choose(panel.ui.volumeSelector, "MR")
    slicer.mrmlScene.RemoveNode(node)
    host.process()
    assert panel.parameters.volume is None
    assert panel.ui.volumeSelector.currentNode() is None


def test_reload_reads_the_source_again(host: Any, panel: Any, tmp_path: Path) -> None:
    new = host.reload(NAME)
    assert new is not panel
    assert panel.log[-1] == "cleanup"
    assert host.modules[NAME].panel is new
    host.click(new.ui.runButton)
    assert new.log == ["run"]
    assert "run" not in panel.log


def test_a_layout_makes_views_in_the_scene(host: Any, panel: Any) -> None:
    import slicer

    panel.showLayout()
    manager = slicer.app.layoutManager()
    assert panel.log[-1] == manager.layout == 590
    assert slicer.mrmlScene.GetSingletonNode("ExampleLeft", "vtkMRMLSliceNode").GetOrientation() == "Axial"
    widget = manager.sliceWidget("ExampleRight")
    assert widget.mrmlSliceCompositeNode().GetLayoutName() == "ExampleRight"
    assert widget.sliceView().cornerAnnotation().GetText(2) == "T2"
    assert manager.sliceWidget("ExampleNone") is None
    assert not manager.sliceWidget("Red").visible
    host.close_scene()
    panel.showLayout()
    assert manager.sliceWidget("ExampleLeft").mrmlSliceCompositeNode().GetScene() is slicer.mrmlScene


def test_a_slice_view_shows_the_volume_and_the_segments(host: Any, panel: Any, tmp_path: Path) -> None:
    import numpy as np
    import slicer

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR")
    voxels = np.zeros((8, 30, 40), np.int16)
    voxels[:, 10:20, 10:30] = 1000
    slicer.util.updateVolumeFromArray(volume, voxels)
    volume.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)
    volume.SetOrigin(40.0, 30.0, -4.0)
    volume.CreateDefaultDisplayNodes()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Liver")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segmentation.GetSegmentation().AddEmptySegment("liver", "liver", (1.0, 0.0, 0.0))
    mask = np.zeros_like(voxels, np.uint8)
    mask[:, 10:20, 10:20] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, "liver", volume)
    panel.showLayout()
    widget = slicer.app.layoutManager().sliceWidget("ExampleLeft")
    widget.mrmlSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
    host.process()
    widget.sliceLogic().FitSliceToAll()
    host.process()
    picture = widget.sliceView().grab().toImage()
    wide, high = picture.width(), picture.height()
    # The patient's right is on the left of the view, and columns of the array run to the patient's left.
    left, right = picture.pixelColor(wide * 2 // 5, high // 2), picture.pixelColor(wide * 3 // 5, high // 2)
    assert right.lightness() > 200 and right.red() == right.green()
    assert left.red() > left.green() + 20
    assert host.screenshot(host.main_window, tmp_path / "window.png").stat().st_size > 10_000


def test_a_module_is_chosen_and_the_window_closed_as_by_a_person(host: Any, panel: Any) -> None:
    import qt
    import slicer

    assert slicer.util.selectedModule() == NAME

    class Guard(qt.QObject):
        def eventFilter(self, target: Any, event: Any) -> bool:
            if event.type() == qt.QEvent.Close:
                event.ignore()
                return True
            return False

    guard = Guard()
    slicer.util.mainWindow().installEventFilter(guard)
    assert not host.close_window()
    slicer.util.mainWindow().removeEventFilter(guard)
    assert host.close_window()


def test_without_a_main_window(headless_host: Any) -> None:
    import slicer

    assert slicer.app.layoutManager() is None
    assert slicer.util.mainWindow() is None
    assert slicer.app.commandOptions().noMainWindow
    headless_host.load(EXAMPLE)
    logic = sys.modules[NAME].HostExampleLogic()
    assert logic.getParameterNode().rounds == 3
    panel = headless_host.open(NAME)
    assert panel.ui.runButton.text == "Run"


def test_the_self_test_of_a_module_runs(host: Any) -> None:
    import slicer

    host.load(EXAMPLE)
    slicer.selfTests[NAME]()


def test_what_a_panel_leaves_behind_is_reported(host: Any, panel: Any) -> None:
    panel.leaks = True
    host.click(panel.ui.runButton)
    del panel
    host.unload(NAME)
    kinds = {trouble.kind for trouble in host.troubles}
    assert kinds == {"observer", "connection", "timer"}
    assert "StartCloseEvent -> HostExampleWidget.onSceneClosing" in str(host.forgive("onSceneClosing"))
    host.forgive(r"qSlicerLayoutManager.layoutChanged\(int\) -> HostExampleWidget.onLayout")
    host.forgive("timer .*every 5 ms")
    host.forgive(r"\[observer\]")
    assert not host.troubles


def test_what_is_printed_is_reported(host: Any) -> None:
    import qt

    print("forgotten", file=sys.stderr)
    qt.QLabel().setParent(None)
    import vtk

    vtk.vtkOutputWindow.GetInstance().DisplayErrorText("a VTK error")
    troubles = host.close()
    assert {trouble.kind for trouble in troubles} == {"stderr", "vtk"}
    host.forgive("forgotten")
    host.forgive("a VTK error")
    host.__enter__()


def test_the_slowest_slot_is_named(host: Any, panel: Any) -> None:
    import time

    panel.ui.runButton.connect("clicked()", lambda: time.sleep(0.12))
    host.click(panel.ui.runButton)
    where, milliseconds = host.slowest()
    assert milliseconds >= 120
    assert "QPushButton.clicked()" in where
