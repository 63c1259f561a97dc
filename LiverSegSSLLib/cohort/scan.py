"""One walk over a folder tree: which folders hold images, and what they are called."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from LiverSegSSLLib.cohort.study import Problem
from LiverSegSSLLib.errors import require_answering
from LiverSegSSLLib.volume import is_image_name

DEEPEST = 6
"""Levels below the cohort folder that are looked at."""

WORKSPACE_MARKER = ".liversegssl"
"""A folder with a file of this name is a workspace of ours and never data."""


@dataclass(frozen=True)
class ImageFolder:
    """A folder that directly holds image files. ``files`` are sorted."""

    path: Path
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Scan:
    """What a walk found. ``tables`` are CSV files; ``dicom`` says that something looks like DICOM."""

    root: Path
    folders: tuple[ImageFolder, ...]
    tables: tuple[Path, ...]
    dicom: bool = False
    problems: tuple[Problem, ...] = ()


def scan(root: Path) -> Scan:
    """Walk over ``root``, sorted by name; hidden files and workspaces are passed over.

    A folder that links lead to twice, or in a circle, is looked at once.
    """
    folders: list[ImageFolder] = []
    tables: list[Path] = []
    problems: list[Problem] = []
    dicom = False
    waiting = deque([(root, 0)])  # the shortest way to a folder first
    seen: set[tuple[int, int]] = set()
    while waiting:
        folder, depth = waiting.popleft()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as found:
                entries = sorted((entry for entry in found), key=lambda entry: entry.name)
        except OSError as error:
            require_answering(error, folder)
            problems.append(Problem(str(folder), f"cannot be opened ({error.strerror})", "check the permissions", True))
            continue
        if any(entry.name == WORKSPACE_MARKER for entry in entries):
            continue
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        # A broken link is neither a folder nor a file; by its name it still counts as an image that cannot be read.
        images = tuple(folder / entry.name for entry in visible if is_image_name(entry.name) and not _is_folder(entry))
        if images:
            folders.append(ImageFolder(folder, images))
        tables += [folder / entry.name for entry in visible if entry.name.lower().endswith(".csv")]
        dicom = dicom or any(entry.name.lower().endswith(".dcm") or entry.name == "DICOMDIR" for entry in visible)
        if depth < DEEPEST:
            waiting += [(folder / entry.name, depth + 1) for entry in visible if _is_folder(entry)]
    folders.sort(key=lambda folder: folder.path)
    return Scan(root, tuple(folders), tuple(sorted(tables)), dicom, tuple(problems))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
