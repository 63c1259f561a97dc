"""Bad image files: the reader names what is wrong, alone they end a command with 2, among others they stand aside."""

from __future__ import annotations

import re
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.volume import read_header, read_volume, require_whole
from Testing.bad_input.conftest import Answer
from Testing.bad_input.images import IMAGES, BadImage
from Testing.bad_input.place import CASES, OTHERS, Place

Command = Callable[[list[str]], Answer]

MEMORY = 300 << 20
"""Bytes that reading a file here may ask for on top of what the process has; a file has 26 kB of voxels."""

EVERY = pytest.mark.parametrize("bad", IMAGES, ids=[bad.name for bad in IMAGES])

AT_ONCE = [bad for bad in IMAGES if bad.says and not bad.late][::5]
"""Their headers tell; every fifth, because what makes the exit code 2 is the same for all."""


@contextmanager
def little_memory() -> Iterator[None]:
    """Allocations that a giant header asks for fail instead of taking the machine's memory."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@EVERY
def test_the_reader_names_it(bad: BadImage, tmp_path: Path) -> None:
    path = tmp_path / f"T1{bad.suffix}"
    path.write_bytes(bad.content())
    with little_memory():
        if not bad.says:
            volume = read_volume(path)
            assert volume.geometry == read_header(path).geometry and np.isfinite(volume.array).all()
            return
        with pytest.raises(ImageError, match=bad.says) as caught:
            read_volume(path)
        assert str(caught.value).startswith(f"{path}: ")
        if bad.late:
            require_whole(path, read_header(path))
        else:
            with pytest.raises(ImageError, match=bad.says):
                require_whole(path, read_header(path))


@EVERY
def test_among_others_it_stands_aside(bad: BadImage, sound: Place, tmp_path: Path, command: Command) -> None:
    place = Place(tmp_path)
    shutil.copytree(sound.data, place.data)
    place.image.unlink()
    (place.data / "P1" / f"T1{bad.suffix}").write_bytes(bad.content())
    before = place.sources()
    answer = command(["inspect", str(place.data)])
    named_at_once = bool(bad.says) and not bad.late
    assert answer.code == 0
    assert "Traceback" not in answer.text and "unexpected" not in answer.text
    if bad.says:
        assert bool(re.search(rf"T1{re.escape(bad.suffix)}: .*{bad.says}", answer.text)) == named_at_once
    assert {case.id for case in open_cohort(place.data).cases()} == (OTHERS if named_at_once else CASES)
    assert place.sources() == before


@pytest.mark.parametrize("bad", AT_ONCE, ids=[bad.name for bad in AT_ONCE])
def test_alone_it_is_bad_input(bad: BadImage, tmp_path: Path, command: Command) -> None:
    place = Place(tmp_path)
    (place.data / "P1").mkdir(parents=True)
    (place.data / "P1" / f"T1{bad.suffix}").write_bytes(bad.content())
    answer = command(["inspect", str(place.data)])
    assert answer.code == 2
    assert re.search(rf"Error: .*no usable case; .*T1{re.escape(bad.suffix)}: .*{bad.says}", answer.text)
    assert "Traceback" not in answer.text and len(re.findall("Error: ", answer.text)) == 1
