"""The section Set up, opened as a person does; what the tests of it share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from Testing.slicer.panels import open_module, section


@pytest.fixture
def own_shelf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The weights of this computer are left alone, and nothing is downloaded."""
    folder = tmp_path / "shelf"
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(folder))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)  # pip does as the environment of the test says
    return folder


def looked(host: Any, setup: Any) -> None:
    host.process(lambda: setup.ui.jobsState.text not in ("", "Looking …"), 60)


def open_setup(host: Any) -> Any:
    setup = section(open_module(host), "Setup")
    looked(host, setup)
    setup.button.collapsed = False
    return setup
