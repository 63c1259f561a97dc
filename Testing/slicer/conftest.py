"""The module's folder where Slicer would put it, and a scene that ``slicer`` knows as its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from Testing.host.fixture import headless_host, host  # noqa: F401  (fixtures)
from Testing.slicer.scenes import make_scene

MODULE = Path(__file__).resolve().parents[2] / "LiverSegSSL"
if str(MODULE) not in sys.path:
    sys.path.append(str(MODULE))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A new scene, ``slicer.mrmlScene`` while the test runs."""
    slicer = pytest.importorskip("slicer")
    scene, modules = make_scene()
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    monkeypatch.setattr(slicer, "modules", modules, raising=False)
    yield scene
    scene.Clear(1)


@pytest.fixture(scope="session")
def proposed_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort whose labels were proposed, made once: ``data`` and ``workspace``, of which a test takes a copy."""
    from Testing.slicer.reviews import write_proposed_cohort

    folder = tmp_path_factory.mktemp("proposed")
    write_proposed_cohort(folder)
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four studies of two vendors with GED4 and T2, two of them labelled on GED4: to be read only."""
    from Testing.slicer.tiny_cohort import write_tiny_cohort

    return write_tiny_cohort(tmp_path_factory.mktemp("small") / "data")


@pytest.fixture
def cohort(host: Any) -> Any:  # noqa: F811
    """The section Cohort, in a panel that has just been opened."""
    from Testing.slicer.panels import open_module, section

    return section(open_module(host), "Cohort")
