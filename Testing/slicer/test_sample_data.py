"""The built-in study in the module Sample Data."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PySide6")

from Testing.slicer.panels import MODULE, NAME


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built-in study that was made before."""
    from LiverSegSSLPanel.logic_jobs import JobLogic

    folder = tmp_path_factory.mktemp("made")
    JobLogic().sampleCohort(folder, preset="tiny").wait(120)
    return folder


def offered(host: Any) -> dict[str, Any]:
    """Slicer starts and loads the module; what Sample Data offers of ours."""
    host.load(MODULE / f"{NAME}.py")
    host.start_up_completed()
    (source,) = host.log.samples
    return source


def test_the_built_in_study_is_offered_with_a_picture(host: Any) -> None:
    source = offered(host)
    assert (source["category"], source["sampleName"]) == (
        "LiverSegSSL",
        "Liver MRI in all phases (phantom)",
    )
    assert Path(source["thumbnailFileName"]).is_file() and not source["uris"], "nothing is downloaded"


def load(host: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Click the study, twice, and wait until it is there; what was said."""
    import slicer

    source = offered(host)
    from LiverSegSSLPanel import sample_data

    monkeypatch.setattr(sample_data, "PRESET", "tiny")
    said: list[str] = []
    slicer.modules.SampleDataWidget = type("Widget", (), {"logMessage": staticmethod(said.append)})
    source["customDownloader"](source)
    source["customDownloader"](source)  # impatience changes nothing
    host.process(lambda: said[-1].startswith("The whole cohort is in"), 60)
    data = sample_data.sample_folder() / "data"
    assert said[0] == "Computing the built-in study …" and str(data) in said[-1]
    (labelled,) = (mask.parent for mask in data.glob("*/Vendor_*/*/mask_GED4.nii.gz"))
    images = sorted(file.name.removesuffix(".nii.gz") for file in labelled.glob("*.nii.gz") if "mask" not in file.name)
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    assert sorted(node.GetName() for node in nodes) == [f"{labelled.name} {image}" for image in images]
    assert len(images) >= 2 and all(node.GetImageData().GetNumberOfPoints() > 1000 for node in nodes)
    return said


def test_a_click_computes_it_and_loads_a_study(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    load(host, monkeypatch)


def test_it_is_computed_once(headless_host: Any, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(made, headless_host.folder / "LiverSegSSL built-in study")
    said = load(headless_host, monkeypatch)
    assert not any("studies are made" in sentence for sentence in said)


def test_without_packages_it_says_where_to_get_them(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    source = offered(host)
    said = []
    slicer.modules.SampleDataWidget = type("Widget", (), {"logMessage": staticmethod(said.append)})
    monkeypatch.setitem(sys.modules, "nibabel", None)
    source["customDownloader"](source)
    assert said == ["nibabel is not installed: open the module LiverSegSSL and install it there."]


def test_the_logic_opens_what_it_has_made(scene: Any, made: Path) -> None:
    from LiverSegSSLPanel.logic import Logic

    logic = Logic()
    rows = logic.openCohort(made / "data")
    assert len(rows) == 3
    assert [cell.state for row in rows for cell in row.phases].count("expert") == 1
    logic.closeCohort()
