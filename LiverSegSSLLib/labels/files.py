"""The files of a workspace: written aside, put in place by a rename, never overwritten, found again after a kill."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from LiverSegSSLLib.checksum import sha256_of
from LiverSegSSLLib.volume import Volume, read_volume, write_volume

LABELS = "labels"
STAGING = "staging"
LOST = "lost+found"

_OURS = re.compile(r".+\.v\d+(\.probability)?\.nii\.gz")
_FOREIGN_STAGING_SECONDS = 7 * 24 * 3600.0
"""Staging files of a process on another machine, which cannot be asked, are given up after this time."""

_CLOCK_SECONDS = 60.0
"""The start of a process is reckoned from the clock, which may have been set since."""


@dataclass(frozen=True)
class Staged:
    """Files that are written and synced, but not in place."""

    mask: Path
    probability: Path | None
    sha256: str


class LabelFiles:
    """The label files under one workspace folder."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._process = _process_name(os.getpid())

    def stage(self, mask: Volume, probability: Volume | None) -> Staged:
        """Write a 0/1 mask, and a probability map in [0, 1] as bytes (p · 255), beside the labels."""
        folder = self.workspace / STAGING / _process_name(os.getpid())  # not self._process: we may have been forked
        token = uuid.uuid4().hex
        mask_path = folder / f"{token}.nii.gz"
        write_volume(mask, mask_path, np.uint8)
        probability_path = None
        if probability is not None:
            probability_path = folder / f"{token}.probability.nii.gz"
            write_volume(probability.with_array(quantise(probability.array)), probability_path)
        return Staged(mask_path, probability_path, sha256_of(mask_path))

    def publish(self, staged: Staged, path: str, probability_path: str | None) -> None:
        """Put staged files in place. Call it inside the write transaction that makes their row."""
        self._put(staged.mask, path)
        if staged.probability is not None and probability_path is not None:
            self._put(staged.probability, probability_path)
        _sync_folder((self.workspace / path).parent)

    def discard(self, staged: Staged) -> None:
        """Remove staged files that were not put in place."""
        for path in (staged.mask, staged.probability):
            if path is not None:
                path.unlink(missing_ok=True)

    def recover(self, known: Iterable[str]) -> tuple[list[Path], list[str]]:
        """Move label files without a row to ``lost+found``; call it while no other process writes.

        :param known: the paths that the ledger knows.
        :returns: the files in their new place, and the known paths that have no file.
        """
        rows = set(known)
        root = self.workspace / LABELS
        there = {path.relative_to(self.workspace).as_posix(): path for path in root.glob("*/*") if path.is_file()}
        lost = [path for name, path in there.items() if name not in rows and _OURS.fullmatch(path.name)]
        return [self._set_aside(path) for path in sorted(lost)], sorted(rows - there.keys())

    def clear_staging(self) -> None:
        """Remove what processes that are gone have left in staging."""
        staging = self.workspace / STAGING
        for folder in staging.iterdir() if staging.is_dir() else ():
            if _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove this process's staging folder, if it is empty."""
        for folder in (self.workspace / STAGING / self._process, self.workspace / STAGING):
            with suppress(OSError):  # not there, or another process stages in it
                folder.rmdir()

    def _put(self, staged: Path, relative: str) -> None:
        target = self.workspace / relative
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync_folder(target.parent.parent)
        if target.exists():  # left by a process that was killed before its row was committed
            self._set_aside(target)
        staged.rename(target)

    def _set_aside(self, path: Path) -> Path:
        target = self.workspace / LOST / path.name
        target.parent.mkdir(exist_ok=True)
        count = 1
        while target.exists():
            count += 1
            target = self.workspace / LOST / f"{count}-{path.name}"
        return path.rename(target)


def quantise(probability: np.ndarray) -> np.ndarray:
    """Probabilities in [0, 1] as bytes; half a step is 1/510."""
    return np.rint(probability.astype(np.float32) * 255).astype(np.uint8)


def read_probability(path: Path) -> Volume:
    """A probability map as it is kept (bytes, p · 255) as float32 in [0, 1], in steps of 1/255."""
    volume = read_volume(path)
    return volume.with_array(volume.array.astype(np.float32) / np.float32(255))


@cache
def _process_name(pid: int) -> str:
    """The name of this process. Its id alone is used again after a while; with its start it names one for good."""
    return f"{socket.gethostname()}~{pid}~{int(_started(pid))}"


def _started(pid: int) -> float:
    import psutil

    return float(psutil.Process(pid).create_time())


def _is_abandoned(folder: Path) -> bool:
    import psutil

    host, pid, start = (*folder.name.split("~"), "", "")[:3]
    if not (pid.isdigit() and start.isdigit()):
        return False
    if host != socket.gethostname():
        return time.time() - folder.stat().st_mtime > _FOREIGN_STAGING_SECONDS
    try:
        return abs(_started(int(pid)) - int(start)) > _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return True


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut. Windows cannot open folders, and needs it not."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
