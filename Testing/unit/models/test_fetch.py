"""Downloads, against a real server on this computer: whole, cut, wrong, refused, two at once, killed."""

import hashlib
import multiprocessing
import shutil
import socket
import threading
import time
from dataclasses import replace

import pytest

from LiverSegSSLLib.errors import DownloadError, WeightsError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.models import download as download_module
from LiverSegSSLLib.models.shelf import Shelf
from Testing.unit.models.conftest import files_of, sam2_tensors, save, stunet_tensors

WHOLE = ["tiny/record.json", "tiny/tiny.pt"]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """The file of a test is small; it still comes in many pieces."""
    monkeypatch.setattr(download_module, "CHUNK_BYTES", 1024)


def test_a_file_is_fetched_once_and_found_from_then_on(served, tmp_path):
    source, entry = served
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    assert shelf.path("tiny") is None
    path = shelf.fetch("tiny")
    assert path == shelf.path("tiny") and path.read_bytes() == source.content
    assert shelf.verify("tiny") == ""
    shelf.fetch("tiny")
    assert source.asked == [None]
    assert files_of(shelf.folder) == WHOLE


def test_progress_ends_at_the_whole_size(good, served, tmp_path):
    source, entry = served
    source.content = save(good, {"model": sam2_tensors() | {"filling": _noise(3_400_000)}}).read_bytes()
    entry = replace(entry, sha256=hashlib.sha256(source.content).hexdigest(), size_bytes=len(source.content))
    events = []
    Shelf(tmp_path / "shelf", {"tiny": entry}).fetch("tiny", Reporter(events.append))
    steps = [(event.data["done"], event.data["total"]) for event in events if event.kind == "progress"]
    assert steps[0][0] == 0 and steps[-1] == (3, 3) and {total for _, total in steps} == {3}
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_a_redirect_is_followed_also_when_going_on(served, tmp_path):
    source, entry = served
    source.cuts = [5000]
    shelf = Shelf(tmp_path / "shelf", {"tiny": replace(entry, source=source.url.replace("/file", "/moved"))})
    assert shelf.fetch("tiny").read_bytes() == source.content
    assert source.asked[0] is None and source.asked[1].startswith("bytes=")


def test_a_cut_connection_is_gone_on_with_in_the_same_run(served, tmp_path):
    source, entry = served
    source.cuts = [3000, 2000, 1]
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    assert shelf.fetch("tiny").read_bytes() == source.content
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in source.asked[1:]]
    assert len(starts) == 3 and starts == sorted(starts) and starts[0] > 0, "each connection asks for the rest"


def test_a_download_that_was_given_up_is_gone_on_with_by_the_next_command(served, tmp_path):
    source, entry = served
    source.cuts = [4096, 0, 0]
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    with pytest.raises(DownloadError, match="the same command goes on from there"):
        shelf.fetch("tiny")
    assert shelf.path("tiny") is None
    source.asked.clear()
    assert shelf.fetch("tiny").read_bytes() == source.content
    assert source.asked == ["bytes=4096-"]
    assert files_of(shelf.folder) == WHOLE


def test_a_server_that_cannot_go_on_sends_all_again(served, tmp_path):
    source, entry = served
    source.ranges, source.cuts = False, [4096]
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    assert shelf.fetch("tiny").read_bytes() == source.content


def test_without_a_known_checksum_two_versions_of_a_file_are_never_mixed(served, tmp_path):
    source, entry = served
    entry = replace(entry, sha256=None, size_bytes=None)
    source.cuts = [4096, 0, 0]
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    with pytest.raises(DownloadError):
        shelf.fetch("tiny")
    source.content = save(tmp_path / "new.pt", {"model": sam2_tensors() | {"new": _noise(2000)}}).read_bytes()
    assert shelf.fetch("tiny").read_bytes() == source.content


def test_a_part_that_is_whole_already_is_not_asked_for_again(served, tmp_path):
    source, entry = served
    entry = replace(entry, size_bytes=None)
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    part = shelf.folder / ".parts" / "tiny.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(source.content)  # killed between the last byte and the check
    assert shelf.fetch("tiny").read_bytes() == source.content
    assert source.asked == [f"bytes={len(source.content)}-"]


def test_a_part_of_something_else_is_found_out_and_downloaded_whole(served, tmp_path):
    source, entry = served
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    part = shelf.folder / ".parts" / "tiny.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 500)
    assert shelf.fetch("tiny").read_bytes() == source.content
    assert source.asked == ["bytes=500-", None]


@pytest.mark.parametrize("change", ["checksum", "other network", "not weights", "runs code"])
def test_a_wrong_file_is_refused_with_the_reason_and_nothing_is_left(change, good, served, tmp_path):
    source, entry = served
    says = "SHA-256"
    if change == "checksum":
        source.content = source.content[:-1] + bytes([source.content[-1] ^ 1])
    else:
        content, says = {
            "other network": ({"model": sam2_tensors(channels=144, blocks=48)}, "holds sam2.1-large, not sam2.1-tiny"),
            "not weights": ({"epoch": 3}, "neither SAM 2 nor STU-Net"),
            "runs code": ({"model": _Bomb(tmp_path / "exploded")}, "cannot be trusted|can be trusted"),
        }[change]
        source.content = save(good, content).read_bytes()
        entry = replace(entry, sha256=None, size_bytes=None)
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    with pytest.raises(WeightsError, match=says) as caught:
        shelf.fetch("tiny")
    assert source.url in str(caught.value) and "\n" not in str(caught.value)
    assert files_of(shelf.folder) == []
    assert not (tmp_path / "exploded").exists()


