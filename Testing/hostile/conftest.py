"""The command line and the sound cohort of the bad input's tests, and a canary that must never appear."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from Testing.bad_input.conftest import command, proposed, sound  # noqa: F401
from Testing.bad_input.place import Place
from Testing.hostile.bombs import Canary


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    """What a bomb makes; looked for again when the test ends."""
    canary = Canary(tmp_path / "canary")
    yield canary
    assert not canary.sang, "something in a file was run"


@pytest.fixture
def place(sound: Place, tmp_path: Path) -> Place:  # noqa: F811
    """A sound cohort."""
    shutil.copytree(sound.root, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path)


@pytest.fixture
def proposed_place(proposed: Place, tmp_path: Path) -> Place:  # noqa: F811
    """The same with a workspace in which labels were proposed."""
    shutil.copytree(proposed.root, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path)
