"""What the header of an image may say: checked before a voxel is read and before memory is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import ImageError, require_answering
from LiverSegSSLLib.volume.grid import Geometry

MOST_VOXELS = 2**29
"""Of one image: 512 × 512 × 2048, five times the largest abdominal scan; 2 GiB as float32."""

SPACING_MM = (1e-3, 1e3)
"""Smallest and largest distance of voxels: what lies outside was given in other units."""

FARTHEST_MM = 1e5
"""From the scanner's centre to the first voxel; a table moves by metres."""

RIGHT_ANGLE = 1e-3
"""How far the scalar product of two axes may be from 0: directions are often written with five digits."""

AGAIN = "export the image again"

SEVERAL_VALUES = "has several values per voxel (colour, vector or complex)"


def checked_geometry(
    size: Sequence[int],
    spacing: Sequence[float],
    origin: Sequence[float],
    direction: NDArray[Any],
    path: Path,
) -> tuple[Geometry, bool]:
    """The grid of an image of 3 dimensions, or of 4 with a single frame; and whether it has a fourth.

    :param direction: (dimensions, dimensions), a column an axis, LPS.
    :raises ImageError: an image cannot lie on such a grid.
    """
    if len(size) not in (3, 4) or (len(size) == 4 and size[3] != 1):
        raise ImageError(f"has {len(size)} dimensions ({_times(size)} voxels)", path, "give one 3-D image a file")
    if min(size[:3]) < 1:
        raise ImageError(f"has {_times(size[:3])} voxels", path, AGAIN)
    if math.prod(int(side) for side in size[:3]) > MOST_VOXELS:
        raise ImageError(f"says that it has {_times(size[:3])} voxels, which no scan has", path, AGAIN)
    if not all(SPACING_MM[0] <= value <= SPACING_MM[1] for value in spacing[:3]):  # nor not-a-number
        raise ImageError(f"has voxels of {_times(spacing[:3])} mm", path, AGAIN)
    if not all(abs(value) <= FARTHEST_MM for value in origin[:3]):
        raise ImageError(f"lies at ({', '.join(f'{value:g}' for value in origin[:3])}) mm", path, AGAIN)
    axes = np.asarray(direction, dtype=np.float64)[:3, :3]
    if not np.abs(axes.T @ axes - np.eye(3)).max() <= RIGHT_ANGLE:
        raise ImageError("has axes that are not at right angles", path, "resample it onto a grid that is not sheared")
    geometry = Geometry(
        (int(size[0]), int(size[1]), int(size[2])),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(float(value) for value in axes.ravel()),
    )
    return geometry, len(size) == 4


def unreadable(path: Path, reason: object) -> ImageError:
    """The error of a file that is damaged or something else.

    :raises PlaceError: nothing is known of the file, because its disk or share does not answer.
    """
    if isinstance(reason, OSError):
        require_answering(reason, path)
        reason = reason.strerror or reason
    text = (str(reason) or type(reason).__name__).splitlines()[0]
    return ImageError(f"cannot be read ({text})", path, "export or copy the image again")


def _times(numbers: Sequence[float]) -> str:
    return " × ".join(f"{number:g}" for number in numbers)
