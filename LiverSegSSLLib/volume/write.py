"""Writing images: a file appears whole or not at all."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.atomic import writing
from LiverSegSSLLib.errors import ImageError, PlaceError
from LiverSegSSLLib.volume.grid import Volume, to_sitk
from LiverSegSSLLib.volume.names import image_stem, is_utf8

_WRITTEN_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")  # not .mhd: two files cannot appear at once


def write_volume(volume: Volume, path: Path, dtype: np.dtype[Any] | type | None = None) -> None:
    """Write an image; the file appears whole or not at all. A 4-D singleton is restored.

    :param dtype: data type in the file; ``None`` keeps the array's.
    :raises ImageError: the file name is not an image's, or not UTF-8.
    :raises PlaceError: its disk or share does not take all of it.
    """
    import SimpleITK as sitk

    if not path.name.lower().endswith(_WRITTEN_SUFFIXES):
        raise ImageError("is no name for an image to write", path, f"use one of {', '.join(_WRITTEN_SUFFIXES)}")
    if not is_utf8(path):
        raise ImageError("has a name that is not UTF-8", path, "write into a folder with a name in plain letters")
    array = volume.array if dtype is None else volume.array.astype(dtype)
    image = to_sitk(volume.with_array(array))
    if volume.trailing_singleton:
        image = sitk.JoinSeries(image)
    with writing(path, suffix=path.name[len(image_stem(path)) :]) as temporary:  # ITK chooses the format by it
        try:
            sitk.WriteImage(image, temporary, useCompression=True)
            whole = _holds(temporary, array.nbytes)
        except RuntimeError:
            whole = False
        if not whole:
            remedy = "see that its disk has room and can be written; the same command goes on from here"
            raise PlaceError("cannot be written whole", path, remedy)


def _holds(path: Path, size: int) -> bool:
    """Whether a NIfTI file holds so many bytes: on a full disk ITK ends it early, or leaves it empty, without a word.

    (In other formats it says so.) A mask of 320 × 260 × 80 takes 15 ms, an image 90 ms: a seventh of its packing.
    """
    if path.name.lower().endswith(".nii"):
        return path.stat().st_size >= size
    if not path.name.lower().endswith(".nii.gz"):
        return True
    found = 0
    try:
        with gzip.open(path) as file:
            while block := file.read(1 << 20):
                found += len(block)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False
    return found >= size
