"""Review, as a person goes through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.reviews import Reviewing


@pytest.fixture
def review(host: Any, proposed_cohort: Path, tmp_path: Path) -> Reviewing:
    return Reviewing.on_copy(host, proposed_cohort, tmp_path)


def test_the_queue_is_shown_in_order_of_need_with_reasons(review: Reviewing) -> None:
    table = review.ui.queueTable
    assert table.rowCount == 4
    assert [table.item(row, 0).text() for row in range(4)] == ["1", "2", "3", "4"]
    assert table.item(0, 2).text() == "GED4: 2 separate parts, the second of 14 mL"
    assert review.ui.leftLabel.text == "4 left to review. You have judged 0 today."
    assert not review.ui.acceptButton.enabled and "Choose a case" in review.ui.acceptButton.toolTip


def test_choosing_a_case_shows_its_study_label_doubt_and_what_is_possible(review: Reviewing) -> None:
    case_id = review.choose(0)
    study = review.logic.loadedStudy()
    assert study.key == case_id.split("__")[0] and review.ui.queueTable.currentRow() == 0
    editor = review.section.case.editor.widget
    phase = study.phase(case_id)
    assert editor.segmentationNode() is phase.segmentation and editor.sourceVolumeNode() is phase.image
    assert editor.mrmlSegmentEditorNode().GetSingletonTag() == "LiverSegSSLSegmentEditor"
    assert not editor.autoShowSourceVolumeNode, "it would take overlays out of the views"
    assert review.ui.reasonLabel.text == "GED4: 2 separate parts, the second of 14 mL"
    assert review.ui.stateLabel.text == "proposed, from atlas"
    strip = review.section.case.strip
    assert strip.doubt == tuple(review.logic.doubtBySlice(case_id)) and strip.count == len(strip.doubt)
    assert review.ui.acceptButton.enabled and "Ctrl+Return" in review.ui.acceptButton.toolTip
    assert not review.ui.correctButton.enabled and "Nothing has been changed" in review.ui.correctButton.toolTip
    assert not review.ui.backButton.enabled and not review.ui.propagateButton.enabled
    assert "Accept or correct the label first" in review.ui.copyButton.toolTip
    review.host.choose(review.ui.caseBox, f"{study.patient} · T2")
    review.settle()
    assert review.panel.case_id == f"{study.key}__T2" and review.ui.stateLabel.text == "no label"
    assert "There is no label yet" in review.ui.acceptButton.toolTip


def test_the_strip_jumps_in_all_views_and_follows_them(review: Reviewing) -> None:
    review.choose(0)
    strip = review.section.case.strip
    views = review.panel.studies.views

    def offsets() -> list[float]:
        return [views.slice_node(case).GetSliceToRAS().GetElement(2, 3) for case in views.shown]

    review.host.click(strip, 2, 20)
    assert strip.current == 0 and "Slice 0 (0 to" in review.ui.sliceLabel.text
    first = offsets()
    assert len(first) == 2 and first[0] == pytest.approx(first[1])
    review.host.press(strip, "Right")
    review.host.press(strip, "PgUp")
    assert strip.current == 6 and offsets() != first
    review.host.press(strip, "End")
    assert strip.current == strip.count - 1
    node = views.slice_node(review.panel.case_id)
    image = review.logic.loadedStudy().phase(review.panel.case_id).image
    node.SetSliceOffset(image.GetOrigin()[2] + 3 * image.GetSpacing()[2])
    assert strip.current == 3, "it hears of the view's own slider"


def test_shortcuts_work_in_the_section_alone(review: Reviewing) -> None:
    host, ui = review.host, review.ui
    case_id = review.choose(1)
    host.press(review.widget.ui.cohortButton, "Ctrl+Return")
    host.wait(0.1)
    assert review.logic.store.current(case_id).state.value == "proposed", "dead outside the section"
    host.press(review.section.case.strip, "Ctrl+Return")
    host.process(lambda: review.panel.case_id not in ("", case_id), timeout=30)
    review.settle()
    assert review.logic.store.current(case_id).state.value == "accepted"
    second = review.panel.case_id
    assert ui.messageLabel.text == f"{case_id.replace('__', ' ')} is accepted."
    host.press(ui.reviewerEdit, "Ctrl+N")  # skip
    host.process(lambda: review.panel.case_id not in ("", second), timeout=30)
    review.settle()
    assert review.queue()[-1] == second.split("__")[0], "it comes later"
    third = review.panel.case_id
    host.press(review.section.case.strip, "Ctrl+P")
    host.process(lambda: review.panel.case_id == second, timeout=30)
    review.settle()
    host.press(review.section.case.strip, "Ctrl+P")
    host.process(lambda: review.panel.case_id == case_id, timeout=30)
    review.settle()
    assert not ui.backButton.enabled and third
    assert ui.stateLabel.text == "accepted, from " + review.logic.store.current(case_id).source


def test_rejecting_takes_a_case_out_of_the_queue_and_the_last_one_is_said(review: Reviewing) -> None:
    ui = review.ui
    assert [ui.phaseBox.itemText(index) for index in range(ui.phaseBox.count)] == ["All phases", "GED4", "T2"]
    review.host.choose(ui.phaseBox, "T2")
    assert ui.queueTable.rowCount == 2 and ui.leftLabel.text.startswith("2 of 4 left to review.")
    first = review.choose(0)
    review.host.click(ui.rejectButton)
    review.host.process(lambda: review.panel.case_id not in ("", first), timeout=30)
    review.settle()
    last = review.panel.case_id
    assert last.endswith("__T2") and not ui.skipButton.enabled
    review.host.click(ui.rejectButton)
    review.host.process(lambda: ui.messageLabel.visible, timeout=30)
    review.settle()
    study = last.split("__")[0]
    assert ui.messageLabel.text == f"{study} T2 is rejected. That was the last case of the queue."
    assert {review.logic.rows(text=one.split("__")[0])[0].phases[1].state for one in (first, last)} == {"rejected"}
    review.host.choose(ui.phaseBox, "All phases")
    assert ui.leftLabel.text == "2 left to review. You have judged 2 today."


def test_the_reviewer_gives_a_name_once(review: Reviewing) -> None:
    import slicer

    review.host.type(review.ui.reviewerEdit, "Dr. Nowak")
    review.host.press(review.ui.reviewerEdit, "Return")
    assert slicer.util.settingsValue("LiverSegSSL/reviewer", "") == "Dr. Nowak"
    case_id = review.choose(0)
    review.host.click(review.ui.acceptButton)
    review.host.process(lambda: review.panel.case_id not in ("", case_id), timeout=30)
    review.settle()
    assert review.logic.store.history(case_id)[-1].author == "Dr. Nowak"
    assert review.ui.leftLabel.text == "3 left to review. You have judged 1 today."
    review.open(review.host.reload("LiverSegSSL"))
    assert review.ui.reviewerEdit.text == "Dr. Nowak"


def test_doubt_lies_over_the_image_while_it_is_wanted(review: Reviewing) -> None:
    import slicer

    host, ui = review.host, review.ui
    case_id = review.choose(0)

    def overlay() -> Any:
        manager = slicer.app.layoutManager()
        place = review.panel.studies.views.shown.index(review.panel.case_id) + 1
        return manager.sliceWidget(f"LiverSegSSL{place}").mrmlSliceCompositeNode().GetForegroundVolumeID()

    host.click(ui.doubtBox)
    review.settle()
    (node,) = review.logic.loadedStudy().phase(case_id).overlays
    assert overlay() == node.GetID()
    host.click(ui.probabilityBox)
    review.settle()
    (other,) = review.logic.loadedStudy().phase(case_id).overlays
    assert overlay() == other.GetID() != node.GetID() and not ui.doubtBox.checked
    review.choose(1)
    (another,) = review.logic.loadedStudy().phase(review.panel.case_id).overlays
    assert overlay() == another.GetID() and ui.probabilityBox.checked, "wanted for the next case too"
    slicer.mrmlScene.RemoveNode(another)
    host.wait(0.6)
    assert not ui.probabilityBox.checked
    host.click(ui.doubtBox)
    review.settle()
    host.click(ui.doubtBox)
    assert review.logic.loadedStudy().phase(review.panel.case_id).overlays == () and not overlay()


def test_a_deleted_node_is_said_and_loaded_again(review: Reviewing) -> None:
    import slicer

    ui = review.ui
    case_id = review.choose(0)
    phase = review.logic.loadedStudy().phase(case_id)
    phase.image.SetName("renamed by the person")
    slicer.mrmlScene.RemoveNode(phase.segmentation)
    review.host.process()
    review.settle()
    assert "The label was deleted from the scene" in ui.messageLabel.text
    assert not ui.acceptButton.enabled and "is not in the scene" in ui.acceptButton.toolTip
    review.host.wait(0.6)
    assert review.choose(0) == case_id and ui.acceptButton.enabled
    slicer.mrmlScene.RemoveNode(review.logic.loadedStudy().phase(case_id).image)
    review.host.process()
    assert "The image was deleted from the scene" in ui.messageLabel.text
    assert review.choose(0) == case_id and ui.acceptButton.enabled


def test_a_study_that_cannot_be_read_is_said(review: Reviewing) -> None:
    case_id = f"{review.queue()[0]}__GED4"
    image = review.logic.case(case_id).image
    content = image.read_bytes()
    try:
        image.write_bytes(content[: len(content) // 2])
        review.host.click_cell(review.ui.queueTable, 0, 1)
        review.settle()
        assert "GED4" in review.ui.messageLabel.text and review.panel.case_id == ""
    finally:
        image.write_bytes(content)
    assert review.choose(0) == case_id


def test_the_module_is_left_and_entered_with_the_users_editor_untouched(review: Reviewing) -> None:
    import slicer

    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    mine.SetSingletonTag("SegmentEditor")
    review.choose(0)
    editor = review.section.case.editor.widget
    editor.setActiveEffectByName("Paint")
    review.host.leave("LiverSegSSL")
    assert editor.activeEffect() is None and mine.GetSegmentationNode() is None
    review.host.open("LiverSegSSL")
    assert editor.segmentationNode() is not None


def test_without_a_main_window_the_review_still_works(
    headless_host: Any, proposed_cohort: Path, tmp_path: Path
) -> None:
    review = Reviewing.on_copy(headless_host, proposed_cohort, tmp_path)
    assert review.section.case.editor.widget is None
    case_id = f"{review.queue()[0]}__GED4"
    review.section.open_case(case_id)
    review.settle()
    assert review.panel.case_id == case_id
    review.ui.acceptButton.click()
    headless_host.process(lambda: review.panel.case_id not in ("", case_id), timeout=30)
    review.settle()
    assert review.logic.store.current(case_id).state.value == "accepted"
