"""Curves: the numbers in the tables are those that the job has said, and nothing of ours stays in the scene."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from LiverSegSSLLib.events import Event
from Testing.slicer.panels import open_cohort, open_module, section
from Testing.slicer.trainings import TrainingUnderWay, recorded


def _numbers(table: Any) -> dict[str, list[float]]:
    columns = [table.GetTable().GetColumn(index) for index in range(table.GetNumberOfColumns())]
    return {column.GetName(): [column.GetValue(row) for row in range(column.GetNumberOfTuples())] for column in columns}


def _ours() -> list[Any]:
    import slicer
    from LiverSegSSLPanel.scene.plots import in_scene

    return in_scene(slicer.mrmlScene)


def _tables() -> dict[str, dict[str, list[float]]]:
    tables = [node for node in _ours() if node.IsA("vtkMRMLTableNode")]
    return {node.GetName().removeprefix("LiverSegSSL "): _numbers(node) for node in tables}


def _said(events: list[Event], fold: int, name: str) -> list[float]:
    return [event.data[name] for event in events if event.kind == "metric" and event.stage == f"train fold {fold}"]


def test_a_training_found_again_fills_the_curves_from_its_first_epoch(host: Any, tmp_path: Path) -> None:
    import slicer

    widget = open_module(host)
    open_cohort(widget, tmp_path)
    ui = section(widget, "Retrain").ui
    assert not ui.curvesBox.visible and not _ours()
    events = recorded()
    middle = next(number for number, event in enumerate(events) if event.data.get("epoch") == 2)
    training = TrainingUnderWay(tmp_path / "workspace")
    try:
        training.say(*events[:middle])
        (job,) = widget.logic.findJobs()
        widget.panel.jobs.watch(job)
        host.process(lambda: len(_tables()) == 2, timeout=60)
        host.process(lambda: ui.trainButton.text == "Cancel", timeout=60)
        assert ui.curvesBox.visible
        assert {name: columns["epoch"] for name, columns in _tables().items()} == {"Fold 1": [1.0], "Fold 2": [1.0]}
        training.say(*events[middle:-2])
        host.process(lambda: all(len(columns["epoch"]) == 3 for columns in _tables().values()), timeout=60)
        for fold in (0, 1):
            columns = _tables()[f"Fold {fold + 1}"]
            for name in ("loss", "val_loss", "dice"):
                assert columns[name] == _said(events, fold, name), "the numbers are those of the events, bit for bit"

        view = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotViewNode")
        shown = view.GetPlotChartNode()
        names = [shown.GetNthPlotSeriesNode(index).GetName() for index in range(shown.GetNumberOfPlotSeriesNodes())]
        assert names == ["Fold 1", "Fold 1, cases kept out", "Fold 2", "Fold 2, cases kept out"]
        host.choose(ui.curveBox, "Dice on expert cases kept out")
        chart = view.GetPlotChartNode()
        assert (chart.GetYAxisTitle(), chart.GetNumberOfPlotSeriesNodes()) == ("Dice on expert cases kept out", 2)
        host.screenshot(ui.curvesBox, tmp_path / "curves.png")
        assert host.slowest()[1] < 1000, host.slowest()
    finally:
        training.end()
    host.process(lambda: ui.trainButton.text == "Train", timeout=60)


def test_the_curves_go_with_the_scene_and_come_back_with_the_next(host: Any, tmp_path: Path) -> None:
    import slicer

    widget = open_module(host)
    open_cohort(widget, tmp_path)
    training = TrainingUnderWay(tmp_path / "workspace")
    try:
        training.say(*recorded()[:-2])
        (job,) = widget.logic.findJobs()
        widget.panel.jobs.watch(job)
        host.process(lambda: len(_tables()) == 2, timeout=60)
        assert all(node.GetHideFromEditors() and not node.GetSaveWithScene() for node in _ours())
        mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "mine")
        host.save_scene(tmp_path / "scene.mrml")
        saved = (tmp_path / "scene.mrml").read_text()
        assert "mine" in saved and "Fold 1" not in saved and "LiverSegSSL view" not in saved
        before = _tables()
        host.close_scene()
        assert _tables() == before, "the same training is still under way"
        assert not slicer.mrmlScene.IsNodePresent(mine)
        host.unload("LiverSegSSL")
        assert not _ours()
    finally:
        training.end()


def test_a_new_round_begins_new_curves_and_what_is_told_again_counts_once() -> None:
    from LiverSegSSLPanel.curves import Curves

    def metric(fold: str, epoch: int, **numbers: float) -> Event:
        return Event("metric", f"train fold {fold}", "", {"epoch": epoch, "epochs": 9, "seconds": 1.0, **numbers})

    curves = Curves()
    assert curves.take([metric("0", 1, loss=0.5, agreement=0.2), metric("0", 2, loss=0.4)]) == {"0"}
    assert curves.take([metric("0", 2, loss=0.3, agreement=0.6), metric("all", 1, loss=1.0)]) == {"0", "all"}
    assert curves.columns("0") == {"epoch": [1.0, 2.0], "loss": [0.5, 0.3], "agreement": [0.2, 0.6]}
    assert curves.judged == "agreement"
    curves.take([Event("progress", "round 2: propose 1 (network)", "", {"done": 1, "total": 2})])
    assert set(curves.folds) == {"0", "all"}
    begins = Event("log", "round 2: train", "9 labels of persons", {})
    assert curves.take([metric("0", 3, loss=0.1), begins, metric("1", 1, loss=2.0)]) == {"1"}
    assert (curves.round, set(curves.folds), curves.judged) == (2, {"1"}, "")
    assert json.dumps(curves.columns("1")) == '{"epoch": [1.0], "loss": [2.0]}'
