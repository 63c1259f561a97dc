"""The table of Cohort: looking through it, and opening a study from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PySide6")

from LiverSegSSLLib.volume import read_volume
from Testing.slicer.cohort_panel import PATIENCE_S, seen, show_cohort, studies_seen


def test_filters_and_sorting(host: Any, cohort: Any, small: Path, tmp_path: Path) -> None:
    import qt

    show_cohort(host, cohort, small, tmp_path / "workspace")
    ui = cohort.ui
    host.choose(ui.stateBox, "expert")
    assert studies_seen(cohort) == ["1001-A-S3", "1001-B1-S3"] and ui.countLabel.text == "2 of 4 studies"
    host.choose(ui.phaseBox, "T2 – T2-weighted")
    assert studies_seen(cohort) == []
    host.choose(ui.stateBox, "All labels")
    host.choose(ui.vendorBox, "B1")
    assert studies_seen(cohort) == ["1001-B1-S3", "1002-B1-S3"]
    host.type(ui.searchBox, "1002 b1")
    host.process(lambda: len(studies_seen(cohort)) == 1)
    assert studies_seen(cohort) == ["1002-B1-S3"]
    host.type(ui.searchBox, " ")
    host.choose(ui.vendorBox, "All vendors")
    host.process(lambda: len(studies_seen(cohort)) == 4)
    ui.studyTable.sortByColumn(3, qt.Qt.DescendingOrder)
    assert studies_seen(cohort)[:2] != ["1002-A-S4", "1002-B1-S3"] and "1001-A-S3" in studies_seen(cohort)[:2]


def test_the_table_follows_the_labels(host: Any, cohort: Any, small: Path, tmp_path: Path) -> None:
    from LiverSegSSLPanel.notices import Notice  # now: Reload makes another one

    show_cohort(host, cohort, small, tmp_path / "workspace")
    host.choose(cohort.ui.stateBox, "proposed")
    assert studies_seen(cohort) == []
    case = cohort.panel.logic.case("1002-A-S4__T2")
    image = read_volume(case.image)
    mask = image.with_array((image.array > np.median(image.array)).astype(np.uint8))
    cohort.panel.logic.store.add(case.id, mask, source="transfer", round=1)
    cohort.panel.tell(Notice.LABELS)
    host.process(lambda: studies_seen(cohort) == ["1002-A-S4"] and not cohort.table.filling, PATIENCE_S)
    assert seen(cohort)[0][4] == "T2 (T2-weighted): proposed"


def test_a_study_is_opened_and_closed(host: Any, cohort: Any, small: Path, tmp_path: Path) -> None:
    import slicer

    show_cohort(host, cohort, small, tmp_path / "workspace")
    before = slicer.app.layoutManager().layout
    assert not cohort.ui.openStudyButton.enabled and not cohort.ui.closeStudyButton.visible
    host.click_cell(cohort.ui.studyTable, 0, 4, double=True)
    assert cohort.ui.studyLabel.text == "Loading 1001-A-S3: 0 of 2 phases …"
    host.process(lambda: cohort.ui.studyLabel.text == "1001-A-S3 is open.", PATIENCE_S)
    assert cohort.panel.case_id == "1001-A-S3__T2", "the phase that was clicked is looked at"

    host.click_cell(cohort.ui.studyTable, 2, 0)
    host.press(cohort.ui.studyTable, "Return")
    host.process(lambda: cohort.ui.studyLabel.text == "1002-A-S4 is open.", PATIENCE_S)
    assert cohort.panel.case_id == ""
    host.click(cohort.ui.closeStudyButton)
    assert cohort.panel.logic.loadedStudy() is None and slicer.app.layoutManager().layout == before
    assert not cohort.ui.studyLabel.visible and not cohort.ui.closeStudyButton.visible
    host.click(cohort.ui.openStudyButton)
    host.process(lambda: not cohort.panel.studies.loading, PATIENCE_S)
    assert cohort.panel.logic.loadedStudy().key == "1002-A-S4"


def test_loading_can_be_stopped(host: Any, cohort: Any, small: Path, tmp_path: Path) -> None:
    show_cohort(host, cohort, small, tmp_path / "workspace")
    host.click_cell(cohort.ui.studyTable, 0, 0, double=True)
    host.click(cohort.ui.closeStudyButton)
    assert not cohort.panel.studies.loading and not cohort.ui.studyLabel.visible
    host.wait(0.2)
    assert cohort.panel.logic.loadedStudy() is None
    assert cohort.ui.folderPath.currentPath == str(small), "a cohort opened elsewhere is shown as if opened here"


def test_a_phase_that_cannot_be_read_is_named(host: Any, cohort: Any, small: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(small, data)
    show_cohort(host, cohort, data, tmp_path / "workspace")
    image = cohort.panel.logic.case("1001-A-S3__T2").image
    image.write_bytes(image.read_bytes()[:400])
    host.click_cell(cohort.ui.studyTable, 0, 0, double=True)
    host.process(lambda: cohort.panel.studies.loading is False, PATIENCE_S)
    lines = cohort.ui.studyLabel.text.splitlines()
    assert lines[0] == "1001-A-S3 is open." and lines[1].startswith("Not shown: ") and "T2.nii.gz" in lines[1]


def test_a_study_of_which_nothing_can_be_read(host: Any, cohort: Any, small: Path, tmp_path: Path) -> None:
    import slicer

    before = slicer.app.layoutManager().layout
    data = tmp_path / "data"
    shutil.copytree(small, data)
    show_cohort(host, cohort, data, tmp_path / "workspace")
    host.click_cell(cohort.ui.studyTable, 0, 0, double=True)
    host.process(lambda: cohort.panel.studies.loading is False, PATIENCE_S)
    for phase in ("GED4", "T2"):
        cohort.panel.logic.case(f"1002-A-S4__{phase}").image.unlink()
    host.click_cell(cohort.ui.studyTable, 2, 0, double=True)
    host.process(lambda: cohort.panel.studies.loading is False, PATIENCE_S)
    assert cohort.ui.studyLabel.text.count("Not shown: ") == 2 and not cohort.ui.closeStudyButton.visible
    assert slicer.app.layoutManager().layout == before


def test_remarks_on_the_data_stand_folded(host: Any, cohort: Any, small: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(small, data)
    study = next(data.rglob("1002-A-S4"))
    (study / "elephant.nii.gz").write_bytes((study / "T2.nii.gz").read_bytes())
    show_cohort(host, cohort, data, tmp_path / "workspace")
    host.process()
    assert cohort.ui.problemsBox.visible and cohort.ui.problemsBox.collapsed
    assert cohort.ui.problemsBox.title == "1 remark on the data"
    assert "elephant" in cohort.ui.problemsText.plainText
