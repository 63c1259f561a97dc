"""Opening a cohort in pieces: the one that was open stays until the other has been read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer")

from LiverSegSSLPanel.logic import Logic
from LiverSegSSLPanel.logic_cohort import Source
from LiverSegSSLPanel.scene.volumes import add_volume, set_grey_window

from LiverSegSSLLib.errors import CohortError
from Testing.slicer.tiny_cohort import GRID, IMAGE, write_study, write_tiny_cohort


def test_a_cohort_is_taken_over_by_whoever_polls(scene: Any, tmp_path: Path) -> None:
    logic = Logic(scene)
    first = write_tiny_cohort(tmp_path / "first")
    logic.openCohort(first)
    assert logic.source == Source(str(first)), "the usual workspace need not be named"
    write_study(tmp_path / "second" / "P1", ("GED4",))
    task = logic.beginOpening(tmp_path / "second", tmp_path / "elsewhere")
    assert logic.data == first
    rows = task.wait()
    assert [row.study for row in rows] == ["P1"] and logic.rows() == rows == logic.beginRows().wait()
    assert logic.source == Source(str(tmp_path / "second"), str(tmp_path / "elsewhere"))
    logic.closeCohort()


def test_a_folder_that_is_none_leaves_the_cohort_open(scene: Any, tmp_path: Path) -> None:
    logic = Logic(scene)
    first = write_tiny_cohort(tmp_path / "first")
    logic.openCohort(first)
    (tmp_path / "empty").mkdir()
    task = logic.beginOpening(tmp_path / "empty")
    with pytest.raises(CohortError, match="no image was found"):
        task.wait()
    assert logic.data == first and len(logic.rows()) == 4
    logic.closeCohort()


def test_grey_values_are_chosen_for_the_liver_not_for_the_brightest_fluid(scene: Any) -> None:
    array = np.full(GRID.shape, 20, np.int16)
    array[:, :, 2:] = 300  # body
    array[1, 0, 2:4] = 5000  # a little fluid: 1 % of the body
    node = add_volume(scene, IMAGE.with_array(array), "T2")
    set_grey_window(node, np.repeat(np.repeat(np.repeat(array, 4, 0), 6, 1), 6, 2))
    low, high = node.GetDisplayNode().GetWindowLevelMin(), node.GetDisplayNode().GetWindowLevelMax()
    assert low == pytest.approx(20) and high == pytest.approx(300) and not node.GetDisplayNode().GetAutoWindowLevel()
    set_grey_window(node, array, is_ct=True)
    assert (node.GetDisplayNode().GetWindowLevelMin(), node.GetDisplayNode().GetWindowLevelMax()) == (-160.0, 240.0)


def test_an_image_of_one_grey_value_can_be_shown(scene: Any) -> None:
    flat = np.zeros(GRID.shape, np.int16)
    node = add_volume(scene, IMAGE.with_array(flat), "empty")
    set_grey_window(node, flat)
    assert node.GetDisplayNode().GetWindowLevelMin() < node.GetDisplayNode().GetWindowLevelMax()
