"""Writing images: a file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.volume.grid import Volume, to_sitk
from LiverSegSSLLib.volume.names import image_stem, is_utf8

_WRITTEN_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")  # not .mhd: two files cannot appear at once


def write_volume(volume: Volume, path: Path, dtype: np.dtype[Any] | type | None = None) -> None:
    """Write an image; the file appears whole or not at all. A 4-D singleton is restored.

    :param dtype: data type in the file; ``None`` keeps the array's.
    :raises ImageError: the file name is not an image's, or not UTF-8.
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
    path.parent.mkdir(parents=True, exist_ok=True)
    # Same folder, so the rename stays on one file system; same suffix, because ITK chooses the format by it.
    handle, temporary = tempfile.mkstemp(prefix=".writing-", suffix=path.name[len(image_stem(path)) :], dir=path.parent)
    os.close(handle)
    try:
        sitk.WriteImage(image, temporary, useCompression=True)
        with Path(temporary).open("rb+") as file:
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
