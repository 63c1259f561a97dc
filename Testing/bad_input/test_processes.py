"""A handful of the worst, in processes of their own as a user starts them."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.labels.store import LabelStore
from Testing.bad_input.conftest import Answer
from Testing.bad_input.place import CASES, OTHERS, Place
from Testing.bad_input.writers import flipped, metaimage, nifti, packed

Command = Callable[[list[str]], Answer]

REPOSITORY = Path(__file__).resolve().parents[2]
NOBODY = 65534


def liversegssl(*arguments: str | Path) -> Answer:
    """Run the command line in a process."""
    command = [sys.executable, "-m", "LiverSegSSLLib.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, cwd=REPOSITORY, timeout=300)
    text = (done.stdout + done.stderr).decode("utf-8")  # strict: it may be piped on
    assert "Traceback" not in text and "unexpected" not in text, text
    return Answer(done.returncode, text)


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a person whom rights stop, if the tests run as root (in this process: Python itself may be out of reach)."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def place(sound: Place, tmp_path: Path) -> Place:
    place = Place(tmp_path)
    shutil.copytree(sound.data, place.data)
    return place


def opened_to_all(place: Place) -> None:
    for folder in (place.root, *place.root.parents):
        if folder != Path(folder.anchor) and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)


def inspected_by_nobody(place: Place, command: Command) -> Answer:
    command(["inspect", str(place.data)])  # all modules are loaded by now
    shutil.rmtree(place.workspace)
    with as_nobody():
        return command(["inspect", str(place.data)])


def test_a_file_that_would_write_over_memory_does_not_end_the_process(place: Place) -> None:
    place.image.unlink()
    (place.data / "P1" / "T1.mha").write_bytes(metaimage(NDims="99"))
    answer = liversegssl("inspect", place.data)
    assert answer.code == 0 and re.search(r"T1\.mha: .*99 dimensions", answer.text)
    assert {case.id for case in open_cohort(place.data).cases()} == OTHERS


def test_strange_names_go_through_the_whole_way(place: Place, command: Command) -> None:
    """Proposed, listed, accepted: studies that are called like an option, a line break, and bytes that are no text."""
    for old, new in (("P1", "--help"), ("P2", "\udcff\udcfe")):
        (place.data / old).rename(place.data / new)
    place.study("Müller,\nJürgen; rm -rf ~", of="--help")
    before = place.sources()
    answer = command(["propose", str(place.data), "--method", "transfer"])
    assert answer.code == 0, answer.text
    with LabelStore.open(place.workspace) as store:
        proposed = {label.case_id for label in store.labels(source="transfer") if label.volume_ml > 0}
    assert len(proposed) == 3 and {"help__T1", "Muller-Jurgen-rm--rf__T1"} < proposed
    assert command(["review", str(place.data), "accept", *sorted(proposed)]).code == 0
    assert all(path.name.isascii() and " " not in path.name for path in place.workspace.rglob("*"))
    assert place.sources() == before


@pytest.mark.slow
def test_an_image_damaged_inside_fails_alone(place: Place) -> None:
    place.image.write_bytes(flipped(packed(nifti()), [-8]))
    answer = liversegssl("propose", place.data, "--method", "transfer", "--workers", "1")
    assert answer.code == 0 and re.search(r"Warning: .*P1__T1: .*T1\.nii\.gz: cannot be read .CRC", answer.text)
    with LabelStore.open(place.workspace) as store:
        assert {label.case_id for label in store.labels(source="transfer") if label.volume_ml > 0} == {"P2__T1"}


def test_a_folder_that_may_not_be_read_is_named(place: Place, command: Command) -> None:
    place.study("P3").chmod(0)
    opened_to_all(place)
    answer = inspected_by_nobody(place, command)
    (place.data / "P3").chmod(0o755)
    assert answer.code == 0 and re.search(r"P3: cannot be opened .Permission denied.*check the", answer.text)
    assert re.search(r"2 studies of 2 patients, 4 cases", answer.text)


def test_an_image_that_may_not_be_read_is_named(place: Place, command: Command) -> None:
    place.image.chmod(0)
    opened_to_all(place)
    answer = inspected_by_nobody(place, command)
    assert answer.code == 0 and re.search(r"T1\.nii\.gz: cannot be read .*Permission denied", answer.text)


def test_a_workspace_that_may_not_be_written_is_said_before_the_work(place: Place, command: Command) -> None:
    opened_to_all(place)
    with as_nobody():
        answer = command(["propose", str(place.data), "--method", "transfer"])
    assert answer.code == 1
    assert re.search(r"Error: .*data-liversegssl.*cannot be made .Permission denied.*--workspace", answer.text)


@pytest.mark.parametrize("verdict", [["accept", "P2__T1"], ["correct", "P2__T1", "--mask", "MASK"], []])
def test_a_review_of_a_workspace_that_may_not_be_written_is_answered(
    verdict: list[str], proposed: Place, tmp_path: Path, command: Command
) -> None:
    place = Place(tmp_path)
    shutil.copytree(proposed.root, place.root, dirs_exist_ok=True)
    arguments = ["review", str(place.data), *(str(place.mask) if word == "MASK" else word for word in verdict)]
    before = place.labels()
    assert command(["review", str(place.data)]).code == 0  # all modules are loaded by now
    opened_to_all(place)
    with as_nobody():
        answer = command(arguments)
    assert answer.code == 1 and len(re.findall("Error: ", answer.text)) == 1, answer.text
    assert place.labels() == before


def test_a_workspace_that_is_a_file_is_said(place: Place) -> None:
    file = place.file("work", b"not a folder")
    answer = liversegssl("propose", place.data, "--workspace", file)
    assert answer.code == 1 and re.search(r"Error: .*work.*cannot be made", answer.text)


def test_an_executor_that_is_none_is_said(place: Place) -> None:
    answer = liversegssl("propose", place.data, "--method", "transfer", "--executor", "slurm")
    assert answer.code == 2 and re.search(r"Error: slurm: is not an executor.*use local or dask", answer.text)
    assert {case.id for case in open_cohort(place.data).cases()} == CASES
