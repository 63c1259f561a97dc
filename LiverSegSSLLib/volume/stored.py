"""Where the voxels of an image lie in its file; whether they are all there; reading them within bounds."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.volume.limits import unreadable

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Stored:
    """``size`` bytes of voxels in ``file`` from ``offset`` on.

    ``packed``: not at all; ``gzip``: the whole file is packed, and ``offset`` counts unpacked bytes; ``stream``: a
    gzip or zlib stream begins at ``offset``. ``order``: of the bytes of a number, where we read them (not in NIfTI).
    """

    file: Path
    offset: int
    size: int
    packed: Literal["", "gzip", "stream"] = ""
    order: Literal["<", ">"] = "<"


def require_stored(stored: Stored, path: Path, thorough: bool = False) -> None:
    """Raise :class:`ImageError` if a file ends before its last voxel.

    The quick check looks at lengths (a gzip file states its own in the last four bytes); the thorough one unpacks what
    is packed, which also finds damage inside: the checksums of gzip and zlib.

    :param path: the image as the user knows it; its voxels may lie in another file.
    """
    needed = stored.offset + stored.size
    try:
        if not stored.packed:
            found = stored.file.stat().st_size
        elif stored.packed == "stream":
            if not thorough:
                return
            found = stored.offset + sum(len(block) for block in _unpacked(stored))
        else:
            # Several members in one file (bgzip) state the length of the last only: unpack such a file to be sure.
            if not thorough and _stated_length(stored.file) == needed % 2**32:
                return
            found = _gzip_length(stored.file, needed)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from None
    if found < needed:
        raise unreadable(path, f"it ends after {found} of {needed} bytes")


def read_stored(stored: Stored, path: Path) -> bytearray:
    """The voxels of an image that is not packed as a whole; never more than ``stored.size`` bytes.

    :raises ImageError: they are not all there, or damaged.
    """
    try:
        if stored.packed == "stream":
            content = bytearray()
            for block in _unpacked(stored):
                content += block
        else:
            with stored.file.open("rb") as file:
                file.seek(stored.offset)
                content = bytearray(file.read(stored.size))
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from None
    if len(content) < stored.size:
        raise unreadable(path, f"it ends after {len(content)} of {stored.size} bytes of voxels")
    return content


def _unpacked(stored: Stored) -> Iterator[bytes]:
    """The stream's contents, ``stored.size`` bytes at most; its checksum is compared when it ends there."""
    unpack = zlib.decompressobj(47)  # gzip or zlib, whichever it is
    left = stored.size
    with stored.file.open("rb") as file:
        file.seek(stored.offset)
        while not unpack.eof:
            packed = unpack.unconsumed_tail or file.read(_BLOCK)
            if not packed:
                raise EOFError("it ends inside its packed voxels")
            # One byte more than wanted, so that the stream's end is met.
            block = unpack.decompress(packed, min(left + 1, _BLOCK))
            if len(block) > left:
                raise ImageError("holds more voxels than its header says", stored.file, "export the image again")
            left -= len(block)
            yield block


def _gzip_length(path: Path, needed: int) -> int:
    """The unpacked length of a gzip file; of one that is far too long, as much as shows it (a bomb never ends)."""
    found = 0
    with gzip.open(path) as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            found += len(block)
            if found > needed + 8 * _BLOCK:
                raise EOFError("it is far longer than its header says")
    return found


def _stated_length(path: Path) -> int:
    """The length of the contents modulo 2³² that a gzip file states at its end."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4, 0))
        return int.from_bytes(file.read(4), "little")
