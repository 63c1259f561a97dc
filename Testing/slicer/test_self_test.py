"""The self test of the module, run as the application runs it: with a main window, and without."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import MODULE, NAME

SETTINGS = {"reviewer": "Dr. N.", "CohortFolder": "/data/livers"}


def _settings() -> Any:
    import qt

    settings = qt.QSettings()
    for key, value in SETTINGS.items():
        settings.setValue(f"{NAME}/{key}", value)
    return settings


def _nothing_is_left(settings: Any, mine: Any) -> None:
    import slicer

    assert {key: settings.value(f"{NAME}/{key}") for key in SETTINGS} == SETTINGS
    assert not list(Path(slicer.app.temporaryPath).glob("LiverSegSSL-test-*"))
    assert not slicer.mrmlScene.IsNodePresent(mine), "as ever in Slicer, a self test begins by closing the scene"
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode")


def test_the_whole_story_with_the_panel(host: Any) -> None:
    import slicer

    settings = _settings()
    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    host.load(MODULE / f"{NAME}.py")
    slicer.selfTests[NAME]()
    _nothing_is_left(settings, mine)
    assert not slicer.util.getModuleWidget(NAME).logic.hasCohort


@pytest.mark.slow
def test_the_whole_story_without_a_window(headless_host: Any) -> None:
    import slicer

    settings = _settings()
    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    headless_host.load(MODULE / f"{NAME}.py")
    slicer.selfTests[NAME]()
    _nothing_is_left(settings, mine)
