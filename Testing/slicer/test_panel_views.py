"""The phases of a study side by side: names, linking, one place in the body, and all as it was afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PySide6")

from LiverSegSSLPanel.scene.planes import slice_centre
from LiverSegSSLPanel.views import FIRST_LAYOUT, MOST_VIEWS, view_name

from LiverSegSSLLib.volume import Geometry, Volume, write_volume
from Testing.slicer.panels import NAME, open_module, section

PATIENCE_S = 60.0
COS, SIN = np.cos(0.15), np.sin(0.15)
GRIDS = {
    "GED4": Geometry((16, 14, 8), (2.0, 2.0, 4.0), (-15, -13, -14), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)),
    "T2": Geometry((12, 12, 5), (3.0, 3.0, 7.0), (-16, -16, -15), (1.0, 0.0, 0.0, 0.0, COS, -SIN, 0.0, SIN, COS)),
    "T1": Geometry((20, 18, 10), (1.5, 1.5, 3.0), (-14, -12, -13), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)),
}
MANY = ("GED1", "GED2", "GED3", "GED4", "T1", "T2", "DWI", "IP")


def write_phase(folder: Path, phase: str, labelled: bool = False) -> None:
    geometry = GRIDS.get(phase, GRIDS["T1"])
    image = Volume(np.arange(np.prod(geometry.shape), dtype=np.int16).reshape(geometry.shape), geometry)
    write_volume(image, folder / f"{phase}.nii.gz")
    if labelled:
        liver = np.zeros(geometry.shape, np.uint8)
        liver[5:7, 3:9, 2:9] = 1
        write_volume(image.with_array(liver), folder / f"mask_{phase}.nii.gz")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies: P1 with three phases on grids of their own, P2 with eight."""
    folder = tmp_path_factory.mktemp("views") / "data"
    for phase in GRIDS:
        write_phase(folder / "P1", phase, labelled=phase == "GED4")
    for phase in MANY:
        write_phase(folder / "P2", phase)
    return folder


@pytest.fixture
def widget(host: Any, data: Path, tmp_path: Path) -> Any:
    """The panel with the cohort open."""
    from LiverSegSSLPanel.notices import Notice  # now: Reload makes another one

    widget = open_module(host)
    widget.logic.openCohort(data, tmp_path / "workspace")
    widget.panel.tell(Notice.COHORT)
    cohort = section(widget, "Cohort")
    host.process(lambda: cohort.table.rows and not cohort.table.filling, PATIENCE_S)
    return widget


def open_study(host: Any, widget: Any, study: str, phase: str = "") -> None:
    """Double-click a study in the table, or one of its phases."""
    cohort = section(widget, "Cohort")
    rows = [row.study for row in cohort.table.rows]
    titles = [cohort.ui.studyTable.model().headerData(column, 1) for column in range(12)]
    host.click_cell(cohort.ui.studyTable, rows.index(study), titles.index(phase) if phase else 0, double=True)
    host.process(lambda: not widget.panel.studies.loading, PATIENCE_S)


def slice_widget(number: int) -> Any:
    import slicer

    return slicer.app.layoutManager().sliceWidget(view_name(number))


def names_in(number: int) -> list[str]:
    """The texts that hang in a view."""
    props = slice_widget(number).sliceView().renderWindow().GetRenderers().GetFirstRenderer().GetViewProps()
    return [prop.GetInput() for prop in props if prop.IsA("vtkTextActor")]


def framed_in(number: int) -> bool:
    props = slice_widget(number).sliceView().renderWindow().GetRenderers().GetFirstRenderer().GetViewProps()
    return any(prop.GetTextProperty().GetFrame() for prop in props if prop.IsA("vtkTextActor"))


def plane(number: int) -> np.ndarray:
    matrix = slice_widget(number).mrmlSliceNode().GetSliceToRAS()
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def on_plane(number: int, point: np.ndarray) -> bool:
    """Whether a point of the world lies in the slice that a view shows."""
    where = plane(number)
    return abs(where[:3, 2] @ (point - where[:3, 3])) < 1e-6


