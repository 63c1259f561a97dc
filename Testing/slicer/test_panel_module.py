"""The module as a whole: it loads, opens, follows the scene, and leaves nothing behind."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import NAME, open_cohort, open_module


def test_the_module_loads_opens_and_goes(host: Any) -> None:
    import slicer

    module = host.load(Path(__file__).resolve().parents[2] / "LiverSegSSL" / "LiverSegSSL.py")
    assert module.parent.title == NAME and module.parent.contributors
    assert slicer.util.getModule(NAME).name == NAME
    widget = host.open(NAME)
    kinds = [type(section).__name__ for section in widget.sections]
    assert kinds == [f"{name}Section" for name in ("Setup", "Cohort", "Propose", "Review", "Retrain", "Results")]
    host.unload(NAME)
    assert not host.troubles


def test_parameters_come_back_with_a_saved_scene(host: Any, tmp_path: Path) -> None:
    widget = open_module(host)
    parameters = widget.panel.parameters
    parameters.proposeTargets, parameters.trainFolds = ["T2", "DWI"], 3
    host.save_scene(tmp_path / "scene.mrb")
    host.close_scene()
    assert (widget.panel.parameters.proposeTargets, widget.panel.parameters.trainFolds) == ([], 0)
    host.load_scene(tmp_path / "scene.mrb")
    assert (widget.panel.parameters.proposeTargets, widget.panel.parameters.trainFolds) == (["T2", "DWI"], 3)


def test_a_study_is_shown_side_by_side_and_goes_with_the_scene(host: Any, tmp_path: Path) -> None:
    import slicer
    from LiverSegSSLPanel.notices import Notice
    from LiverSegSSLPanel.views import FIRST_LAYOUT

    widget = open_module(host)
    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    rows = open_cohort(widget, tmp_path)
    told = []
    widget.panel.listen(Notice.STUDY, lambda: told.append(widget.logic.loadedStudy()))
    case_id = rows[0].phases[0].case_id
    widget.panel.studies.open(rows[0].study, case_id)
    host.process(lambda: not widget.panel.studies.loading)
    assert told[-1].key == rows[0].study and widget.panel.case_id == case_id
    manager = slicer.app.layoutManager()
    assert manager.layout == FIRST_LAYOUT + len(rows[0].phases)
    shown = [manager.sliceWidget(f"LiverSegSSL{n}").mrmlSliceCompositeNode().GetBackgroundVolumeID() for n in (1, 2)]
    assert shown == [phase.image.GetID() for phase in told[-1].phases]

    slicer.mrmlScene.RemoveNode(told[-1].phase(case_id).segmentation)
    host.process()
    assert told[-1].phase(case_id).segmentation is None, "the panel hears of a node that was deleted"
    host.close_scene()
    assert told[-1] is None and widget.panel.case_id == ""
    assert not slicer.mrmlScene.IsNodePresent(mine)


def test_reload_reads_the_panel_again(host: Any, tmp_path: Path) -> None:
    widget = open_module(host)
    open_cohort(widget, tmp_path)
    again = host.reload(NAME)
    assert again is not widget and len(again.sections) == len(
        ("Setup", "Cohort", "Propose", "Review", "Retrain", "Results")
    )
    assert not again.logic.hasCohort
