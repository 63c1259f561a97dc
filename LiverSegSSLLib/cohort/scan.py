"""One walk over a folder tree: which folders hold images, and what they are called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from LiverSegSSLLib.cohort.study import Problem
from LiverSegSSLLib.volume import is_image_name

DEEPEST = 6
"""Levels below the cohort folder that are looked at; also ends loops of links."""

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
    """Walk over ``root``, sorted by name; hidden files and workspaces are passed over."""
    folders: list[ImageFolder] = []
    tables: list[Path] = []
    problems: list[Problem] = []
    dicom = False
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted((entry for entry in found), key=lambda entry: entry.name)
        except OSError as error:
            problems.append(Problem(str(folder), f"cannot be opened ({error.strerror})", "check the permissions", True))
            continue
        if any(entry.name == WORKSPACE_MARKER for entry in entries):
            continue
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        # A broken link is neither a folder nor a file; by its name it still counts as an image that cannot be read.
        images = tuple(folder / entry.name for entry in visible if is_image_name(entry.name) and not entry.is_dir())
        if images:
            folders.append(ImageFolder(folder, images))
        tables += [folder / entry.name for entry in visible if entry.name.lower().endswith(".csv")]
        dicom = dicom or any(entry.name.lower().endswith(".dcm") or entry.name == "DICOMDIR" for entry in visible)
        if depth < DEEPEST:
            waiting += [(folder / entry.name, depth + 1) for entry in visible if entry.is_dir()]
    folders.sort(key=lambda folder: folder.path)
    return Scan(root, tuple(folders), tuple(sorted(tables)), dicom, tuple(problems))