def test_each_phase_has_its_view_its_name_and_its_label(host: Any, widget: Any) -> None:
    import slicer

    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    linked = red.GetLinkedControl()
    open_study(host, widget, "P1")
    study = widget.logic.loadedStudy()
    assert slicer.app.layoutManager().layout == FIRST_LAYOUT + 3
    order = ["GED4", "T1", "T2"]
    assert [names_in(number) for number in (1, 2, 3)] == [[name] for name in order]
    for number, name in enumerate(order, 1):
        phase = study.phase(f"P1__{name}")
        composite, node = slice_widget(number).mrmlSliceCompositeNode(), slice_widget(number).mrmlSliceNode()
        assert composite.GetBackgroundVolumeID() == phase.image.GetID()
        assert composite.GetLinkedControl() and composite.GetHotLinkedControl()
        display = phase.segmentation.GetDisplayNode()
        views = {other: slice_widget(other).mrmlSliceNode().GetID() for other in (1, 2, 3)}
        assert [other for other in views if display.IsDisplayableInView(views[other])] == [number]
        assert display.GetVisibility()
        assert node.GetLayoutLabel() == name
        grey = phase.image.GetDisplayNode()
        assert grey.GetWindowLevelMin() < grey.GetWindowLevelMax() and not grey.GetAutoWindowLevel()
    assert red.GetLinkedControl() == linked and not red.GetBackgroundVolumeID()


def test_all_views_show_the_middle_of_the_liver(host: Any, widget: Any) -> None:
    open_study(host, widget, "P1", "GED4")
    host.wait(0.3)  # the images are fitted once more when the views have their sizes
    image = widget.logic.loadedStudy().phase("P1__GED4").image
    assert widget.panel.case_id == "P1__GED4"
    # The label is in slices 5 and 6; between them the even one is as good as the other.
    assert any(on_plane(1, slice_centre(image, 0, index)) for index in (5, 6))
    np.testing.assert_array_equal(plane(1), plane(2))
    np.testing.assert_array_equal(plane(1), plane(3))
    widths = [slice_widget(number).mrmlSliceNode().GetFieldOfView()[0] for number in (1, 2, 3)]
    np.testing.assert_allclose(widths, widths[0])
    assert [framed_in(number) for number in (1, 2, 3)] == [True, False, False]


def test_jumping_brings_all_views_to_a_slice_of_a_case(host: Any, widget: Any) -> None:
    open_study(host, widget, "P1")
    study, views = widget.logic.loadedStudy(), widget.panel.studies.views
    tilted, straight = study.phase("P1__T2").image, study.phase("P1__GED4").image
    views.jump("P1__GED4", 2, 0)
    for number in (1, 2, 3):
        assert on_plane(number, slice_centre(straight, 0, 2))
        np.testing.assert_allclose(plane(number)[:3, 2], [0, 0, 1], atol=1e-12)
    views.jump("P1__T2", 3, 0)  # on the slices of the tilted image the views lie tilted
    for number in (1, 2, 3):
        assert on_plane(number, slice_centre(tilted, 0, 3))
        np.testing.assert_allclose(plane(number)[:3, 2], [0, SIN, COS], atol=1e-6)
    views.jump("P1__GED4", 4, 1)  # across another axis: coronal
    assert on_plane(2, slice_centre(straight, 1, 4))
    np.testing.assert_allclose(np.abs(plane(2)[:3, 2]), [0, 1, 0], atol=1e-12)


def test_jumping_keeps_what_a_person_has_moved_aside(host: Any, widget: Any) -> None:
    open_study(host, widget, "P1", "GED4")
    node = slice_widget(1).mrmlSliceNode()
    node.GetSliceToRAS().SetElement(0, 3, node.GetSliceToRAS().GetElement(0, 3) + 3.0)
    node.UpdateMatrices()
    aside = plane(1)[:2, 3].copy()
    widget.panel.studies.views.jump("P1__GED4", 1, 0)
    np.testing.assert_allclose(plane(1)[:2, 3], aside)
    assert on_plane(1, slice_centre(widget.logic.loadedStudy().phase("P1__GED4").image, 0, 1))


