"""Retrain, as a person meets it: what it learns from, choices, what is missing; starting, cancelling, going on."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.learn.card import CARD
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.methods import TRAINERS
from LiverSegSSLLib.learn.options import network_names, preset_names
from LiverSegSSLLib.rounds.state import RunState
from LiverSegSSLLib.volume import Volume, read_geometry
from Testing.integration.semi_cases import SMALLEST
from Testing.slicer.panels import open_cohort, open_module, section
from Testing.slicer.trainings import TrainingUnderWay, change, recorded

SHORT = [change(**SMALLEST), "propose=[]", "phases=[GED4]"]
"""Changes of the recipe for a training of seconds."""


def _opened(host: Any, folder: Path) -> tuple[Any, Any, Any]:
    widget = open_module(host)
    open_cohort(widget, folder)
    retrain = section(widget, "Retrain")
    host.process(lambda: retrain.ui.summaryTable.rowCount == 2, timeout=60)
    return widget, retrain, retrain.ui


def _change_recipe(host: Any, ui: Any, text: str) -> None:
    if ui.advancedBox.collapsed:
        host.click(ui.advancedBox, 12, 8)
    host.type(ui.changesEdit, text)


def _row(table: Any, row: int) -> list[str]:
    return [table.item(row, column).text() for column in range(table.columnCount)]


def _offered(box: Any) -> list[str]:
    return [box.itemData(index) for index in range(box.count)]


def test_the_button_lists_what_is_missing(host: Any, tmp_path: Path) -> None:
    widget = open_module(host)
    ui = section(widget, "Retrain").ui
    host.wait(0.3)
    assert not ui.trainButton.enabled and "Open a cohort first (section Cohort)." in ui.trainButton.toolTip.splitlines()
    open_cohort(widget, tmp_path)
    host.process(lambda: ui.trainButton.enabled, timeout=60)
    _change_recipe(host, ui, "learn.optoins=3")
    host.process(lambda: not ui.trainButton.enabled, timeout=60)
    assert "learn.optoins" in ui.trainButton.toolTip and "options" in ui.trainButton.toolTip
    _change_recipe(host, ui, "phases=[T2]")
    host.process(lambda: "No case has a label that a person" in ui.trainButton.toolTip, timeout=60)
    _change_recipe(host, ui, "")
    host.process(lambda: ui.trainButton.enabled, timeout=60)


def test_choices_are_the_librarys_and_come_back_with_the_scene(host: Any, tmp_path: Path) -> None:
    _widget, _retrain, ui = _opened(host, tmp_path)
    assert _offered(ui.methodBox) == ["", *TRAINERS]
    assert _offered(ui.presetBox) == ["", *preset_names()]
    assert _offered(ui.networkBox) == ["", *network_names()]
    for index in range(1, ui.methodBox.count):
        host.choose(ui.methodBox, ui.methodBox.itemText(index))
        assert ui.methodBox.itemText(index) != _offered(ui.methodBox)[index], "a method has a name in words"
    host.choose(ui.methodBox, "Mean teacher")
    host.choose(ui.presetBox, "cpu")
    host.choose(ui.networkBox, "stunet-s")
    host.type(ui.foldsBox, "2")
    host.type(ui.roundsBox, "3")
    host.process(lambda: "average of the network" in ui.methodLabel.text, timeout=60)
    assert "two cores" in ui.presetLabel.text and "STU-Net S" in ui.networkLabel.text
    assert ui.foldsLabel.text.startswith("2 models")
    host.save_scene(tmp_path / "scene.mrb")
    host.close_scene()
    host.process(lambda: ui.presetBox.currentIndex == 0, timeout=60)
    assert (ui.foldsBox.value, ui.roundsBox.value) == (0, 1)
    assert ui.presetBox.itemText(0) == "As the recipe says: default"
    host.load_scene(tmp_path / "scene.mrb")
    host.wait(0.3)
    chosen = [box.itemData(box.currentIndex) for box in (ui.methodBox, ui.presetBox, ui.networkBox)]
    assert chosen == ["mean-teacher", "cpu", "stunet-s"]
    assert (ui.foldsBox.value, ui.roundsBox.value) == (2, 3)


def test_what_it_learns_from_follows_the_verdicts(host: Any, tmp_path: Path) -> None:
    from LiverSegSSLPanel.notices import Notice

    widget, _retrain, ui = _opened(host, tmp_path)
    headers = [ui.summaryTable.horizontalHeaderItem(index).text() for index in range(ui.summaryTable.columnCount)]
    assert headers == ["Expert", "Corrected", "Accepted", "Proposed", "Left out", "No label"]
    assert [ui.summaryTable.verticalHeaderItem(row).text() for row in (0, 1)] == ["GED4", "T2"]
    assert _row(ui.summaryTable, 0) == ["2", "–", "–", "–", "–", "2"]
    store, cases = widget.logic.store, [case for case in widget.logic.cohort.cases() if case.phase.value == "T2"]
    masks = {case.id: _some_liver(case.image) for case in cases}
    proposed = {case.id: store.add(case.id, masks[case.id], source="transfer", round=1) for case in cases}
    a, b, c, d = (case.id for case in cases)
    labels = {case_id: label.id for case_id, label in proposed.items()}
    state = RunState(tmp_path / "workspace" / "runs" / "default" / "state.json")
    state.stage("round 1: select", {}, lambda: {"labels": labels, "kept": [a, b, c], "change": None})
    widget.panel.tell(Notice.LABELS)
    host.process(lambda: _row(ui.summaryTable, 1) == ["–", "–", "–", "3", "1", "–"], timeout=60)
    store.review(proposed[a].id, LabelState.ACCEPTED, author="dr")
    store.correct(proposed[d].id, masks[d], author="dr")
    store.review(proposed[b].id, LabelState.REJECTED, author="dr")
    widget.panel.tell(Notice.LABELS)
    host.process(lambda: _row(ui.summaryTable, 1) == ["–", "1", "1", "1", "1", "–"], timeout=60)
    assert ui.summaryLabel.text == "Learns from 4 labels of persons and 1 proposals."
    host.choose(ui.methodBox, "Mean teacher")
    host.process(lambda: "3 images teach without a label" in ui.summaryLabel.text, timeout=60)
    assert host.slowest()[1] < 1000, host.slowest()


def test_it_says_how_long_it_takes_where_that_was_measured(host: Any, tmp_path: Path) -> None:
    widget, _retrain, ui = _opened(host, tmp_path)
    assert "more than" in ui.timeLabel.text and "choose the preset “cpu”" in ui.timeLabel.text
    host.choose(ui.presetBox, "cpu")
    host.type(ui.foldsBox, "1")
    host.process(
        lambda: ui.timeLabel.text == "Without a GPU it takes about 3 min, as measured on two cores.", timeout=60
    )
    host.choose(ui.methodBox, "Mean teacher")
    host.process(lambda: "about 6 min" in ui.timeLabel.text, timeout=60)
    _change_recipe(host, ui, "learn.options={configuration: {patch_size: [16, 32, 32]}}")
    host.process(lambda: "has not been measured" in ui.timeLabel.text, timeout=60)
    host.process(lambda: widget.panel.has_gpu is not None, timeout=60)
    setup = section(widget, "Setup")
    setup.button.collapsed = setup.ui.advancedBox.collapsed = False
    host.process()
    device = setup.ui.deviceBox
    host.choose(device, "Graphics card (CUDA)")
    host.process(lambda: ui.timeLabel.text == "On a GPU it has not been measured.", timeout=60)
    host.choose(device, "Automatic")
    found = "How long it takes without" if widget.panel.device == "cpu" else "On a GPU"
    host.process(lambda: ui.timeLabel.text.startswith(found), timeout=60)


def test_before_and_after_are_read_from_the_rounds(host: Any, tmp_path: Path) -> None:
    from LiverSegSSLPanel.notices import Notice

    widget, _retrain, ui = _opened(host, tmp_path)
    assert not ui.figuresBox.visible
    state = RunState(tmp_path / "workspace" / "runs" / "default" / "state.json")
    held_out = {"a__GED4": 0, "b__GED4": 1, "c__GED4": 1}
    curves = {"0": {"epoch": [1, 2], "agreement": [0.5, 0.8]}, "1": {"epoch": [1, 2], "agreement": [0.5, 0.9]}}
    before = {"judged": "dice", "value": 0.75, "cases": 2}
    output = {"held_out": held_out, "curves": curves, "before": before}
    state.stage("round 1: train", {}, lambda: output)
    state.stage("round 2: train", {}, lambda: {"held_out": {}, "curves": {"all": curves["0"]}, "before": None})
    widget.panel.tell(Notice.LABELS)
    host.process(lambda: ui.figuresBox.visible, timeout=60)
    assert ui.figuresTable.rowCount == 2, "of the second round nothing was kept out"
    assert _row(ui.figuresTable, 0) == ["Round 1, training before", "Dice on expert cases kept out", "0.750", "2"]
    assert _row(ui.figuresTable, 1) == ["Round 1, last training", "Agreement with proposals kept out", "0.850", "3"]


def test_the_first_model_is_what_results_segments_with(host: Any, tmp_path: Path) -> None:
    from LiverSegSSLPanel.notices import Notice

    widget, _retrain, _ui = _opened(host, tmp_path)
    results = section(widget, "Results").ui
    host.process(lambda: results.modelBox.currentText == "Another folder …", timeout=60)
    model = widget.logic.workspace / "nnunet" / "default" / "results" / "Dataset001_round1" / "LiverSegTrainer"
    (model / "fold_0").mkdir(parents=True)
    (model / "fold_0" / FINAL).touch()
    (model / CARD).write_text('{"name": "round1", "method": "supervised"}', encoding="utf-8")
    widget.panel.tell(Notice.LABELS)
    host.process(lambda: results.modelBox.currentText.startswith("The last one: "), timeout=60)
    assert not results.modelPath.visible


def test_a_training_that_was_stopped_is_offered_to_go_on(host: Any, tmp_path: Path) -> None:
    widget, _retrain, ui = _opened(host, tmp_path)
    host.choose(ui.presetBox, "cpu")
    host.process(lambda: ui.trainButton.text == "Train", timeout=60)
    asked = {"recipe": "default", "changes": ['learn.preset="cpu"']}
    training = TrainingUnderWay(widget.logic.workspace, **asked)
    training.say(*recorded()[:-2])
    training.end()  # the power went
    host.choose(ui.presetBox, "small")
    host.choose(ui.presetBox, "cpu")
    host.process(lambda: ui.trainButton.text == "Continue", timeout=60)
    assert "goes on from its last checkpoint" in ui.trainButton.toolTip
    host.choose(ui.presetBox, "small")
    host.process(lambda: ui.trainButton.text == "Train", timeout=60)
    later = TrainingUnderWay(widget.logic.workspace, name="20260101-130000-train", **asked)
    later.say(*recorded())
    later.end()
    host.choose(ui.presetBox, "cpu")
    host.wait(0.4)
    assert ui.trainButton.text == "Train", "it is done"


def test_a_training_that_fails_says_why(host: Any, tmp_path: Path) -> None:
    _widget, retrain, ui = _opened(host, tmp_path)
    _change_recipe(host, ui, "learn.init=nowhere.pth")
    host.wait(0.4)
    host.click(ui.trainButton)
    assert ui.trainButton.text == "Cancel"
    host.process(lambda: not retrain.jobs.running, timeout=60)
    host.process(lambda: ui.trainButton.text == "Train", timeout=60)
    assert "nowhere.pth" in retrain.jobs.ui.stateLabel.text
    assert not ui.curvesBox.visible


@pytest.mark.slow
def test_a_small_training_is_cancelled_goes_on_and_ends(host: Any, tmp_path: Path) -> None:
    widget, retrain, ui = _opened(host, tmp_path)
    host.choose(ui.presetBox, "cpu")
    host.type(ui.foldsBox, "2")
    ui.changesEdit.setPlainText("\n".join([change(**{**SMALLEST, "epochs": 30}), *SHORT[1:]]))
    host.wait(0.4)
    host.click(ui.trainButton)
    curves = retrain.curves
    host.process(lambda: len(curves.curves.folds) == 2, timeout=300)
    assert ui.trainButton.text == "Cancel" and curves.curves.judged == "dice"
    host.click(ui.trainButton)
    host.process(lambda: not retrain.jobs.running, timeout=30)
    host.process(lambda: ui.trainButton.text == "Continue", timeout=60)
    host.click(ui.trainButton)
    host.process(lambda: not retrain.jobs.running, timeout=300)
    assert retrain.jobs.job.state == "done", retrain.jobs.job.error()
    for fold in ("0", "1"):
        assert curves.curves.columns(fold)["epoch"] == list(range(1, 31)), "also those from before it was stopped"
    host.process(lambda: ui.trainButton.text == "Train" and ui.figuresBox.visible, timeout=60)
    last = [curves.curves.columns(fold)["dice"][-1] for fold in ("0", "1")]
    assert _row(ui.figuresTable, 0)[1:] == ["Dice on expert cases kept out", f"{sum(last) / 2:.3f}", "2"]
    told = json.loads((retrain.jobs.job.folder / "job.json").read_text())["parameters"]
    assert told["changes"] == [
        *widget.panel.parameters.trainChanges.splitlines(),
        'learn.preset="cpu"',
        "learn.folds=2",
    ]


def _some_liver(image: Path) -> Volume:
    import numpy as np

    geometry = read_geometry(image)
    mask = np.zeros(geometry.shape, np.uint8)
    mask[1:3, 2:5, 2:5] = 1
    return Volume(mask, geometry)
