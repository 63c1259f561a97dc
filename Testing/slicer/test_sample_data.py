"""The built-in study in the module Sample Data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import MODULE, NAME


def offered(host: Any) -> dict[str, Any]:
    """Slicer starts and loads the module; what Sample Data offers of ours."""
    host.load(MODULE / f"{NAME}.py")
    host.start_up_completed()
    (source,) = host.log.samples
    return source


def test_the_built_in_study_is_offered_with_a_picture(host: Any) -> None:
    source = offered(host)
    assert (source["category"], source["sampleName"]) == ("LiverSegSSL", "LiverSegSSLBuiltInStudy")
    assert Path(source["thumbnailFileName"]).is_file() and "uris" not in source


@pytest.mark.parametrize("kind", ["host", "headless_host"])
def test_a_click_computes_it_and_loads_a_study(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    import slicer

    host = request.getfixturevalue(kind)
    source = offered(host)
    from LiverSegSSLPanel import sample_data

    monkeypatch.setattr(sample_data, "PRESET", "tiny")
    said = []
    slicer.modules.SampleDataWidget = type("Widget", (), {"logMessage": staticmethod(said.append)})
    source["customDownloader"](source)
    source["customDownloader"](source)  # impatience changes nothing
    host.process(lambda: said[-1].startswith("The whole cohort is in"), 60)
    data = sample_data.sample_folder() / "data"
    assert said[0] == "Computing the built-in study …" and str(data) in said[-1]
    (first,) = (mask.parent for mask in data.glob("*/Vendor_*/*/mask_GED4.nii.gz"))
    images = sorted(file.name.removesuffix(".nii.gz") for file in first.glob("*.nii.gz") if "mask" not in file.name)
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert sorted(node.GetName() for node in nodes) == [f"{first.name} {image}" for image in images]
    assert len(images) >= 2 and all(node.GetImageData().GetNumberOfPoints() > 1000 for node in nodes)

    source["customDownloader"](source)
    host.process(lambda: said.count(said[0]) == 2 and said[-1].startswith("The whole cohort is in"), 60)
    assert len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) == 2 * len(images)


def test_without_packages_it_says_where_to_get_them(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    source = offered(host)
    said = []
    slicer.modules.SampleDataWidget = type("Widget", (), {"logMessage": staticmethod(said.append)})
    monkeypatch.setitem(sys.modules, "nibabel", None)
    source["customDownloader"](source)
    assert said == ["nibabel is not installed: open the module LiverSegSSL and install it there."]


def test_the_logic_makes_a_cohort_that_can_be_opened(scene: Any, tmp_path: Path) -> None:
    from LiverSegSSLPanel.logic import Logic

    logic = Logic()
    data = logic.sampleCohort(tmp_path, preset="tiny").wait(120)["files"]["Data"]
    rows = logic.openCohort(data)
    assert len(rows) == 3
    assert [cell.state for row in rows for cell in row.phases].count("expert") == 1
    logic.closeCohort()
