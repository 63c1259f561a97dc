"""Which slices of a label have been changed since it was loaded."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import GeometryError
from LiverSegSSLLib.volume import Geometry

AXES = 3

Checksums = tuple[tuple[int, ...], ...]
"""By axis of the array ``[z, y, x]``: a checksum of each slice across it."""


def slice_checksums(mask: NDArray[Any]) -> Checksums:
    """What tells the slices of one mask from those of another, across each axis; much smaller than the mask.

    :param mask: ``[z, y, x]``; what is not 0 counts.
    """
    bits = np.asarray(mask) != 0
    return tuple(_checksums(np.moveaxis(bits, axis, 0)) for axis in range(AXES))


def _checksums(slices: NDArray[np.bool_]) -> tuple[int, ...]:
    rows = np.packbits(slices.reshape(len(slices), -1), axis=1)
    return tuple(zlib.crc32(row.tobytes()) for row in rows)


def changed_slices(before: Checksums, after: Checksums) -> tuple[tuple[int, ...], ...]:
    """By axis of the array: the indices of the slices that differ.

    :raises GeometryError: they are of masks of different sizes.
    """
    if [len(one) for one in before] != [len(one) for one in after]:
        raise GeometryError("the label has another size than when it was loaded", None, "load the study again")
    return tuple(
        tuple(index for index, (old, new) in enumerate(zip(*pair, strict=True)) if old != new)
        for pair in zip(before, after, strict=True)
    )


def drawn_axis(changed: tuple[tuple[int, ...], ...], geometry: Geometry) -> int:
    """The axis of the array ``[z, y, x]`` across which a person has drawn: the one with the fewest changed slices.

    Of equals the one along which the voxels are longest, and of those the first.
    """
    return min(range(AXES), key=lambda axis: (len(changed[axis]), -round(geometry.spacing_zyx[axis], 3), axis))
