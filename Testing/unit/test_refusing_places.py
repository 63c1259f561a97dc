"""What a disk or share refuses is told as such, in one line, and never taken for a fault of what lies there."""

import errno
import os
from pathlib import Path

import pytest

from LiverSegSSLLib.atomic import LogFile, probe, write_text, writing
from LiverSegSSLLib.errors import ImageError, PlaceError, place_error, require_answering
from LiverSegSSLLib.volume.limits import unreadable

WORDS = {errno.ENOSPC: "make room", errno.EROFS: "may write there", errno.ESTALE: "is there again", errno.EIO: "again"}


def error_of(number: int, name: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize("number", WORDS)
def test_the_line_says_file_reason_and_what_to_do(number: int) -> None:
    said = place_error(error_of(number, "/work/state.json"))
    assert said.exit_code == 1 and WORDS[number] in str(said)
    assert str(said).startswith(f"/work/state.json: {os.strerror(number)} – ") and "\n" not in str(said)
    assert str(place_error(error_of(number), "/work")).startswith("/work: ")


def test_a_file_that_cannot_be_reached_is_not_called_damaged(tmp_path: Path) -> None:
    for number in (errno.EIO, errno.ESTALE, errno.ENOTCONN):
        with pytest.raises(PlaceError):
            unreadable(tmp_path / "a.nii.gz", error_of(number))
        with pytest.raises(PlaceError):
            require_answering(error_of(number), tmp_path)
    for damaged in (error_of(errno.EACCES), EOFError("cut")):
        require_answering(damaged, tmp_path)
        assert isinstance(unreadable(tmp_path / "a.nii.gz", damaged), ImageError)


def test_a_write_that_is_refused_names_the_file_and_leaves_nothing(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "before")
    with pytest.raises(OSError) as refused, writing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise error_of(errno.ENOSPC)  # as from write(2), without a name
    assert refused.value.filename == str(tmp_path / "a.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"] and (tmp_path / "a.txt").read_text() == "before"


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = LogFile(tmp_path / "file" / "log.txt")
    log.write("lost\n")
    log.write("lost too\n")
    log = LogFile(tmp_path / "folder" / "log.txt")
    log.write("kept\n")
    assert (tmp_path / "folder" / "log.txt").read_text() == "kept\n"


def test_a_probe_leaves_nothing(tmp_path: Path) -> None:
    probe(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError):
        probe(tmp_path / "file" if (tmp_path / "file").write_text("") == 0 else tmp_path)