def test_linked_views_move_together_and_the_users_do_not(host: Any, widget: Any) -> None:
    import slicer

    open_study(host, widget, "P1")
    logic = slice_widget(1).sliceLogic()
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceNode()
    before = [red.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
    logic.StartSliceOffsetInteraction()
    logic.SetSliceOffset(logic.GetSliceOffset() + 4.0)
    logic.EndSliceOffsetInteraction()
    np.testing.assert_array_equal(plane(1), plane(2))
    np.testing.assert_array_equal(plane(1), plane(3))
    assert [red.GetSliceToRAS().GetElement(row, 3) for row in range(3)] == before


def test_of_many_phases_a_person_chooses_six(host: Any, widget: Any) -> None:
    cohort = section(widget, "Cohort")
    open_study(host, widget, "P2")
    ids = [f"P2__{phase}" for phase in ("GED4", "GED1", "GED2", "GED3", "T1", "T2", "DWI", "IP")]
    studies = widget.panel.studies
    assert studies.views.shown == tuple(ids[:6])
    study = widget.logic.loadedStudy()
    assert not study.phase("P2__IP").segmentation.GetDisplayNode().GetVisibility()
    assert cohort.ui.viewsLabel.text == "Shown (no more than 6 at a time):"
    rows = [cohort.ui.viewsList.item(row).text() for row in range(cohort.ui.viewsList.count)]
    assert rows == ["GED4", "GED1", "GED2", "GED3", "T1", "T2", "DWI", "IP"]

    tick(host, cohort, 7)  # a seventh cannot be ticked
    assert studies.views.shown == tuple(ids[:6])
    tick(host, cohort, 1)
    assert studies.views.shown == (ids[0], *ids[2:6])
    tick(host, cohort, 7)
    assert studies.views.shown == (ids[0], *ids[2:6], ids[7])
    assert study.phase("P2__IP").segmentation.GetDisplayNode().GetVisibility()

    open_study(host, widget, "P1")  # what was left out stays left out, where there is something else
    assert studies.views.shown == ("P1__GED4", "P1__T1", "P1__T2")
    open_study(host, widget, "P2", "DWI")  # but what is looked at is shown
    assert "P2__DWI" in studies.views.shown and len(studies.views.shown) == MOST_VIEWS


def tick(host: Any, cohort: Any, row: int) -> None:
    """Click the box of an entry."""
    from PySide6 import QtCore, QtWidgets

    from Testing.host.rules.wrapping import native_of

    native = native_of(cohort.ui.viewsList)
    rectangle = native.visualItemRect(native.item(row))
    native.scrollTo(native.model().index(row, 0))
    rectangle = native.visualItemRect(native.item(row))
    option = QtWidgets.QStyleOptionViewItem()
    option.rect = rectangle
    option.features |= QtWidgets.QStyleOptionViewItem.ViewItemFeature.HasCheckIndicator
    box = native.style().subElementRect(QtWidgets.QStyle.SubElement.SE_ItemViewItemCheckIndicator, option, native)
    centre: QtCore.QPoint = box.center()
    host.click(cohort.ui.viewsList, centre.x(), centre.y())
    host.process()


def test_closing_the_study_leaves_everything_as_it_was(host: Any, widget: Any) -> None:
    import slicer

    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    manager = slicer.app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    open_study(host, widget, "P1")
    open_study(host, widget, "P2")
    host.click(section(widget, "Cohort").ui.closeStudyButton)
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    assert slicer.mrmlScene.IsNodePresent(mine) and widget.logic.loadedStudy() is None
    assert [names_in(number) for number in range(1, MOST_VIEWS + 1)] == [[]] * MOST_VIEWS


def test_another_layout_that_the_user_chose_since_stays(host: Any, widget: Any) -> None:
    import slicer

    open_study(host, widget, "P1")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView)
    widget.panel.studies.close()
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUp3DView


def test_an_overlay_is_seen_in_its_own_view_and_stays_there(host: Any, widget: Any) -> None:
    import slicer

    open_study(host, widget, "P1")
    studies = widget.panel.studies
    overlay = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "doubt")
    studies.views.overlay("P1__T1", overlay, 0.4)
    shown = [slice_widget(number).mrmlSliceCompositeNode().GetForegroundVolumeID() for number in (1, 2, 3)]
    assert shown == [None, overlay.GetID(), None]
    studies.show_only(("P1__T1", "P1__T2"))
    composite = slice_widget(1).mrmlSliceCompositeNode()
    assert (composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()) == (overlay.GetID(), 0.4)
    studies.views.overlay("P1__T1")
    assert composite.GetForegroundVolumeID() is None


