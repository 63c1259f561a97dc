"""The headers of NRRD and MetaImage files, which are text.

They are read here and not by ITK: a MetaImage header with too many dimensions writes over its memory (ITK 5.4), and a
damaged packed one is taken for whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.volume.grid import Geometry
from LiverSegSSLLib.volume.limits import AGAIN, SEVERAL_VALUES, checked_geometry, unreadable
from LiverSegSSLLib.volume.stored import Stored

_LONGEST = 1 << 20
"""Bytes of a header."""

_MOST_DIMENSIONS = 16

_NRRD_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_META_TYPES = {
    "i1": ("MET_CHAR",),
    "u1": ("MET_UCHAR",),
    "i2": ("MET_SHORT",),
    "u2": ("MET_USHORT",),
    "i4": ("MET_INT", "MET_LONG"),
    "u4": ("MET_UINT", "MET_ULONG"),
    "i8": ("MET_LONG_LONG",),
    "u8": ("MET_ULONG_LONG",),
    "f4": ("MET_FLOAT",),
    "f8": ("MET_DOUBLE",),
}
_TO_LPS = {"right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1), "left-anterior-superior": (1, -1, 1)}
_TO_LPS["las"] = _TO_LPS["left-anterior-superior"]
_DOMAINS = ("domain", "space", "time", "???", "none")


@dataclass(frozen=True)
class TextHeader:
    """What such a header says. ``dtype`` is of this computer's byte order."""

    geometry: Geometry
    trailing_singleton: bool
    dtype: np.dtype[Any]
    stored: Stored


