"""The files of a workspace: written aside, put in place by a rename, never overwritten, found again after a kill."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.atomic import is_abandoned, sync_folder, unfinished, write_json
from LiverSegSSLLib.checksum import sha256_of
from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.labels.sidecar import DECISIONS, LABELS
from LiverSegSSLLib.processes import this_process
from LiverSegSSLLib.volume import Volume, read_volume, write_volume

STAGING = "staging"
LOST = "lost+found"

_OURS = re.compile(r"(.+\.v\d+)(?:(?:\.probability)?\.nii\.gz|(?:\.review-\d+)?\.json)|(\d+)\.json")
"""Names of masks, probability maps and sidecars."""


def owner_of(name: str) -> str | int | None:
    """The id of the label that a file is about, or the number of the first decision; ``None``: it is none of ours."""
    found = _OURS.fullmatch(Path(name).name)
    if found is None:
        return None
    return found[1] or int(found[2])


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
        self._process = this_process()

    def stage(self, mask: Volume, probability: Volume | None) -> Staged:
        """Write a 0/1 mask, and a probability map in [0, 1] as bytes (p · 255), beside the labels."""
        folder = self._staging()
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
        staged.mask.rename(self._free(path))
        if staged.probability is not None and probability_path is not None:
            staged.probability.rename(self._free(probability_path))

    def stage_sidecar(self, content: dict[str, Any]) -> Path:
        """Write a large sidecar aside, before the ledger is taken for it."""
        staged = self._staging() / f"{uuid.uuid4().hex}.json"
        write_json(staged, content)
        return staged

    def publish_sidecar(self, staged: Path, path: str) -> None:
        """Put a staged sidecar in place, and make that last. Call it as the last of the write transaction."""
        target = self._free(path)
        staged.rename(target)
        sync_folder(target.parent)

    def write_sidecar(self, path: str, content: dict[str, Any]) -> None:
        """Write a sidecar, and make it and what was put beside it last. Call it as the last of the same transaction."""
        target = self._free(path)
        write_json(target, content)
        sync_folder(target.parent)

    def says(self, path: str, content: dict[str, Any]) -> bool:
        """Whether a sidecar is there and holds this."""
        try:
            return bool(json.loads((self.workspace / path).read_text(encoding="utf-8")) == content)
        except (OSError, ValueError, RecursionError):
            return False

    def decisions(self) -> dict[int, Any]:
        """What the sidecars of decisions hold, by number."""
        found: dict[int, Any] = {}
        for path in (self.workspace / LABELS / DECISIONS).glob("*.json"):
            try:
                found |= {each["number"]: each for each in json.loads(path.read_text(encoding="utf-8"))["decisions"]}
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue
        return found

    def discard(self, staged: Staged) -> None:
        """Remove staged files that were not put in place."""
        for path in (staged.mask, staged.probability):
            if path is not None:
                path.unlink(missing_ok=True)

    def listing(self) -> set[str]:
        """All files beside labels, relative to the workspace. Nothing is asked about each: shares are slow at that."""
        root = self.workspace / LABELS
        try:
            with os.scandir(root) as entries:
                folders = [entry.name for entry in entries if entry.is_dir()]
            return {f"{LABELS}/{folder}/{name}" for folder in folders for name in _files_in(root / folder)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            what = f"cannot be read ({error.strerror})"
            raise WorkspaceError(what, error.filename or root, "mend the folder's rights, or its connection") from None

    def clear_staging(self, listing: Iterable[str]) -> None:
        """Remove what processes that are gone have left in staging, or half written."""
        staging = self.workspace / STAGING
        for folder in staging.iterdir() if staging.is_dir() else ():
            if is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        for path in unfinished([*self.workspace.glob(".*"), *(self.workspace / name for name in listing)]):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove this process's staging folder, if it is empty."""
        for folder in (self.workspace / STAGING / self._process, self.workspace / STAGING):
            with suppress(OSError):  # not there, or another process stages in it
                folder.rmdir()

    def _staging(self) -> Path:
        folder = self.workspace / STAGING / this_process()  # not self._process: we may have been forked
        for _ in range(100):
            with suppress(FileNotFoundError):  # another process has just removed the empty folder above
                folder.mkdir(parents=True, exist_ok=True)
                break
        return folder

    def _free(self, relative: str) -> Path:
        """Where a new file belongs, with nothing there."""
        target = self.workspace / relative
        # The name may come from a ledger, and a link may stand in its way: others may write to a workspace too.
        if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(self.workspace)):
            remedy = "somebody has changed the ledger or put a link there: restore the workspace from a backup"
            raise WorkspaceError("would be written outside the workspace", target, remedy)
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(target.parent.parent)
        if target.exists():  # left by a process that was killed before its row was committed
            self.set_aside(target)
        return target

    def set_aside(self, path: Path) -> Path:
        """Move a file of the workspace to ``lost+found``; returns where it is now."""
        target = self.workspace / LOST / path.name
        target.parent.mkdir(exist_ok=True)
        count = 1
        while target.exists():
            count += 1
            target = self.workspace / LOST / f"{count}-{path.name}"
        return path.rename(target)


def _files_in(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_file()]


def quantise(probability: np.ndarray) -> np.ndarray:
    """Probabilities in [0, 1] as bytes; half a step is 1/510."""
    return np.rint(probability.astype(np.float32) * 255).astype(np.uint8)


def read_probability(path: Path) -> Volume:
    """A probability map as it is kept (bytes, p · 255) as float32 in [0, 1], in steps of 1/255."""
    volume = read_volume(path)
    return volume.with_array(volume.array.astype(np.float32) / np.float32(255))
