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
