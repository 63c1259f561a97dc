"""Files that appear whole or not at all: a kill at any moment leaves the old file or the new one."""

from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from LiverSegSSLLib.processes import has_ended, this_process

UNFINISHED = ".writing~"
"""Begins the name of a file that is being written; the name of the process that writes it follows."""

FOREIGN_SECONDS = 7 * 24 * 3600.0
"""What a process on another computer, which cannot be asked, has not touched for this time is given up."""


@contextmanager
def writing(path: Path, suffix: str = "") -> Iterator[Path]:
    """A file to write in place of ``path``: it takes that name at the end of the block, or is removed by an exception.

    Missing folders are made. What a killed process leaves is found by :func:`unfinished`.

    :param suffix: end of the file's name meanwhile, for writers that choose the format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Same folder, so the rename stays on one file system.
    temporary = path.parent / f"{UNFINISHED}{this_process()}~{uuid.uuid4().hex[:12]}{suffix}"
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # colleagues open a workspace too
        temporary.replace(path)
    except OSError as error:  # not all of them say where
        if error.filename in (None, str(temporary)) and error.errno is not None:
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with suppress(OSError):  # the place that has just refused
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes; missing folders are made."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write text in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, data: Any) -> None:
    """Write JSON, indented, keys sorted."""
    write_text(path, json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def copy_file(source: Path, path: Path) -> None:
    """Copy a file's content."""
    with writing(path) as temporary:
        shutil.copyfile(source, temporary)


class LogFile:
    """Lines at the end of a file. One that cannot be written loses them and stops nothing: who reads a pipe into it
    must go on reading, or the process at its other end stands still."""

    def __init__(self, path: Path) -> None:
        self._path: Path | None = path

    def write(self, line: str) -> None:
        """Add a line, which ends in a line break."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError:
            self._path = None


def probe(folder: Path) -> None:
    """Write a file and remove it.

    :raises OSError: the folder cannot be written in, or its disk has less than 1 MiB left.
    """
    with writing(folder / "probe") as temporary:
        temporary.write_bytes(bytes(1 << 20))
    (folder / "probe").unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut. Windows cannot open folders, and needs it not."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unfinished(paths: Iterable[Path]) -> list[Path]:
    """Those that a process began to write which is gone."""
    return [path for path in paths if path.name.startswith(UNFINISHED) and is_abandoned(path)]


def is_abandoned(path: Path) -> bool:
    """Whether the process whose name is part of the path's is gone, or on another computer and silent for a week."""
    ended = has_ended(path.name.removeprefix(UNFINISHED))
    if ended is not None:
        return ended
    try:
        return "~" in path.name and time.time() - path.stat().st_mtime > FOREIGN_SECONDS
    except FileNotFoundError:  # its process has just finished it
        return False
