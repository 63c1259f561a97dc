"""Lines for paths: CTK's widget does not tell its text when it is emptied, and the sections hear of it all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import open_cohort, open_module, section


def test_an_emptied_line_is_no_folder_any_more(host: Any, tmp_path: Path) -> None:
    widget = open_module(host)
    open_cohort(widget, tmp_path)
    cohort, results = section(widget, "Cohort").ui, section(widget, "Results").ui
    host.choose_folder(cohort.folderPath, tmp_path)
    host.choose_folder(results.truthPath, tmp_path)
    host.choose_folder(results.exportPath, tmp_path)
    assert cohort.openButton.enabled
    parameters = widget.panel.parameters
    assert parameters.truthFolder == parameters.exportFolder == str(tmp_path)
    for line in (cohort.folderPath, results.truthPath, results.exportPath):
        line.currentPath = ""
    assert not cohort.openButton.enabled, "an empty folder would be the one that Slicer was started in"
    assert parameters.truthFolder == parameters.exportFolder == ""
    assert not results.exportButton.enabled
    host.wait(0.5)
    assert results.truthPath.currentPath == results.exportPath.currentPath == ""


def test_a_recipe_that_is_being_typed_stays(host: Any, tmp_path: Path) -> None:
    """Until the name ends as the filter wants it nothing is told; meanwhile the section refreshes for other reasons."""
    widget = open_module(host)
    propose = section(widget, "Propose")
    propose.ui.advancedBox.collapsed = False
    host.choose(propose.ui.recipeBox, "A file …")
    propose.ui.recipePath.currentPath = str(tmp_path / "half")
    widget.panel.parameters.trainRounds = 3
    host.wait(0.5)
    assert propose.ui.recipePath.currentPath == str(tmp_path / "half")
    assert propose.ui.recipePath.visible and widget.panel.parameters.recipe == "default"
