"""Workspaces that are damaged, of another version, or something else."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable

from Testing.bad_input.entry import Entry, after
from Testing.bad_input.place import Place

RESTORE = ".*restore it from a backup"


def _bad(name: str, change: Callable[[Place], object], says: str, verb: str = "review", code: int = 1) -> Entry:
    more = ["--method", "transfer"] if verb == "propose" else []
    return Entry(name, after(change, lambda place: [verb, str(place.data), *more]), says, code, proposed=True)


def _version(number: int) -> Callable[[Place], object]:
    def change(place: Place) -> None:
        with sqlite3.connect(place.ledger) as ledger:
            ledger.execute("UPDATE workspace SET schema_version = ?", (number,))
        ledger.close()

    return change


def _ledger(content: bytes) -> Callable[[Place], object]:
    return lambda place: place.ledger.write_bytes(content)


def _cut(place: Place) -> None:
    place.ledger.write_bytes(place.ledger.read_bytes()[:6000])


def _marker(text: str) -> Callable[[Place], object]:
    return lambda place: (place.workspace / ".liversegssl").write_text(text)


def _more(place: Place) -> None:
    """A marker that says more than we know."""
    path = place.workspace / ".liversegssl"
    path.write_text(json.dumps({**json.loads(path.read_text()), "more": 1}))


def _state(text: str) -> Callable[[Place], object]:
    return lambda place: (place.workspace / "runs" / "default" / "state.json").write_text(text)


def _label(change: Callable[[bytes], bytes]) -> Callable[[Place], object]:
    def apply(place: Place) -> None:
        (path,) = place.workspace.glob("labels/P1__T1/*.v1.nii.gz")
        path.write_bytes(change(path.read_bytes()))

    return apply


def _folder(place: Place) -> None:
    place.ledger.unlink()
    place.ledger.mkdir()


def _instead_of_a_folder(place: Place) -> None:
    shutil.rmtree(place.workspace)
    place.workspace.write_text("not a folder")


def _moved_grid(place: Place) -> None:
    """The image and its mask come again, on another grid, after labels were made."""
    from Testing.bad_input.writers import body_and_liver, nifti, packed

    image, liver = body_and_liver()
    fields = {"srow_x": [-6, 0, 0, 200], "qoffset_x": 200}
    (place.data / "P1" / "GED4.nii.gz").write_bytes(packed(nifti(image, **fields)))
    place.mask.write_bytes(packed(nifti(liver, **fields)))


ENTRIES = (
    _bad("ledger-newer", _version(99), r"written by a newer LiverSegSSL \(ledger 99, this knows \d+\).*update"),
    _bad("ledger-older", _version(0), r"written by an older LiverSegSSL \(ledger 0, this knows \d+\)"),
    _bad("ledger-not-sqlite", _ledger(b"labels, labels, labels\n" * 900), "the ledger is damaged"),
    _bad("ledger-empty", _ledger(b""), "the ledger is empty, though labels were written before"),
    _bad("ledger-truncated", _cut, "the ledger is damaged"),
    _bad("ledger-gone", lambda place: place.ledger.unlink(), "the ledger is missing"),
    _bad("ledger-is-a-folder", _folder, "the ledger (is missing|cannot be used)"),
    _bad("marker-is-text", _marker("hello"), "marker is damaged.*delete this one file"),
    _bad("marker-newer", _more, "Review first", code=0),
    _bad("marker-of-another", _marker('{"workspace": "x", "ledger": "sqlite"}'), "belongs to another workspace"),
    _bad("marker-nested", _marker("[" * 100_000), "marker is damaged"),
    _bad(
        "state-newer", _state(json.dumps({"schema": 99, "stages": {}})), "written by a newer version.*update", "propose"
    ),
    _bad("state-is-text", _state("hello"), "state.json: is damaged.*delete it", "propose"),
    _bad("state-is-a-list", _state("[]"), "state.json: is damaged.*delete it", "propose"),
    _bad("label-changed", _label(lambda old: old[:-1] + b"x"), "P1__T1.v1 .*missing or changed", "doctor"),
    _bad("label-empty", _label(lambda old: b""), "P1__T1.v1 .*missing or changed", "doctor"),
    _bad("workspace-is-a-file", _instead_of_a_folder, "cannot be made|is no folder", "propose"),
    _bad("workspace-not-there", lambda place: shutil.rmtree(place.workspace), "is not there", "doctor", 2),
    _bad(
        "grid-changed-since",
        _moved_grid,
        r"Warning: .*P1__GED4: its labels lie on another grid than its image, which is left out.*put the old",
        "propose",
        0,
    ),
)
