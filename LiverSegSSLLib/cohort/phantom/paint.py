"""Painting a patient onto a grid: signal, liver coverage, organs and tissues, with partial volume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from LiverSegSSLLib.cohort.phantom.anatomy import Anatomy
from LiverSegSSLLib.cohort.phantom.parts import Part
from LiverSegSSLLib.cohort.phantom.shapes import Array, Points, Vector
from LiverSegSSLLib.cohort.phantom.tissues import organ_values, tissue_names
from LiverSegSSLLib.volume import Geometry

CHUNK_POINTS = 300_000
"""Points painted at a time: a float32 field of them stays in the cache."""

Distort = Callable[[Points], Points]
"""Where the signal that appears at a point comes from (world mm)."""


@dataclass(frozen=True, eq=False)
class Painted:
    """What lies on a grid, arrays [z, y, x]: ``signal`` and ``liver`` (coverage 0…1) float32, maps uint8."""

    signal: Array
    liver: Array
    organs: Array
    tissues: Array


def paint(
    anatomy: Anatomy,
    geometry: Geometry,
    shift: Vector = (0.0, 0.0, 0.0),
    signals: Mapping[str, float] | None = None,
    mottles: Mapping[str, float] | None = None,
    distort: Distort | None = None,
    distort_mm: float = 0.0,
) -> Painted:
    """Paint a patient.

    :param shift: how far the breath-hold moved the viscera, LPS mm.
    :param signals: signal of every tissue; ``None``: zero (only the maps are wanted).
    :param mottles: relative texture of every tissue.
    :param distort_mm: the largest displacement by ``distort``.
    """
    nz, ny, nx = geometry.shape
    layers = _layers_per_slice(geometry)
    step = max(1, CHUNK_POINTS // (layers * ny * nx))
    chunks = [
        _paint_slices(anatomy, geometry, (k, min(k + step, nz)), layers, shift, signals, mottles, distort, distort_mm)
        for k in range(0, nz, step)
    ]
    return Painted(*(np.concatenate([getattr(c, f) for c in chunks]) for f in ("signal", "liver", "organs", "tissues")))


def _layers_per_slice(geometry: Geometry) -> int:
    """Odd number of layers that a slice is averaged from: about as thick as the pixels are wide, 2.5 mm at least."""
    thinnest = max(2.5, *geometry.spacing[:2])
    return int(np.clip(2 * round((geometry.spacing[2] / thinnest - 1.0) / 2.0) + 1, 1, 5))


class _Frames:
    """Canonical coordinates of a chunk by mobility, made when first needed."""

    def __init__(self, anatomy: Anatomy, points: Points, shift: Vector) -> None:
        self._anatomy, self._points, self._shift = anatomy, points, shift
        self._whole: dict[float, Points] = {}

    def __call__(self, mobility: float, box: tuple[slice, ...]) -> Points:
        if mobility in (0.0, 1.0):
            if mobility not in self._whole:
                self._whole[mobility] = self._map(mobility, self._points)
            x, y, z = self._whole[mobility]
            return x[box], y[box], z[box]
        x, y, z = self._points
        return self._map(mobility, (x[box], y[box], z[box]))

    def _map(self, mobility: float, points: Points) -> Points:
        moved = tuple(p - mobility * s if s else p for p, s in zip(points, self._shift, strict=True))
        return self._anatomy.warp.to_canonical(moved)  # type: ignore[arg-type]


def _paint_slices(
    anatomy: Anatomy,
    geometry: Geometry,
    slices: tuple[int, int],
    layers: int,
    shift: Vector,
    signals: Mapping[str, float] | None,
    mottles: Mapping[str, float] | None,
    distort: Distort | None,
    distort_mm: float,
) -> Painted:
    points = _points(geometry, slices, layers)
    if distort is not None:
        points = distort(points)
    frames = _Frames(anatomy, points, shift)
    shape = points[0].shape
    signal, liver = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    organs, tissues = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    values, numbers = organ_values(), {name: i for i, name in enumerate(tissue_names())}
    everything = (slice(None),) * 3
    texture = _texture(frames(1.0, everything)) if signals and mottles else None
    sx, sy, sz = geometry.spacing
    blur = (sx + sy + sz / layers) / 3.0  # width of the edge of a voxel that a surface cuts at any angle

    for part, (low, high) in zip(anatomy.parts, anatomy.boxes, strict=True):
        moved, margin = part.mobility * np.asarray(shift), blur + distort_mm
        box = _index_box(geometry, slices, layers, (low + moved - margin, high + moved + margin))
        if box is None:
            continue
        distance = part.shape.distance(frames(part.mobility, box))
        for depth, tissue in ((0.0, part.tissue), *part.layers):
            cover = (distance + np.float32(depth)) * np.float32(-1.0 / blur)
            cover += 0.5
            np.clip(cover, 0.0, 1.0, out=cover)
            if part.in_liver:
                cover *= liver[box]
            if not cover.any():
                break
            inside = cover > 0.5
            if signals:
                target: Any = np.float32(signals[tissue])
                if texture is not None and mottles and mottles[tissue]:
                    target = target * (1.0 + np.float32(mottles[tissue]) * texture[box])
                signal[box] += cover * (target - signal[box])
            tissues[box][inside] = numbers[tissue]
            if depth == 0.0:
                _mark(part, box, cover, inside, liver, organs, values)
    return _averaged(signal, liver, organs, tissues, layers, values["liver"])


def _mark(
    part: Part, box: tuple[slice, ...], cover: Array, inside: Array, liver: Array, organs: Array, values: dict[str, int]
) -> None:
    if part.in_liver:
        return
    if part.organ == "liver":
        liver[box] += cover * (1.0 - liver[box])
    else:
        liver[box] *= 1.0 - cover
    organs[box][inside] = values.get(part.organ, 0)


def _averaged(signal: Array, liver: Array, organs: Array, tissues: Array, layers: int, liver_value: int) -> Painted:
    """From layers to slices. Maps take the middle layer, but the liver is where it covers half of a voxel or more."""
    if layers > 1:
        shape = (signal.shape[0] // layers, layers, *signal.shape[1:])
        signal, liver = signal.reshape(shape).mean(axis=1), liver.reshape(shape).mean(axis=1)
        organs, tissues = organs[layers // 2 :: layers], tissues[layers // 2 :: layers]
    is_liver = liver >= 0.5
    organs = np.where(is_liver, liver_value, np.where(organs == liver_value, 0, organs)).astype(np.uint8)
    return Painted(signal, liver, organs, tissues)


def _points(geometry: Geometry, slices: tuple[int, int], layers: int) -> Points:
    """World points of the layers of some slices, each float32 of shape (layers · slices, y, x)."""
    nz, ny, nx = (slices[1] - slices[0]) * layers, geometry.size[1], geometry.size[0]
    matrix = geometry.index_to_lps()
    k = (slices[0] + (np.arange(nz) + 0.5) / layers - 0.5)[:, None, None]
    j, i = np.arange(ny)[None, :, None], np.arange(nx)[None, None, :]
    x, y, z = ((row[0] * i + row[1] * j + row[2] * k + row[3]).astype(np.float32) for row in matrix[:3])
    return x, y, z


def _index_box(
    geometry: Geometry, slices: tuple[int, int], layers: int, box: tuple[Array, Array]
) -> tuple[slice, ...] | None:
    """Slices of a chunk that hold a world box; ``None``: it lies outside."""
    corners = np.array([[*corner, 1.0] for corner in product(*zip(*box, strict=True))])
    index = corners @ np.linalg.inv(geometry.index_to_lps()).T
    index[:, 2] = (index[:, 2] + 0.5 - slices[0]) * layers - 0.5
    low, high = np.floor(index[:, :3].min(axis=0)), np.ceil(index[:, :3].max(axis=0)) + 1
    size = np.array([geometry.size[0], geometry.size[1], (slices[1] - slices[0]) * layers])
    low, high = np.clip(low, 0, size).astype(int), np.clip(high, 0, size).astype(int)
    if (high <= low).any():
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))


def _texture(points: Points) -> Array:
    """A field of mean 0 and about unit deviation that winds through the tissue, waves of 9–40 mm."""
    x, y, z = points
    # Sines of sines along irrational directions: no lattice shows, unlike in a product of plain waves.
    bend = 1.7 * np.sin(0.113 * x - 0.071 * y + 0.149 * z) + 1.3 * np.sin(0.083 * y + 0.127 * x - 0.059 * z + 1.0)
    fine = np.sin(0.41 * x + 0.33 * y + 0.27 * z + 2.0 * bend) + np.sin(0.37 * y - 0.44 * x + 0.21 * z - 1.7 * bend)
    coarse = np.sin(0.13 * x + 0.19 * y - 0.11 * z + bend)
    return np.asarray(0.65 * fine + 0.8 * coarse, dtype=np.float32)
