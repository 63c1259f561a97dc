"""Review, as a person goes through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PySide6")

from Testing.slicer.reviews import Reviewing


@pytest.fixture
def review(host: Any, proposed_cohort: Path, tmp_path: Path) -> Reviewing:
    return Reviewing(host, proposed_cohort, tmp_path)


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
    assert strip.current == 0 and "Slice 0 of 0 to" in review.ui.sliceLabel.text
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


def test_drawing_propagating_and_recording_goes_on_to_the_next_case(review: Reviewing) -> None:
    host, ui = review.host, review.ui
    case_id = review.choose(0)
    there = review.liver()
    corrected = (there[3], there[-4])
    drawn = review.draw(*corrected)
    assert review.section.case.strip.changed == set(corrected)
    assert not ui.acceptButton.enabled and "has been changed since it was loaded" in ui.acceptButton.toolTip
    assert not ui.networkBox.visible, "the weights are not on this computer"

    host.click(ui.propagateButton)
    host.process(lambda: ui.messageLabel.text.startswith("The corrections of slices"), timeout=120)
    carried = review.drawn()
    assert (carried != drawn).any()
    editor = review.section.case.editor.widget
    editor.undo()
    np.testing.assert_array_equal(review.drawn(), drawn, "one step of undo")
    editor.redo()
    np.testing.assert_array_equal(review.drawn(), carried)
    review.host.wait(0.6)
    review.settle()

    following = review.queue()[1]
    host.type(ui.commentEdit, "lateral edge")
    host.click(ui.correctButton)
    host.process(lambda: review.panel.case_id not in ("", case_id), timeout=30)
    review.settle()
    assert review.logic.loadedStudy().key == following and ui.commentEdit.text == ""
    assert ui.leftLabel.text == "3 left to review. You have judged 1 today."
    label = review.logic.store.current(case_id)
    assert label.state.value == "corrected"
    np.testing.assert_array_equal(review.logic.store.read_mask(label).array, carried)
    entry = review.logic.store.history(case_id)[-1]
    assert entry.comment == "lateral edge" and 0.5 < entry.seconds < 120
    assert entry.author == ui.reviewerEdit.text != ""