def test_an_address_without_a_file_says_how_to_get_it_by_hand(served, tmp_path):
    source, entry = served
    source.status = 404
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    with pytest.raises(DownloadError, match=r"answers 404.*http://example\.org/tiny.*models import FILE"):
        shelf.fetch("tiny")
    assert len(source.asked) == 1, "an answer that says no is not asked again"
    assert files_of(shelf.folder) == []


def test_without_a_network_it_says_so_and_how_to_go_on(entry, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/file"  # bound, not listening: refused
        shelf = Shelf(tmp_path / "shelf", {"tiny": replace(entry, source=address)})
        with pytest.raises(DownloadError, match=r"no network.*models import FILE") as caught:
            shelf.fetch("tiny")
    assert caught.value.exit_code == 1
    assert files_of(shelf.folder) == []


@pytest.mark.parametrize("what", ["log-in page", "other size"])
def test_what_is_not_the_file_does_not_cost_the_part_that_is_there(what, served, tmp_path):
    source, entry = served
    source.cuts = [4096, 0, 0]
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    with pytest.raises(DownloadError):
        shelf.fetch("tiny")
    whole = source.content
    if what == "log-in page":
        source.page = True
        says = "web page"
    else:
        source.ranges, source.content = False, whole + b"more"
        says = "another version"
    with pytest.raises(DownloadError, match=says):
        shelf.fetch("tiny")
    source.page, source.ranges, source.content = False, True, whole
    source.asked.clear()
    shelf.fetch("tiny")
    assert source.asked == ["bytes=4096-"]


def test_a_full_disk_is_said_before_it_is_full(served, tmp_path, monkeypatch):
    _, entry = served
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda _: usage._replace(free=10_000))
    with pytest.raises(DownloadError, match=r"has room for 10\.0 kB.*LIVERSEGSSL_MODELS"):
        Shelf(tmp_path / "shelf", {"tiny": entry}).fetch("tiny")


def test_an_entry_for_the_browser_says_where_and_what_then(entry, tmp_path):
    with pytest.raises(WeightsError, match=r"by hand from http://example\.org/tiny, then `liversegssl models import"):
        Shelf(tmp_path / "shelf", {"tiny": entry}).fetch("tiny")


def test_two_who_fetch_at_once_download_once(served, tmp_path):
    source, entry = served
    source.gate = threading.Event()
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    said, results = [], []
    threads = [
        threading.Thread(target=lambda: results.append(shelf.fetch("tiny", Reporter(said.append)))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while not any("waiting" in event.message for event in said) and time.monotonic() < deadline:
        time.sleep(0.01)
    source.gate.set()
    for thread in threads:
        thread.join(20)
    assert results == [shelf.path("tiny")] * 2
    assert source.asked == [None]
    assert any("brought by another" in event.message for event in said)


def test_a_process_killed_in_the_middle_leaves_nothing_that_looks_whole(served, tmp_path):
    source, entry = served
    source.cuts = [6000, None]
    source.gate = threading.Event()
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    child = multiprocessing.get_context("spawn").Process(target=_fetch, args=(shelf.folder, entry))
    child.start()
    _until(lambda: len(source.asked) == 1)
    source.gate.set()
    source.gate = threading.Event()  # holds the second connection, with part of the file here
    _until(lambda: len(source.asked) == 2)
    child.kill()
    child.join()
    assert shelf.path("tiny") is None
    have = (shelf.folder / ".parts" / "tiny.part").stat().st_size
    assert have > 0
    source.gate.set()
    source.gate = None
    assert shelf.fetch("tiny").read_bytes() == source.content
    assert source.asked[2] == f"bytes={have}-"
    assert files_of(shelf.folder) == WHOLE


def test_the_checksum_first_seen_holds_also_after_a_removal(good, served, tmp_path):
    source, entry = served
    entry = replace(entry, sha256=None, size_bytes=None)
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    shelf.fetch("tiny")
    assert shelf.remove("tiny")
    first = source.content
    source.content = save(good, {"model": sam2_tensors() | {"more": _noise(2000)}}).read_bytes()
    with pytest.raises(WeightsError, match=r"first seen here on 20.*remove tiny --forget"):
        shelf.fetch("tiny")
    shelf.remove("tiny", forget=True)
    assert shelf.fetch("tiny").read_bytes() == source.content != first


def test_a_damaged_file_is_fetched_anew(served, tmp_path):
    source, entry = served
    shelf = Shelf(tmp_path / "shelf", {"tiny": entry})
    path = shelf.fetch("tiny")
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    assert "is damaged" in shelf.verify("tiny")
    assert shelf.fetch("tiny").read_bytes() == source.content
    assert shelf.verify("tiny") == ""


def test_another_network_of_the_same_family_is_named(good, served, tmp_path):
    source, entry = served
    source.content = save(good, {"state_dict": stunet_tensors()}).read_bytes()
    entry = replace(entry, sha256=None, size_bytes=None)
    with pytest.raises(WeightsError, match=r"holds stunet-small, not sam2\.1-tiny"):
        Shelf(tmp_path / "shelf", {"tiny": entry}).fetch("tiny")


class _Bomb:
    """Pickles into a command that leaves a trace where it runs."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        import pathlib

        return pathlib.Path.touch, (self.trace,)


def _noise(count):
    import torch

    return torch.randint(0, 256, (count,), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _fetch(folder, entry):
    download_module.CHUNK_BYTES = 1024
    Shelf(folder, {"tiny": entry}).fetch("tiny")


def _until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
