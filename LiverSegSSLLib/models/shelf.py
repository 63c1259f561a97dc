"""The shelf: the folder of this computer in which pretrained weights stand, checked when they come and when they go."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from LiverSegSSLLib.errors import PlaceError, WeightsError, place_error
from LiverSegSSLLib.events import SILENT, Reporter
from LiverSegSSLLib.models.arrival import checked, recognise
from LiverSegSSLLib.models.catalogue import Weights, find, megabytes, weights_catalogue
from LiverSegSSLLib.models.download import Request, discard, download
from LiverSegSSLLib.models.records import Records, remembered_sha256, sha256_of

ENVIRONMENT = "LIVERSEGSSL_MODELS"
"""Names another folder for the shelf, for example one that a department shares."""

PARTS, STAGING, LOCKS = ".parts", ".staging", ".locks"

State = Literal["absent", "here", "damaged", "unchecked"]


@dataclass(frozen=True)
class Place:
    """One line of :meth:`Shelf.listing`. ``path``: of the file if it is ``here``; ``reason``: why not, in words."""

    weights: Weights
    state: State
    path: Path | None = None
    reason: str = ""


class Shelf:
    """Weights in one folder: ``<name>/<file>`` beside ``<name>/record.json``.

    A file and its record appear together or not at all (a folder is prepared aside and renamed), whenever a process is
    killed. Several processes may fetch at once: one does, the others wait and find it. The folder may be moved or
    copied to another computer. Checksums of files that nobody published one for are kept in ``first-seen.json`` and
    stay when the weights are removed.
    """

    def __init__(self, folder: Path, catalogue: Mapping[str, Weights] | None = None) -> None:
        self.folder = folder
        self.catalogue = weights_catalogue() if catalogue is None else dict(catalogue)
        self._records = Records(folder)

    def find(self, name: str) -> Weights:
        """The catalogue's entry of that name.

        :raises WeightsError: there is none.
        """
        return find(name, self.catalogue)

    def path(self, name: str) -> Path | None:
        """Where the weights are; ``None`` when they are absent or not whole (by size; see :meth:`verify`)."""
        return self._place(self.find(name)).path

    def listing(self) -> list[Place]:
        """The state of every entry of the catalogue."""
        return [self._place(weights) for weights in self.catalogue.values()]

    # --- coming -------------------------------------------------------------------------------------------------

    def fetch(self, name: str, report: Reporter = SILENT) -> Path:
        """Download the weights, unless they are here and whole.

        :raises DownloadError: they cannot be had; what came so far is kept and gone on with.
        :raises WeightsError: what came is not what it should be (nothing is kept), or there is no direct address.
        """
        weights = self.find(name)
        stage = f"fetch {name}"
        if not self.verify(name):  # before the lock: a shelf that others look after may be read-only
            report.info("is here and whole", stage)
            return self._target(weights)
        if weights.source is None:
            raise WeightsError("cannot be downloaded by a program", name, weights.ways())
        with self._alone(name, report, stage):
            if not self.verify(name):
                report.info("was brought by another process", stage)
                return self._target(weights)
            part = self._part(weights)
            self._bring(weights, weights.source, part, report)
            try:
                return self._admit(weights, part, weights.source, report)
            finally:
                discard(part)

    def import_file(self, file: Path, name: str | None = None, report: Reporter = SILENT) -> Weights:
        """Put a file that was carried here on the shelf. The file itself is left as it is.

        :param name: what it is; ``None``: found out from its checksum, else from what it holds.
        :raises WeightsError: it is none of the catalogue, or not what it should be. Nothing is kept.
        """
        if not file.is_file():
            raise WeightsError("is not there, or is not a file", file, "give the downloaded file itself")
        weights = self.find(name) if name is not None else recognise(file, self.catalogue, self._records)
        stage = f"import {weights.name}"
        with self._alone(weights.name, report, stage):
            part = self._part(weights, ".import")
            try:
                _copy(file, part)
                self._admit(weights, part, str(file.name), report)
            finally:
                discard(part)
        return weights

    # --- staying ------------------------------------------------------------------------------------------------

    def verify(self, name: str) -> str:
        """What is wrong with the weights on the shelf, in words; empty: every byte is as it should be."""
        return self._wrong(name, sha256_of)[0]

    def require(self, name: str) -> Path:
        """The path of weights that something needs. Every byte is checked, once in a process while the file stays as it
        is (0.2 s for 156 MB): a run asks for every case.

        :raises WeightsError: they are absent or damaged; says the one command that gets them and what runs without.
        """
        wrong, path = self._wrong(name, remembered_sha256)
        if path is None:
            weights = self.find(name)
            raise WeightsError(wrong, f"{weights.file} ({name})", f"{weights.ways()}. Without it: {weights.without}")
        return path

    def _wrong(self, name: str, sha256: Callable[[Path], str]) -> tuple[str, Path | None]:
        """What is wrong, in words, and no path; or nothing, and the path."""
        weights = self.find(name)
        place = self._place(weights)
        if place.path is None:
            return place.reason, None
        expected = self._records.known_checksum(weights)
        found = sha256(place.path)
        if found != expected:
            return f"is damaged: its SHA-256 is {found[:12]}…, it should be {str(expected)[:12]}…", None
        return "", place.path

    # --- going --------------------------------------------------------------------------------------------------

    def remove(self, name: str, *, forget: bool = False) -> bool:
        """Take the weights away; also what is left of a download.

        :param forget: forget the checksum recorded at the first download too, to trust another file from now on.
        :returns: whether anything was there.
        """
        weights = self.find(name)
        if not self.folder.is_dir():
            return False
        with self._alone(name, SILENT, ""):
            home = self.folder / name
            there = home.exists()
            if there:
                self._set_aside(home)
            discard(self._part(weights))
            if forget:
                self._records.forget(name)
        return there

    # --- inside -------------------------------------------------------------------------------------------------

    def _target(self, weights: Weights) -> Path:
        return self.folder / weights.name / weights.file

    def _part(self, weights: Weights, suffix: str = "") -> Path:
        """Where a file waits until it has been checked."""
        folder = self.folder / PARTS
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{weights.name}{suffix}.part"

    def _bring(self, weights: Weights, source: str, part: Path, report: Reporter) -> None:
        known = self._records.known_checksum(weights)
        stage = f"fetch {weights.name}"
        request = Request(source, weights.size_bytes, known is not None, stage, weights.by_hand)
        went_on = part.exists()
        try:
            download(request, part, report)
            if went_on and known and sha256_of(part) != known:
                report.warn("the part from before does not fit; downloading it whole", stage)
                discard(part)
                download(request, part, report)
        finally:
            if part.exists() and not part.stat().st_size:
                discard(part)

    def _place(self, weights: Weights) -> Place:
        file = self._target(weights)
        record = self._records.of(weights.name)
        if not file.is_file():
            if record is None:
                return Place(weights, "absent", None, "is not on this computer")
            return Place(weights, "damaged", None, "is damaged: the file is gone")
        if record is None:
            hint = f"`liversegssl models import {file}`"
            return Place(weights, "unchecked", None, f"was put there by hand and not checked; {hint}")
        size = file.stat().st_size
        if size != record.size_bytes:
            reason = f"is damaged: it has {size} bytes instead of {record.size_bytes}"
            return Place(weights, "damaged", None, reason)
        return Place(weights, "here", file)

    def _admit(self, weights: Weights, part: Path, source: str, report: Reporter) -> Path:
        """Check a file that has come, and put it and its record on the shelf in one step."""
        record = checked(weights, part, source, self._records)
        staged = self.folder / STAGING / weights.name
        staged.mkdir(parents=True, exist_ok=True)
        part.replace(staged / weights.file)
        self._records.write(staged, record)
        self._records.remember(weights, record)
        home = self.folder / weights.name
        if home.exists():
            self._set_aside(home)
        staged.replace(home)
        report.info(f"{weights.file}, {megabytes(record.size_bytes)}, SHA-256 {record.sha256}", weights.name)
        return home / weights.file

    @contextlib.contextmanager
    def _alone(self, name: str, report: Reporter, stage: str) -> Iterator[None]:
        """One process at a time for one entry; sweeps what a killed one left."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / LOCKS / f"{name}.lock")
        try:
            (self.folder / LOCKS).mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                report.info("another process is at it; waiting", stage)
                lock.acquire()
        except OSError as error:  # filelock's Timeout is one too
            what = f"cannot be written to ({error.strerror or error})"
            raise PlaceError(what, self.folder, f"choose another folder: set {ENVIRONMENT}") from None
        try:
            shutil.rmtree(self.folder / STAGING / name, ignore_errors=True)
            shutil.rmtree(self.folder / STAGING / f"{name}.old", ignore_errors=True)
            yield
        finally:
            lock.release()

    def _set_aside(self, home: Path) -> None:
        """Remove a folder in one step for the others: renamed first, then emptied."""
        old = self.folder / STAGING / f"{home.name}.old"
        old.parent.mkdir(parents=True, exist_ok=True)
        home.replace(old)
        shutil.rmtree(old, ignore_errors=True)


def default_shelf(environment: Mapping[str, str] = os.environ) -> Shelf:
    """The user's own shelf: ``$LIVERSEGSSL_MODELS``, else the data folder that the operating system gives a user."""
    named = environment.get(ENVIRONMENT)
    if named:
        return Shelf(Path(named).expanduser())
    from platformdirs import user_data_path

    return Shelf(user_data_path("liversegssl", appauthor=False) / "models")


def require_weights(name: str, shelf: Shelf | None = None) -> Path:
    """:meth:`Shelf.require` of the user's own shelf, or of another.

    :raises WeightsError: they are absent or damaged; it says the one command that gets them and what runs without.
    """
    return (default_shelf() if shelf is None else shelf).require(name)


def _copy(file: Path, part: Path) -> None:
    try:
        shutil.copyfile(file, part)
    except OSError as error:
        raise place_error(error, file) from None
