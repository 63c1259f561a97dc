"""What the shelf knows of its files: the record beside each, and the checksums of those first seen here."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from LiverSegSSLLib import checksum
from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.errors import WeightsError
from LiverSegSSLLib.models.catalogue import Weights

RECORD = "record.json"
FIRST_SEEN = "first-seen"
"""Folder of the checksums first seen here: one file an entry, so that two processes never write the same."""

SETTLED_NS = 2_000_000_000
"""A file that changed less than this ago may change again without a new time: clocks of file systems are that coarse
(FAT: two seconds)."""


@dataclass(frozen=True)
class Record:
    """A file on the shelf. ``source``: address, or name of the imported file. ``trust``: whose word the checksum is."""

    sha256: str
    size_bytes: int
    source: str
    trust: str
    came: str = ""


class Records:
    """The records of one shelf's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str) -> Record | None:
        """The record beside a file; ``None`` without one that can be read."""
        row = _read(self._folder / name / RECORD)
        try:
            return Record(**row) if row else None
        except TypeError:
            return None

    def write(self, folder: Path, record: Record) -> None:
        """Put a record into the folder of its file."""
        row = asdict(record) | {"came": datetime.now(UTC).isoformat(timespec="seconds")}
        write_json(folder / RECORD, row)

    def known_checksum(self, weights: Weights) -> str | None:
        """The published checksum, else the one first seen here.

        :raises WeightsError: the note of the one first seen is damaged.
        """
        if weights.sha256:
            return weights.sha256
        seen = self._first_seen(weights.name)
        if seen is not None:
            return seen["sha256"]
        record = self.of(weights.name)
        return record.sha256 if record else None

    def where_from(self, weights: Weights) -> str:
        """Whose word the known checksum is."""
        if weights.sha256:
            return f"as written down by {weights.recorded}"
        seen = self._first_seen(weights.name)
        return f"as first seen here on {seen['on']}" if seen else "as its record says"

    def remember(self, weights: Weights, record: Record) -> None:
        """Trust on first use: keep the checksum of a file that nobody published one for."""
        if weights.sha256 is None and self._first_seen(weights.name) is None:
            today = datetime.now(UTC).date().isoformat()
            write_json(self._note(weights.name), {"sha256": record.sha256, "on": today})

    def forget(self, name: str) -> None:
        """No longer insist on the checksum that was first seen."""
        self._note(name).unlink(missing_ok=True)

    def _note(self, name: str) -> Path:
        return self._folder / FIRST_SEEN / f"{name}.json"

    def _first_seen(self, name: str) -> dict[str, str] | None:
        note = self._note(name)
        if not note.exists():
            return None
        row = _read(note)
        if not {"sha256", "on"} <= row.keys():
            remedy = f"`liversegssl models remove {name} --forget`, then get it again"
            raise WeightsError("is damaged: it held the checksum first seen here", note, remedy)
        return row


def sha256_of(file: Path) -> str:
    """:func:`LiverSegSSLLib.checksum.sha256_of`.

    :raises WeightsError: it cannot be read.
    """
    try:
        return checksum.sha256_of(file)
    except OSError as error:
        raise WeightsError(f"cannot be read ({error.strerror or error})", file, "see to its rights") from None


def remembered_sha256(file: Path) -> str:
    """:func:`sha256_of`, worked out once in a process for as long as the file stays as it is.

    :raises WeightsError: it cannot be read.
    """
    try:
        now = file.stat()
    except OSError:
        return sha256_of(file)
    # The time of the last change of the inode too: a modification time can be set back.
    changed = max(now.st_mtime_ns, now.st_ctime_ns)
    if time.time_ns() - changed < SETTLED_NS:
        return sha256_of(file)
    return _sha256_in_state(file, now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_dev)


@lru_cache(maxsize=64)
def _sha256_in_state(file: Path, *_state: int) -> str:
    return sha256_of(file)


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