def test_a_saved_scene_brings_the_study_back(host: Any, widget: Any, tmp_path: Path) -> None:
    import slicer

    before = slicer.app.layoutManager().layout
    open_study(host, widget, "P1", "GED4")
    host.save_scene(tmp_path / "scene.mrb")
    host.close_scene()
    assert widget.logic.loadedStudy() is None and slicer.app.layoutManager().layout == before
    host.load_scene(tmp_path / "scene.mrb")
    assert slicer.app.layoutManager().layout == FIRST_LAYOUT + 3
    assert [names_in(number) for number in (1, 2, 3)] == [["GED4"], ["T1"], ["T2"]]
    assert section(widget, "Cohort").ui.studyLabel.text == "P1 is open."


def test_a_scene_that_is_opened_in_one_batch(host: Any, widget: Any, tmp_path: Path) -> None:
    """As Slicer opens one in place of another: the views are made when all is over."""
    import slicer

    open_study(host, widget, "P1", "GED4")
    host.save_scene(tmp_path / "scene.mrb")
    host.close_scene()
    widget.panel.studies.views.cleanup()
    scene = slicer.mrmlScene
    scene.StartState(scene.BatchProcessState)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), properties={"clear": False})
    host.process()
    assert not widget.panel.studies.views.shown
    scene.EndState(scene.BatchProcessState)
    host.process(lambda: len(widget.panel.studies.views.shown) == 3)
    assert slicer.app.layoutManager().layout == FIRST_LAYOUT + 3


def test_a_scene_closed_while_a_study_is_loaded(host: Any, widget: Any) -> None:
    import slicer

    before = slicer.app.layoutManager().layout
    cohort = section(widget, "Cohort")
    host.click_cell(cohort.ui.studyTable, 1, 0, double=True)
    host.process(lambda: widget.panel.studies.progress[1] > 1, PATIENCE_S)
    host.close_scene()
    host.wait(0.3)
    assert widget.logic.loadedStudy() is None and not widget.panel.studies.loading
    assert slicer.app.layoutManager().layout == before and not cohort.ui.studyLabel.visible
    open_study(host, widget, "P1")
    assert widget.logic.loadedStudy().key == "P1"


def test_an_image_that_is_deleted_leaves_its_view(host: Any, widget: Any) -> None:
    import slicer

    open_study(host, widget, "P1")
    slicer.mrmlScene.RemoveNode(widget.logic.loadedStudy().phase("P1__T1").image)
    host.process()
    assert widget.panel.studies.views.shown == ("P1__GED4", "P1__T2")
    assert slicer.app.layoutManager().layout == FIRST_LAYOUT + 2
    for phase in widget.logic.loadedStudy().phases:
        for node in (phase.image, phase.segmentation):
            if node is not None:
                slicer.mrmlScene.RemoveNode(node)
    host.process()
    assert widget.panel.studies.views.shown == () and names_in(1) == []
    assert not section(widget, "Cohort").ui.closeStudyButton.visible


def test_the_names_go_with_the_panel(host: Any, widget: Any) -> None:
    open_study(host, widget, "P1")
    host.unload(NAME)
    assert [names_in(number) for number in (1, 2, 3)] == [[], [], []]


def test_slicer_that_was_closed_with_our_layout_starts_with_views(host: Any) -> None:
    import slicer

    from Testing.slicer.panels import MODULE

    host.load(MODULE / f"{NAME}.py")
    node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    node.SetGlobalWarningDisplay(0)
    node.SetViewArrangement(FIRST_LAYOUT + 3)  # as Slicer does it before it knows the layout
    node.SetGlobalWarningDisplay(1)
    host.start_up_completed()
    assert slicer.app.layoutManager().layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    assert all(node.IsLayoutDescription(FIRST_LAYOUT + count) for count in range(1, MOST_VIEWS + 1))
