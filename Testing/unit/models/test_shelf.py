"""Files carried in by hand, checked, moved, damaged and removed."""

import hashlib
import os
import shutil
import time
from dataclasses import replace

import pytest

from LiverSegSSLLib import checksum
from LiverSegSSLLib.errors import BadInputError, PlaceError, WeightsError
from LiverSegSSLLib.models import records
from LiverSegSSLLib.models.shelf import Shelf, default_shelf, require_weights
from Testing.unit.models.conftest import files_of, sam2_tensors, save, stunet_tensors


@pytest.fixture
def shelf(entry, tmp_path):
    other = replace(entry, name="net", file="net.model", loader="stunet", variant="stunet-small", sha256=None)
    return Shelf(tmp_path / "shelf", {"tiny": entry, "net": replace(other, size_bytes=None)})


def test_a_file_is_recognised_by_its_checksum_and_copied(good, shelf):
    good = good.rename(good.with_name("whatever.bin"))
    assert shelf.import_file(good).name == "tiny"
    assert shelf.path("tiny").read_bytes() == good.read_bytes()
    assert shelf.path("tiny").name == "tiny.pt" and shelf.verify("tiny") == ""
    assert files_of(shelf.folder) == ["tiny/record.json", "tiny/tiny.pt"]


def test_a_file_without_a_published_checksum_is_recognised_by_what_it_holds(shelf, tmp_path):
    file = save(tmp_path / "download (1).model", {"state_dict": stunet_tensors(), "epoch": 4000})
    assert shelf.import_file(file).name == "net"
    assert shelf.verify("net") == ""
    again = save(tmp_path / "other.model", {"state_dict": stunet_tensors(), "epoch": 10})
    with pytest.raises(WeightsError, match="--forget"):
        shelf.import_file(again)
    assert shelf.path("net").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", None, "can be trusted"),
        (b"not a checkpoint", None, "can be trusted"),
        (b"not a checkpoint", "tiny", r"has 16 bytes, tiny\.pt has \d+: it was cut"),
        (lambda: {"model": sam2_tensors(generation=0)}, None, r"holds sam2\.0-tiny, which the catalogue does not have"),
        (lambda: {"model": sam2_tensors(100, 3)}, None, r"holds sam2\.1-100x3"),
        (lambda: {"model": sam2_tensors(), "x": 1}, None, "looks like tiny, but its SHA-256"),
        (lambda: {"state_dict": stunet_tensors(32)}, "net", "holds stunet-base, not stunet-small"),
        (lambda: {"model": sam2_tensors()}, "net", r"holds sam2\.1-tiny, not stunet-small"),
        (lambda: {"state_dict": {}}, None, "neither SAM 2 nor STU-Net"),
        (lambda: {}, None, "holds nothing"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason_and_nothing_is_left(content, name, says, shelf, tmp_path):
    file = tmp_path / "wrong.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        save(file, content())
    before = file.read_bytes()
    with pytest.raises(WeightsError, match=says) as caught:
        shelf.import_file(file, name)
    assert "wrong.pt" in str(caught.value) and ".part" not in str(caught.value)
    assert files_of(shelf.folder) == [] and file.read_bytes() == before


def test_a_file_that_would_run_something_is_refused_and_does_not_run(shelf, tmp_path):
    trace = tmp_path / "ran"
    file = save(tmp_path / "bomb.pt", {"model": sam2_tensors(), "then": _Bomb(trace)})
    for name in (None, "net"):
        with pytest.raises(WeightsError, match="can be trusted"):
            shelf.import_file(file, name)
    assert not trace.exists() and files_of(shelf.folder) == []


def test_a_missing_file_and_a_folder_are_refused(shelf, tmp_path):
    for path in (tmp_path / "nowhere.pt", tmp_path):
        with pytest.raises(WeightsError, match="is not there, or is not a file"):
            shelf.import_file(path)


def test_one_flipped_bit_is_found(good, shelf):
    shelf.import_file(good)
    path = shelf.path("tiny")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert shelf.path("tiny") == path, "the size is right, so a glance does not show it"
    assert "is damaged: its SHA-256 is" in shelf.verify("tiny")
    with pytest.raises(WeightsError, match="is damaged"):
        require_weights("tiny", shelf)


def test_a_cut_or_lost_file_is_not_offered(good, shelf):
    shelf.import_file(good)
    path = shelf.path("tiny")
    os.truncate(path, 100)
    assert shelf.path("tiny") is None and "has 100 bytes" in shelf.verify("tiny")
    path.unlink()
    assert shelf.path("tiny") is None and "the file is gone" in shelf.verify("tiny")
    assert shelf.import_file(good).name == "tiny"
    assert shelf.verify("tiny") == ""


def test_the_folder_may_be_moved(good, shelf, tmp_path):
    shelf.import_file(good)
    shelf.import_file(save(tmp_path / "n.model", {"state_dict": stunet_tensors()}))
    moved = Shelf(shelf.folder.rename(tmp_path / "elsewhere"), shelf.catalogue)
    assert [place.state for place in moved.listing()] == ["here", "here"]
    assert moved.verify("tiny") == moved.verify("net") == ""
    only_one = Shelf(tmp_path / "copy", shelf.catalogue)
    shutil.copytree(moved.folder / "net", only_one.folder / "net")  # without the note of what was first seen
    assert only_one.verify("net") == ""


def test_a_file_put_there_by_hand_counts_only_after_its_check(good, shelf):
    home = shelf.folder / "tiny"
    home.mkdir(parents=True)
    file = shutil.copy(good, home / "tiny.pt")
    assert shelf.path("tiny") is None
    assert "not checked; `liversegssl models import" in shelf.verify("tiny")
    shelf.import_file(file)
    assert shelf.verify("tiny") == ""


def test_removing_takes_the_file_and_what_is_left_of_a_download(good, shelf):
    assert not shelf.remove("tiny")
    shelf.import_file(good)
    part = shelf.folder / ".parts" / "tiny.part"
    part.write_bytes(b"some")
    assert shelf.remove("tiny")
    assert files_of(shelf.folder) == [] and shelf.path("tiny") is None


def test_what_a_killed_process_left_is_swept(good, shelf):
    staged = shelf.folder / ".staging" / "tiny"
    staged.mkdir(parents=True)
    (staged / "tiny.pt").write_bytes(b"half")
    shelf.import_file(good)
    assert files_of(shelf.folder) == ["tiny/record.json", "tiny/tiny.pt"]


def test_a_damaged_note_of_the_first_checksum_is_not_passed_over(shelf, tmp_path):
    shelf.import_file(save(tmp_path / "n.model", {"state_dict": stunet_tensors()}))
    (shelf.folder / "first-seen" / "net.json").write_text("{")
    with pytest.raises(WeightsError, match="remove net --forget"):
        shelf.verify("net")


def test_what_needs_weights_says_the_one_command_and_what_runs_without(shelf):
    with pytest.raises(BadInputError) as caught:
        require_weights("tiny", Shelf(shelf.folder, {"tiny": replace(shelf.find("tiny"), source="http://x.org/t")}))
    says = str(caught.value)
    assert "`liversegssl models fetch tiny`" in says and "models import FILE" in says
    assert "Without it: everything else" in says and "\n" not in says
    assert not shelf.folder.exists(), "asking makes nothing"


@pytest.fixture
def hashed(monkeypatch):
    """Files whose bytes are read for a checksum, one entry each time."""
    files, work = [], checksum.sha256_of

    def read(path):
        files.append(path)
        return work(path)

    monkeypatch.setattr(checksum, "sha256_of", read)
    return files


def test_weights_that_stay_as_they_are_are_read_once_in_a_process(good, shelf, hashed, monkeypatch):
    shelf.import_file(good)
    monkeypatch.setattr(records, "SETTLED_NS", 0)
    hashed.clear()
    path = require_weights("tiny", shelf)
    assert [require_weights("tiny", shelf) for _ in range(3)] == [path] * 3 and hashed == [path]
    assert require_weights("tiny", Shelf(shelf.folder, shelf.catalogue)) == path and hashed == [path]
    assert shelf.verify("tiny") == "" and hashed == [path] * 2, "who asks for a check gets one"


def test_a_file_that_has_just_changed_is_read_every_time(good, shelf, hashed):
    shelf.import_file(good)
    hashed.clear()
    assert require_weights("tiny", shelf) == require_weights("tiny", shelf) and len(hashed) == 2


@pytest.mark.parametrize("how", ["in place", "replaced", "in place, time set back"])
def test_weights_that_change_after_their_check_are_refused(good, shelf, how, monkeypatch):
    shelf.import_file(good)
    monkeypatch.setattr(records, "SETTLED_NS", 0)
    path = require_weights("tiny", shelf)
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    if how == "replaced":
        path.unlink()
    time.sleep(0.02)  # a tick of the file system's clock
    path.write_bytes(content)
    if "set back" in how:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(WeightsError, match="is damaged"):
        require_weights("tiny", shelf)


def test_a_name_that_is_not_there_gets_the_nearest(shelf):
    for ask in (shelf.path, shelf.fetch, shelf.verify, shelf.require, shelf.remove):
        with pytest.raises(WeightsError, match="did you mean tiny"):
            ask("tinny")


def test_a_shelf_that_cannot_be_made_says_so(entry, good, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PlaceError, match=r"cannot be written to.*LIVERSEGSSL_MODELS"):
        Shelf(tmp_path / "file" / "shelf", {"tiny": entry}).import_file(good)


def test_the_default_shelf_is_where_the_user_says(tmp_path, monkeypatch):
    assert default_shelf({"LIVERSEGSSL_MODELS": str(tmp_path)}).folder == tmp_path
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_shelf({}).folder.name == "models"


def test_checksums_are_those_of_the_standard_library(good, shelf):
    shelf.import_file(good)
    assert f'"{hashlib.sha256(good.read_bytes()).hexdigest()}"' in (shelf.folder / "tiny" / "record.json").read_text()


class _Bomb:
    """Pickles into a command that leaves a trace where it runs."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        import pathlib

        return pathlib.Path.touch, (self.trace,)
