"""The pytest fixtures `host` (with a main window) and `headless_host` (`--no-main-window`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Any]:
    """The application; whatever is in trouble at the end fails the test."""
    yield from _run(tmp_path, window=True)


@pytest.fixture
def headless_host(tmp_path: Path) -> Iterator[Any]:
    """The application without a main window."""
    yield from _run(tmp_path, window=False)


def _run(tmp_path: Path, window: bool) -> Iterator[Any]:
    pytest.importorskip("slicer", reason="pip install slicer-core")
    pytest.importorskip("PySide6", reason="pip install PySide6-Essentials")
    from .host import Host

    with Host(tmp_path / "slicer", window=window) as running:
        yield running
