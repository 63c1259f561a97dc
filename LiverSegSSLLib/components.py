"""Connected parts of a mask: their sizes, the largest one. Arrays ``[z, y, x]``; every non-zero voxel is foreground.

Both a score ("2 separate parts") and a post-processing step: one stray voxel decides the Hausdorff distance.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Connectivity = Literal[6, 18, 26]
"""Neighbours that join two voxels: across a face (6), also an edge (18), also a corner (26)."""

Box = tuple[slice, slice, slice]


def bounding_box(mask: NDArray[Any], margin: int = 0) -> Box | None:
    """The smallest box around the non-zero voxels, grown by ``margin`` voxels within the array; ``None`` if empty."""
    occupied = mask != 0 if mask.dtype != bool else mask
    box = []
    for axis in range(3):
        found = np.flatnonzero(occupied.any(axis=tuple(other for other in range(3) if other != axis)))
        if not found.size:
            return None
        box.append(slice(max(int(found[0]) - margin, 0), min(int(found[-1]) + 1 + margin, mask.shape[axis])))
    return box[0], box[1], box[2]


def component_sizes(mask: NDArray[Any], connectivity: Connectivity = 26) -> NDArray[np.int64]:
    """Voxels of every connected part, largest first; empty for an empty mask."""
    box = bounding_box(mask)
    if box is None:
        return np.zeros(0, np.int64)
    return np.sort(_sizes(_parts(mask[box], connectivity)))[::-1]


def largest_component(mask: NDArray[Any], connectivity: Connectivity = 26) -> NDArray[np.bool_]:
    """The largest connected part; of several equally large ones the first in array order.

    An empty mask stays empty. The default connectivity is that of SSL-MedSAM2 (full, 26 neighbours).
    """
    kept = np.zeros(mask.shape, bool)
    box = bounding_box(mask)
    if box is not None:
        parts = _parts(mask[box], connectivity)
        kept[box] = parts == 1 + int(np.argmax(_sizes(parts)))
    return kept


def near_largest(mask: NDArray[Any], margin_slices: int = 8, connectivity: Connectivity = 26) -> NDArray[np.bool_]:
    """The mask without what lies beyond the slices of its largest part, ``margin_slices`` more on either side.

    The slice rule of FLARE24_he's post-processing (there only for scans of more than 80 slices; the caller decides).
    Slices are those of the first array axis.
    """
    kept = np.zeros(mask.shape, bool)
    box = bounding_box(largest_component(mask, connectivity))
    if box is not None:
        slices = slice(max(box[0].start - margin_slices, 0), box[0].stop + margin_slices)
        kept[slices] = mask[slices] != 0
    return kept


def _parts(mask: NDArray[Any], connectivity: Connectivity) -> NDArray[np.int32]:
    from scipy import ndimage

    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    parts: NDArray[np.int32] = ndimage.label(mask, structure)[0]
    return parts


def _sizes(parts: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.bincount(parts.ravel())[1:]
