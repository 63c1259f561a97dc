"""Results: the report without the keys of studies, as a person asks for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

from Testing.bad_input.place import Place, write_sound_cohort
from Testing.slicer.panels import open_module, section

WAIT_S = 120.0


def test_the_box_goes_with_the_jobs_that_write_a_report(host: Any, tmp_path: Path) -> None:
    from LiverSegSSLPanel import settings
    from LiverSegSSLPanel.notices import Notice

    place = Place(tmp_path)
    write_sound_cohort(place.data)
    widget = open_module(host)
    widget.logic.openCohort(place.data, place.workspace)
    widget.panel.tell(Notice.COHORT)
    case = widget.logic.case("P1__T1")
    widget.logic.store.add(case.id, _liver(case), source="transfer", round=1)
    results = section(widget, "Results")
    host.process(lambda: results.ui.resultsTable.rowCount and not results.busy, timeout=WAIT_S)
    ui = results.ui
    assert not ui.pseudonymsBox.checked and "pseudonyms.csv" in ui.pseudonymsBox.toolTip
    host.click(ui.pseudonymsBox)
    assert widget.logic.pseudonyms is True
    host.click(ui.reportButton)
    assert results.reporting.job.parameters["pseudonyms"] is True
    host.process(lambda: ui.openButton.enabled, timeout=WAIT_S)
    page = widget.logic.reportPath().read_text(encoding="utf-8")
    assert "P1" not in page and str(tmp_path) not in page
    (table,) = place.workspace.glob("pseudonyms.csv")
    assert [line.split(",")[0] for line in table.read_text().splitlines()] == ["study", "P1", "P2"]
    assert settings.read_flag("pseudonyms")


def test_the_box_is_as_it_was_left(host: Any) -> None:
    from LiverSegSSLPanel import settings

    settings.write("pseudonyms", True)
    widget = open_module(host)
    box = section(widget, "Results").ui.pseudonymsBox
    assert box.checked and widget.logic.pseudonyms is True
    host.click(box)
    assert widget.logic.pseudonyms is False and not settings.read_flag("pseudonyms")


def _liver(case: Any) -> Any:
    from LiverSegSSLLib.volume import Volume, read_geometry

    geometry = read_geometry(case.image)
    mask = np.zeros(geometry.shape, np.uint8)
    mask[2:4, 3:9, 3:9] = 1
    return Volume(mask, geometry)
