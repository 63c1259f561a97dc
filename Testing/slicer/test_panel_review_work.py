"""Review: what a person draws is carried, recorded, kept, offered again and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import section
from Testing.slicer.reviews import Reviewing


@pytest.fixture
def review(host: Any, proposed_cohort: Path, tmp_path: Path) -> Reviewing:
    return Reviewing.on_copy(host, proposed_cohort, tmp_path)


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
    host.wait(0.6)
    review.settle()
    assert review.section.case.strip.changed == set(corrected), "what followed was not drawn by the person"

    middle = (corrected[0] + corrected[1]) // 2
    review.draw(middle, shift=-3)
    host.click(ui.propagateButton)
    example = f"The corrections of slices {corrected[0]}, {middle}, {corrected[1]} "
    host.process(lambda: ui.messageLabel.text.startswith(example), timeout=120)
    carried = review.drawn()
    host.wait(0.6)
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


def test_what_was_drawn_before_a_crash_is_offered_and_put_back(review: Reviewing) -> None:
    from LiverSegSSLPanel.notices import Notice

    host, ui = review.host, review.ui
    case_id = review.choose(0)
    drawn = review.draw(review.liver()[2])
    review.section.exit()  # saves at once; otherwise it does every few seconds
    review.settle()
    review.logic.desk.work.finish()
    record = review.workspace / "work" / f"{case_id}.json"
    assert record.is_file()
    review.panel.tell(Notice.STUDY)  # as when something else was loaded into the scene
    later = review.draw(review.liver()[4])
    np.testing.assert_array_equal(review.drawn(), later, "what is in the scene is not replaced by what was kept")
    review.section.case.editor.widget.undo()
    kept = record.read_bytes(), record.with_name(f"{case_id}.nii.gz").read_bytes()
    host.close_scene()
    again = host.reload("LiverSegSSL")
    record.write_bytes(kept[0])
    record.with_name(f"{case_id}.nii.gz").write_bytes(kept[1])
    review.open(again)
    ui = review.ui
    host.process(lambda: ui.recoverRow.visible)
    assert ui.recoverLabel.text.startswith(f"Unfinished work on {case_id.replace('__', ' ')} by ")
    host.click(ui.recoverButton)
    host.process(lambda: ui.messageLabel.text.startswith("Unfinished work"), timeout=30)
    review.settle()
    assert review.panel.case_id == case_id and not ui.recoverRow.visible
    np.testing.assert_array_equal(review.drawn(), drawn)
    host.process(lambda: ui.correctButton.enabled and not ui.acceptButton.enabled, timeout=30)
    review.section.case.editor.widget.undo()
    host.process(lambda: ui.acceptButton.enabled, timeout=30)  # undo takes it away


def test_work_that_is_skipped_comes_back_or_is_discarded(review: Reviewing) -> None:
    host, ui = review.host, review.ui
    case_id = review.choose(0)
    drawn = review.draw(review.liver()[2])
    host.click(ui.skipButton)
    host.process(lambda: review.panel.case_id not in ("", case_id), timeout=30)
    review.settle()
    host.process(lambda: ui.recoverRow.visible)
    host.click(ui.backButton)
    host.process(lambda: review.panel.case_id == case_id, timeout=30)
    review.settle()
    np.testing.assert_array_equal(review.drawn(), drawn)
    review.choose(2)
    host.process(lambda: ui.recoverRow.visible)
    host.click(ui.discardButton)
    assert not ui.recoverRow.visible
    assert review.logic.recoverableWork() == []


def test_versions_are_shown_as_outlines_and_taken_back(review: Reviewing) -> None:
    import qt

    host, ui = review.host, review.ui
    case_id = review.choose(0)
    proposed = review.drawn()
    drawn = review.draw(review.liver()[2])
    host.click(ui.correctButton)
    host.process(lambda: review.panel.case_id not in ("", case_id), timeout=30)
    review.settle()
    host.click(ui.backButton)
    host.process(lambda: review.panel.case_id == case_id, timeout=30)
    review.settle()
    np.testing.assert_array_equal(review.drawn(), drawn)
    ui.versionsBox.collapsed = False
    table = ui.versionsTable
    texts = [[table.item(row, column).text() for column in range(3)] for row in range(2)]
    assert texts == [["2", "correction", "corrected – counts"], ["1", "atlas", "proposed"]]
    host.click_cell(table, 0)
    assert not ui.takeBackButton.enabled and "is the one that counts" in ui.takeBackButton.toolTip

    table.item(1, 0).setCheckState(qt.Qt.Checked)
    review.settle()
    (outline,) = review.logic.loadedStudy().phase(case_id).overlays
    assert outline.IsA("vtkMRMLSegmentationNode") and not outline.GetDisplayNode().GetVisibility2DFill()
    assert outline.GetDisplayNode().GetNumberOfViewNodeIDs() == 1, "in the case's own view alone"
    table.item(1, 0).setCheckState(qt.Qt.Unchecked)
    assert review.logic.loadedStudy().phase(case_id).overlays == ()

    host.click_cell(table, 1, 1)
    host.click(ui.takeBackButton)
    host.process(lambda: ui.messageLabel.text == "Version 1 counts again.", timeout=30)
    review.settle()
    np.testing.assert_array_equal(review.drawn(), proposed)
    assert review.logic.store.current(case_id).version == 1
    assert ui.queueTable.rowCount == 4, "it waits for a review again"
    assert ui.stateLabel.text == "proposed, from atlas"


def test_a_judged_label_is_copied_to_the_other_phases_and_the_job_cancelled(review: Reviewing) -> None:
    host, ui = review.host, review.ui
    case_id = review.choose(0)
    host.click(ui.acceptButton)
    host.process(lambda: review.panel.case_id not in ("", case_id), timeout=30)
    review.settle()
    host.click(ui.backButton)
    host.process(lambda: review.panel.case_id == case_id, timeout=30)
    review.settle()
    assert ui.copyButton.enabled, ui.copyButton.toolTip
    host.click(ui.copyButton)
    assert ui.copyButton.text == "Cancel"
    host.click(ui.copyButton)
    host.process(lambda: "was stopped" in ui.messageLabel.text, timeout=60)
    assert ui.copyButton.text == "Copy to the other phases"


def test_strokes_made_while_corrections_are_carried_stay(review: Reviewing) -> None:
    host, ui = review.host, review.ui
    review.choose(0)
    there = review.liver()
    review.draw(there[2])
    host.click(ui.propagateButton)
    host.process(lambda: ui.propagateButton.text == "Cancel", timeout=30)
    assert not ui.correctButton.enabled and "being propagated" in ui.correctButton.toolTip
    later = review.draw(there[5])
    host.process(lambda: ui.messageLabel.visible, timeout=120)
    review.settle()
    assert "was changed while its corrections were propagated" in ui.messageLabel.text
    np.testing.assert_array_equal(review.drawn(), later)
    host.click(ui.propagateButton)
    host.process(lambda: ui.propagateButton.text == "Cancel", timeout=30)
    host.click(ui.propagateButton)
    host.process(lambda: "was stopped" in ui.messageLabel.text, timeout=60)
    np.testing.assert_array_equal(review.drawn(), later)


def test_a_scene_closed_in_the_middle_leaves_the_queue_and_keeps_the_work(review: Reviewing) -> None:
    host, ui = review.host, review.ui
    case_id = review.choose(0)
    drawn = review.draw(review.liver()[2])
    host.click(ui.propagateButton)
    host.close_scene()
    review.settle()
    assert review.panel.case_id == "" and not ui.caseWidget.enabled and ui.queueTable.rowCount == 4
    host.process(lambda: ui.recoverRow.visible, timeout=30)
    assert review.choose(0) == case_id
    host.process(lambda: "is shown again" in ui.messageLabel.text, timeout=30)
    review.settle()
    np.testing.assert_array_equal(review.drawn(), drawn)
    assert (
        review.section.case.editor.widget.segmentationNode() is review.logic.loadedStudy().phase(case_id).segmentation
    )


def test_a_saved_scene_brings_the_review_back_with_the_newest_work(review: Reviewing, tmp_path: Path) -> None:
    host, ui = review.host, review.ui
    case_id = review.choose(0)
    early = review.draw(review.liver()[2])
    host.save_scene(tmp_path / "scene.mrb")
    late = review.draw(review.liver()[4])
    host.load_scene(tmp_path / "scene.mrb")
    host.process(lambda: "is shown again" in ui.messageLabel.text, timeout=30)
    review.settle()
    study = review.logic.loadedStudy()
    assert study.phase(case_id).segmentation is not None and review.panel.case_id == ""
    review.panel.look_at(case_id)
    review.settle()
    np.testing.assert_array_equal(review.drawn(), late, "what was kept last is newer than the file")
    assert (early != late).any()
    editor = review.section.case.editor.widget
    assert editor.segmentationNode() is study.phase(case_id).segmentation
    assert editor.mrmlSegmentEditorNode().GetSingletonTag() == "LiverSegSSLSegmentEditor"


def test_a_saved_scene_without_its_cohort_can_be_looked_at_and_not_judged(review: Reviewing, tmp_path: Path) -> None:
    host = review.host
    case_id = review.choose(0)
    host.save_scene(tmp_path / "scene.mrb")
    host.close_scene()
    widget = host.reload("LiverSegSSL")
    host.load_scene(tmp_path / "scene.mrb")
    assert widget.logic.loadedStudy().phase(case_id) is not None
    widget.panel.look_at(case_id)
    host.wait(0.6)
    ui = section(widget, "Review").ui
    assert not ui.acceptButton.enabled and "under Cohort first" in ui.acceptButton.toolTip


@pytest.mark.slow
def test_nothing_holds_the_window_up(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study as large as a patient's. The time of the processor counts: a busy computer does not matter."""
    import time
    from types import SimpleNamespace

    from LiverSegSSLLib.labels.store import LabelStore
    from LiverSegSSLLib.types import Decision, Score
    from LiverSegSSLLib.volume import Geometry, Volume, write_volume
    from Testing.host.rules import troubles

    z, y, x = np.ogrid[:72, :260, :320]
    apart = ((z - 36) / 25) ** 2 + ((y - 120) / 80) ** 2 + ((x - 130) / 90) ** 2
    image = Volume((1000 / (1 + apart)).astype(np.int16), Geometry((320, 260, 72), (1.2, 1.2, 3.0)))
    mask = image.with_array((apart < 1).astype(np.uint8))
    probability = image.with_array(np.clip(1.5 - apart, 0, 1).astype(np.float32))
    with LabelStore.open(tmp_path / "workspace") as store:
        for need, study in ((0.9, "S1"), (0.5, "S2")):
            write_volume(image, tmp_path / "data" / study / "T2.nii")
            case_id = f"{study}__T2"
            label = store.add(case_id, mask, source="atlas", round=1, probability=probability)
            scores = (Score("parts", 0.0, False, "2 parts"),)
            store.record(Decision(case_id, label.id, scores, False, "parts", need))

    review = Reviewing(host, tmp_path / "data", tmp_path / "workspace")
    ui = review.ui
    monkeypatch.setattr(troubles, "time", SimpleNamespace(perf_counter=time.thread_time))
    troubles.SLOWEST.clear()
    review.choose(0)
    review.draw(30, 40)
    host.click(ui.doubtBox)
    review.settle()
    ui.versionsTable.item(0, 0).setCheckState(qt_checked())
    review.settle()
    host.wait(5.0)  # work in progress is kept
    review.settle()
    assert (tmp_path / "workspace" / "work" / "S1__T2.json").is_file()
    host.click(ui.propagateButton)
    host.process(lambda: ui.messageLabel.text.startswith("The corrections"), timeout=120)
    review.settle()
    host.click(ui.correctButton)
    host.process(lambda: review.panel.case_id == "S2__T2", timeout=60)
    review.settle()
    where, milliseconds = host.slowest()
    assert milliseconds < 100, where


def qt_checked() -> Any:
    import qt

    return qt.Qt.Checked
