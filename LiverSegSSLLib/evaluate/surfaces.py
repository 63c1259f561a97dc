"""The surface of a mask and the distances between two surfaces.

The surface is DeepMind's: every corner of the voxel grid whose eight voxels are neither all inside nor all outside
is a surface point that carries the area of the marching-cubes triangles there. Points lie at voxel corners, half a
voxel from voxel centres, so the distance between two solid masks is the same and a mask that touches the border of
its image has a closed surface. Nearest points come from a k-d tree over the surface points instead of a distance
map over the volume: the same distances, exactly, at half the time or less, however far apart the masks are.

S. Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and neck anatomy for
radiotherapy", J Med Internet Res 2021; its code ``surface-distance`` is the reference of the tests and owns the
table of triangle areas used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.components import bounding_box

SpacingZYX = tuple[float, float, float]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Surface:
    """Points (n, 3) in mm from voxel (0, 0, 0) along the array axes (z, y, x); their areas (n,) in mm²."""

    points_mm: Floats
    areas_mm2: Floats

    def __len__(self) -> int:
        return len(self.areas_mm2)


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distance in mm from every surface point of one mask to the surface of the other, both ways, with the areas."""

    truth_to_mask: Floats
    truth_areas: Floats
    mask_to_truth: Floats
    mask_areas: Floats

    def hausdorff(self, percent: float = 100.0) -> float:
        """The larger of the two directed distances at a percentile of the area (100: the maximum)."""
        return max(
            _percentile(self.truth_to_mask, self.truth_areas, percent),
            _percentile(self.mask_to_truth, self.mask_areas, percent),
        )

    def average(self) -> float:
        """Average symmetric surface distance (ASSD): mean over the area of both surfaces."""
        total = self.truth_to_mask @ self.truth_areas + self.mask_to_truth @ self.mask_areas
        return float(total / (self.truth_areas.sum() + self.mask_areas.sum()))

    def surface_dice(self, tolerance_mm: float) -> float:
        """Share of both surfaces' area that lies within ``tolerance_mm`` of the other surface (NSD)."""
        close = self.truth_areas[self.truth_to_mask <= tolerance_mm].sum()
        close += self.mask_areas[self.mask_to_truth <= tolerance_mm].sum()
        return float(close / (self.truth_areas.sum() + self.mask_areas.sum()))


def surface(mask: NDArray[Any], spacing_zyx: SpacingZYX) -> Surface:
    """The surface of a mask ``[z, y, x]``; without points if it is empty."""
    box = bounding_box(mask)
    if box is None:
        return Surface(np.zeros((0, 3)), np.zeros(0))
    inside = np.pad(mask[box] != 0, 1).astype(np.uint8)
    # The eight voxels around a corner, as bits in the order of DeepMind's table.
    code = np.zeros(tuple(length - 1 for length in inside.shape), np.uint8)
    for bit in range(8):
        corner = tuple(slice(1, None) if bit >> shift & 1 == 0 else slice(None, -1) for shift in (2, 1, 0))
        code |= inside[corner] << np.uint8(bit)
    index = np.argwhere((code != 0) & (code != 255))
    first = np.array([side.start for side in box]) - 0.5
    return Surface((index + first) * np.asarray(spacing_zyx), _area_table(spacing_zyx)[code[tuple(index.T)]])


def surface_distances(truth: Surface, mask: Surface) -> SurfaceDistances:
    """Distances between two surfaces that both have points."""
    from scipy.spatial import cKDTree

    # Surface points fill space evenly: splitting by the middle is as good as by the median, and quicker.
    to_mask, _ = cKDTree(mask.points_mm, balanced_tree=False, compact_nodes=False).query(truth.points_mm)
    to_truth, _ = cKDTree(truth.points_mm, balanced_tree=False, compact_nodes=False).query(mask.points_mm)
    return SurfaceDistances(to_mask, truth.areas_mm2, to_truth, mask.areas_mm2)


def _percentile(distances: Floats, areas: Floats, percent: float) -> float:
    order = np.argsort(distances, kind="stable")
    share = np.cumsum(areas[order]) / areas.sum()
    place = min(int(np.searchsorted(share, percent / 100.0)), len(order) - 1)
    return float(distances[order[place]]) if percent < 100.0 else float(distances.max())


@lru_cache(maxsize=32)
def _area_table(spacing_zyx: SpacingZYX) -> Floats:
    from surface_distance import lookup_tables

    table: Floats = lookup_tables.create_table_neighbour_code_to_surface_area(spacing_zyx)
    return table
