"""File names of images."""

from __future__ import annotations

from pathlib import Path

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".mhd")
"""File name endings that are read as images."""


def is_image_name(name: str) -> bool:
    """Whether a file name ends like an image that can be read."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def is_utf8(path: Path) -> bool:
    """Whether a path is text; on Linux a name may be any bytes, and SimpleITK aborts on those that are none."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def image_stem(path: Path) -> str:
    """File name without its image suffix (``.nii.gz`` counts as one)."""
    for suffix in IMAGE_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem
