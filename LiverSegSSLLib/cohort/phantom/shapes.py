"""Implicit shapes: signed distances (mm, negative inside) that can be asked at any point.

Coordinates are the phantom's own ("canonical") frame: x to the patient's left, y to the back, z to the head, in mm.
Points come as three float32 arrays that broadcast together. Distances of ellipsoids and of sums are first-order
approximations, exact on the surface, as in Quilez, "Distance functions", https://iquilezles.org/articles/ellipsoids.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Points = tuple[Array, Array, Array]
Vector = tuple[float, float, float]
Box = tuple[Vector, Vector]
"""Lower and upper corner, mm."""

FAR = 1e4
"""Stands for "unbounded" in boxes, mm."""

UNBOUNDED: Box = ((-FAR, -FAR, -FAR), (FAR, FAR, FAR))


class Shape(Protocol):
    """Something with an inside."""

    def distance(self, points: Points) -> Array:
        """Signed distance in mm, negative inside, float32."""
        ...

    def bounds(self) -> Box:
        """A box that holds the inside."""
        ...


def vector(values: Any) -> Vector:
    """Three plain floats (numpy scalars would turn float32 arrays into float64)."""
    x, y, z = values
    return float(x), float(y), float(z)


def smooth_min(a: Array, b: Array, blend_mm: float) -> Array:
    """Polynomial smooth minimum; equals ``min`` where the values differ by more than ``blend_mm``."""
    if blend_mm < 1e-6:
        return np.minimum(a, b)
    h = np.clip((b - a) / (2.0 * blend_mm) + 0.5, 0.0, 1.0)
    return b + h * (a - b) - blend_mm * h * (1.0 - h)


@dataclass(frozen=True)
class Ellipsoid:
    """``axes``: rows are the unit directions of the half-axes ``radii``; ``None``: along x, y, z."""

    centre: Vector
    radii: Vector
    axes: tuple[Vector, Vector, Vector] | None = None

    def distance(self, points: Points) -> Array:
        local: Points = tuple(p - c for p, c in zip(points, self.centre, strict=True))  # type: ignore[assignment]
        if self.axes is not None:
            x, y, z = local
            local = tuple(x * a[0] + y * a[1] + z * a[2] for a in self.axes)  # type: ignore[assignment]
        scaled = [value / r for value, r in zip(local, self.radii, strict=True)]
        inner = np.sqrt(sum(s * s for s in scaled))
        outer = np.sqrt(sum((s / r) ** 2 for s, r in zip(scaled, self.radii, strict=True)))
        near = 1.0 / max(self.radii)  # in the very centre both norms vanish; their ratio is a radius
        return np.asarray(inner * (inner - 1.0) / np.maximum(outer, 1e-3 * near))

    def bounds(self) -> Box:
        reach = self.radii
        if self.axes is not None:
            reach = vector(np.sqrt((np.asarray(self.axes).T ** 2) @ np.square(self.radii)))
        return _around(self.centre, reach)


@dataclass(frozen=True)
class Tube:
    """A round cone between two points with a radius at each end."""

    start: Vector
    end: Vector
    start_radius: float
    end_radius: float

    def distance(self, points: Points) -> Array:
        along = np.subtract(self.end, self.start)
        length2 = max(float(along @ along), 1e-6)
        ax, ay, az = vector(along)
        x, y, z = (p - c for p, c in zip(points, self.start, strict=True))
        t = np.clip((x * ax + y * ay + z * az) / length2, 0.0, 1.0)
        away = np.sqrt((x - t * ax) ** 2 + (y - t * ay) ** 2 + (z - t * az) ** 2)
        return np.asarray(away - (self.start_radius + t * (self.end_radius - self.start_radius)))

    def bounds(self) -> Box:
        first, last = _around(self.start, (self.start_radius,) * 3), _around(self.end, (self.end_radius,) * 3)
        return vector(np.minimum(first[0], last[0])), vector(np.maximum(first[1], last[1]))


@dataclass(frozen=True)
class Column:
    """An upright column: a superellipse in x and y, endless in z unless ``z_range`` is given.

    ``period_mm`` > 0 cuts it into pieces of ``fill`` of the period, as vertebrae between their discs.
    """

    centre: tuple[float, float]
    radii: tuple[float, float]
    round_corners: bool = False
    z_range: tuple[float, float] | None = None
    period_mm: float = 0.0
    fill: float = 1.0
    phase_mm: float = 0.0

    def distance(self, points: Points) -> Array:
        x, y = (points[0] - self.centre[0]), (points[1] - self.centre[1])
        u, v = np.square(x / self.radii[0]), np.square(y / self.radii[1])
        # u + v is an ellipse, √(u² + v²) nearly a rectangle; what lies between looks like a trunk.
        f = np.sqrt(np.sqrt(u * u + v * v + 1.2 * u * v)) if self.round_corners else np.sqrt(u + v)
        result = np.sqrt(x * x + y * y) * (1.0 - 1.0 / np.maximum(f, 0.05))
        if self.period_mm > 0:
            offset = np.mod(points[2] - self.phase_mm, self.period_mm) - 0.5 * self.period_mm
            result = np.maximum(result, np.abs(offset) - 0.5 * self.fill * self.period_mm)
        if self.z_range is not None:
            low, high = self.z_range
            result = np.maximum(result, np.maximum(low - points[2], points[2] - high))
        return np.asarray(result)

    def bounds(self) -> Box:
        low, high = self.z_range or (-FAR, FAR)
        (cx, cy), (rx, ry) = self.centre, self.radii
        return (cx - rx, cy - ry, low), (cx + rx, cy + ry, high)


@dataclass(frozen=True)
class HalfSpace:
    """Everything on the side of ``point`` that ``normal`` points away from."""

    point: Vector
    normal: Vector

    def distance(self, points: Points) -> Array:
        n = vector(np.asarray(self.normal) / np.linalg.norm(self.normal))
        x, y, z = (p - c for p, c in zip(points, self.point, strict=True))
        return np.asarray(x * n[0] + y * n[1] + z * n[2])

    def bounds(self) -> Box:
        return UNBOUNDED


@dataclass(frozen=True)
class Dome:
    """What lies above the diaphragm: two paraboloid cupolas (apex, curvature per axis in mm drop at ``reach``)."""

    apexes: tuple[Vector, ...]
    reach: tuple[float, float]
    drop_mm: float
    tilt: float
    blend_mm: float = 14.0

    def height(self, x: Array, y: Array) -> Array:
        """z of the diaphragm over a point, mm."""
        lowered: Array | None = None
        for apex in self.apexes:
            u, v = (x - apex[0]) / self.reach[0], (y - apex[1]) / self.reach[1]
            cupola = apex[2] - self.drop_mm * (u * u + v * v) - self.tilt * (y - apex[1])
            lowered = -cupola if lowered is None else smooth_min(lowered, -cupola, self.blend_mm)
        assert lowered is not None
        return -lowered

    def distance(self, points: Points) -> Array:
        # The surface leans by up to 45° where it meets the liver; 0.8 is the cosine of its mean slope.
        return np.asarray((self.height(points[0], points[1]) - points[2]) * 0.8)

    def bounds(self) -> Box:
        return UNBOUNDED


@dataclass(frozen=True)
class Union:
    """All parts together, edges rounded over ``blend_mm``."""

    parts: tuple[Shape, ...]
    blend_mm: float = 0.0

    def distance(self, points: Points) -> Array:
        result = self.parts[0].distance(points)
        for part in self.parts[1:]:
            result = smooth_min(result, part.distance(points), self.blend_mm)
        return result

    def bounds(self) -> Box:
        boxes = [part.bounds() for part in self.parts]
        low = np.min([box[0] for box in boxes], axis=0) - self.blend_mm / 4.0
        high = np.max([box[1] for box in boxes], axis=0) + self.blend_mm / 4.0
        return vector(low), vector(high)


@dataclass(frozen=True)
class Common:
    """What all parts share, edges rounded over ``blend_mm``."""

    parts: tuple[Shape, ...]
    blend_mm: float = 0.0

    def distance(self, points: Points) -> Array:
        result = -self.parts[0].distance(points)
        for part in self.parts[1:]:
            result = smooth_min(result, -part.distance(points), self.blend_mm)
        return -result

    def bounds(self) -> Box:
        boxes = [part.bounds() for part in self.parts]
        return vector(np.max([box[0] for box in boxes], axis=0)), vector(np.min([box[1] for box in boxes], axis=0))


@dataclass(frozen=True)
class Outside:
    """Everything but the inside of ``shape`` grown by ``gap_mm``."""

    shape: Shape
    gap_mm: float = 0.0

    def distance(self, points: Points) -> Array:
        return np.asarray(self.gap_mm - self.shape.distance(points))

    def bounds(self) -> Box:
        return UNBOUNDED


@dataclass(frozen=True)
class Grown:
    """``shape`` with its surface moved outwards by ``by_mm`` (inwards if negative)."""

    shape: Shape
    by_mm: float

    def distance(self, points: Points) -> Array:
        return np.asarray(self.shape.distance(points) - self.by_mm)

    def bounds(self) -> Box:
        low, high = self.shape.bounds()
        by = max(self.by_mm, 0.0)
        return vector(np.subtract(low, by)), vector(np.add(high, by))


@dataclass(frozen=True)
class Bumpy:
    """``shape`` with a wavy surface: cirrhotic nodules, haustra, folds."""

    shape: Shape
    amplitude_mm: float
    wavelength_mm: float
    phases: Vector = (0.0, 0.0, 0.0)

    def distance(self, points: Points) -> Array:
        result = self.shape.distance(points)
        if self.amplitude_mm <= 0:
            return result
        k = 2.0 * np.pi / self.wavelength_mm
        waves = [np.sin(p * float(k) + a) for p, a in zip(points, self.phases, strict=True)]
        return np.asarray(
            result + self.amplitude_mm * (waves[0] * waves[1] + waves[1] * waves[2] + waves[2] * waves[0])
        )

    def bounds(self) -> Box:
        return Grown(self.shape, 1.5 * self.amplitude_mm).bounds()


def _around(centre: Vector, reach: tuple[float, ...]) -> Box:
    return vector(np.subtract(centre, reach)), vector(np.add(centre, reach))


def tilted(pitch_deg: float = 0.0, roll_deg: float = 0.0, yaw_deg: float = 0.0) -> tuple[Vector, Vector, Vector]:
    """Rows for :class:`Ellipsoid`: rotated about x (pitch), y (roll), z (yaw), in this order."""
    cx, sx, cy, sy, cz, sz = (f(np.deg2rad(a)) for a in (pitch_deg, roll_deg, yaw_deg) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    rows = (about_z @ about_y @ about_x).T
    return vector(rows[0]), vector(rows[1]), vector(rows[2])