def read_text_header(path: Path) -> TextHeader:
    """The header of a ``.nrrd``, ``.mha`` or ``.mhd`` file.

    :raises ImageError: it is none, says something impossible, or is of a kind that is not read here.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_LONGEST)
    except OSError as error:
        raise unreadable(path, error) from None
    try:
        return _nrrd(path, head) if path.suffix.lower() == ".nrrd" else _metaimage(path, head)
    except KeyError as error:
        raise unreadable(path, f"its header lacks {error}") from None
    except (ValueError, OverflowError, OSError) as error:
        raise unreadable(path, error) from None


# --- MetaImage --------------------------------------------------------------------------------------------------


def _metaimage(path: Path, head: bytes) -> TextHeader:
    lines = re.match(rb"(?:[ \t]*\w+[ \t]*=[^\n]*\n)*?[ \t]*ElementDataFile[ \t]*=[ \t]*([^\r\n]+)\r?\n?", head)
    if lines is None:
        raise ValueError("it is empty" if not head else "it is not MetaImage")
    pairs = (line.partition("=") for line in lines[0].decode("latin-1").splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    dimensions = _dimensions(fields["NDims"])
    size = _numbers(fields["DimSize"], dimensions, int)
    if int(fields.get("ElementNumberOfChannels", 1)) != 1:
        raise ImageError(SEVERAL_VALUES, path, "give a grey-scale image")
    if fields.get("BinaryData", "True").lower() != "true":
        raise ValueError("its voxels are written as text")
    dtype = _dtype(fields["ElementType"], _META_TYPES)
    spacing = _numbers(fields.get("ElementSpacing") or fields["ElementSize"], dimensions, float)
    origin = _numbers(_first(fields, "Offset", "Position", "Origin") or "0 " * dimensions, dimensions, float)
    matrix = _first(fields, "TransformMatrix", "Rotation", "Orientation")
    count = dimensions * dimensions
    rows = np.reshape(_numbers(matrix, count, float), (dimensions,) * 2) if matrix else np.eye(dimensions)
    geometry, four_axes = checked_geometry(size, spacing, origin, rows.T, path)
    swapped = (_first(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB") or "False").lower() == "true"
    bytes_ = math.prod(geometry.size) * dtype.itemsize
    packed = fields.get("CompressedData", "False").lower() == "true"
    data, skip = fields["ElementDataFile"], int(fields.get("HeaderSize", 0))
    file, begin = (path, lines.end()) if data == "LOCAL" else (_beside(path, data), 0)
    stored = _place(file, begin + skip if skip >= 0 else -1, bytes_, packed, swapped)
    return TextHeader(geometry, four_axes, dtype, stored)


def _first(fields: Mapping[str, str], *names: str) -> str | None:
    return next((fields[name] for name in names if name in fields), None)


# --- NRRD -------------------------------------------------------------------------------------------------------


def _nrrd(path: Path, head: bytes) -> TextHeader:
    if not head.startswith(b"NRRD000"):
        raise ValueError("it is empty" if not head else "it is not NRRD")
    end = re.search(rb"\r?\n\r?\n", head)
    lines = (head[: end.start()] if end else head).decode("latin-1").splitlines()[1:]
    pairs = (line.partition(":") for line in lines if not line.startswith("#") and ":=" not in line)
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    dimensions = _dimensions(fields["dimension"])
    sizes = _numbers(fields["sizes"], dimensions, int)
    spatial = _spatial(fields, dimensions)
    if math.prod(sizes[axis] for axis in range(dimensions) if axis not in spatial) != 1:
        raise ImageError(SEVERAL_VALUES, path, "give a grey-scale image")
    size = [sizes[axis] for axis in spatial]
    spacing, direction = _nrrd_axes(fields, spatial, path)
    origin = _vector(fields.get("space origin") or f"({','.join('0' * len(direction))})")
    flips = np.ones(len(direction))
    flips[:3] = _TO_LPS.get(fields.get("space", "").lower().removesuffix("-time"), (1, 1, 1))[: len(flips)]
    if len(origin) != len(flips):
        raise ValueError("its origin has another number of dimensions")
    geometry, four_axes = checked_geometry(size, spacing, list(flips * origin), flips[:, None] * direction, path)
    dtype = _dtype(fields["type"].lower(), _NRRD_TYPES)
    swapped = fields.get("endian", "little").lower() == "big"
    encoding = fields["encoding"].lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise ImageError(f"is packed as {encoding!r}, which is not read here", path, "save it as raw or gzip")
    skip = int(fields.get("byte skip") or fields.get("byteskip") or 0)
    if int(fields.get("line skip") or fields.get("lineskip") or 0) or (skip and encoding != "raw"):
        raise ValueError("its voxels begin at a place that is not supported")
    data = fields.get("data file") or fields.get("datafile")
    if data is None and end is None:
        raise ValueError("it ends inside its header")
    file, begin = (path, end.end() if end else 0) if data is None else (_beside(path, data), 0)
    bytes_ = math.prod(geometry.size) * dtype.itemsize
    stored = _place(file, begin + skip if skip >= 0 else -1, bytes_, encoding != "raw", swapped)
    return TextHeader(geometry, four_axes, dtype, stored)


def _spatial(fields: Mapping[str, str], dimensions: int) -> list[int]:
    """The axes that run through space (or time), not through the values of a voxel."""
    directions = fields.get("space directions")
    if directions is not None:
        words = [word != "none" for word in _words(directions)]
    else:
        words = [kind.lower() in _DOMAINS for kind in fields.get("kinds", "domain " * dimensions).split()]
    if len(words) != dimensions:
        raise ValueError(f"it names {len(words)} axes of {dimensions}")
    return [axis for axis, is_spatial in enumerate(words) if is_spatial]


def _nrrd_axes(fields: Mapping[str, str], spatial: Sequence[int], path: Path) -> tuple[list[float], np.ndarray]:
    """Spacing, and the directions as columns."""
    directions = fields.get("space directions")
    if directions is None:
        if "spacings" not in fields:
            raise ImageError("does not say how large its voxels are", path, AGAIN)
        every = _numbers(fields["spacings"], len(fields["sizes"].split()), float)
        return [every[axis] for axis in spatial], np.eye(len(spatial))
    vectors = [_vector(word) for word in _words(directions) if word != "none"]
    if any(len(vector) != len(vectors) for vector in vectors):
        raise ValueError("its directions have another number of dimensions than its axes")
    columns = np.array(vectors, dtype=np.float64).reshape(len(vectors), len(vectors)).T
    with np.errstate(all="ignore"):
        spacing = np.linalg.norm(columns, axis=0)
        return [float(value) for value in spacing], columns / spacing


def _words(text: str) -> list[str]:
    return re.findall(r"\([^()]*\)|[^\s()]+", text)


def _vector(text: str) -> list[float]:
    return [float(part) for part in text.strip("()").split(",")]


# --- both -------------------------------------------------------------------------------------------------------


def _dimensions(text: str) -> int:
    if not 1 <= int(text) <= _MOST_DIMENSIONS:  # before anything is made that long
        raise ValueError(f"it has {text[:40]} dimensions")
    return int(text)


def _numbers(text: str, count: int, kind: type) -> list[Any]:
    words = text.split()
    if len(words) != count:
        raise ValueError(f"it gives {len(words)} numbers where {count} are due")
    try:
        return [kind(word) for word in words]
    except ValueError:
        raise ValueError(f"it gives {' '.join(words)[:40]!r} where numbers are due") from None


def _dtype(name: str, types: Mapping[str, Sequence[str]]) -> np.dtype[Any]:
    for code, names in types.items():
        if name in names:
            return np.dtype(code)
    raise ValueError(f"its voxels are of the type {name[:40]!r}")


def _beside(path: Path, name: str) -> Path:
    """The file that a header names for its voxels: beside it or below, or a header could show any file."""
    if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
        raise ImageError("has its voxels in another folder", path, "keep both files in one folder")
    if not (path.parent / name).is_file():
        raise ImageError(f"has its voxels in {name[:80]!r}, which is not there", path, "copy both files")
    return path.parent / name


def _place(file: Path, begin: int, size: int, packed: bool, swapped: bool) -> Stored:
    """``begin`` below 0: the voxels are the end of the file."""
    if begin < 0:
        begin = max(file.stat().st_size - size, 0)
    return Stored(file, begin, size, "stream" if packed else "", ">" if swapped else "<")
