"""One patient's place and shape: the smooth map from the world (LPS mm) to the phantom's canonical frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LiverSegSSLLib.cohort.phantom.shapes import Array, Box, Points, Vector, vector


@dataclass(frozen=True)
class Wave:
    """One sine of displacement: ``amplitude`` mm per axis, ``vector`` in rad/mm, phase in rad."""

    amplitude: Vector
    vector: Vector
    phase: float


@dataclass(frozen=True)
class Warp:
    """canonical = (world - centre) / scale + Σ amplitude · sin(vector · (world - centre) + phase)."""

    centre: Vector = (0.0, 0.0, 0.0)
    scale: Vector = (1.0, 1.0, 1.0)
    waves: tuple[Wave, ...] = ()

    def to_canonical(self, points: Points) -> Points:
        """Map world points; float32 in, float32 out."""
        local = [p - c for p, c in zip(points, self.centre, strict=True)]
        result = [p / s for p, s in zip(local, self.scale, strict=True)]
        for wave in self.waves:
            argument = local[0] * wave.vector[0] + local[1] * wave.vector[1] + local[2] * wave.vector[2]
            sine = np.sin(argument + wave.phase)
            for axis, amplitude in enumerate(wave.amplitude):
                if amplitude:
                    result[axis] = result[axis] + sine * amplitude
        return result[0], result[1], result[2]

    def to_world(self, point: Vector) -> Vector:
        """The world point that a canonical point comes from (fixed-point iteration, to 0.01 mm)."""
        target = np.asarray(point, dtype=np.float64)
        world = target * self.scale + self.centre
        for _ in range(50):
            found = np.array(self.to_canonical(vector_arrays(world)), dtype=np.float64)
            step = (target - found) * self.scale
            world = world + step
            if np.abs(step).max() < 0.01:
                break
        return vector(world)

    def slope(self) -> float:
        """Upper bound of how much two points' displacements differ per mm between them."""
        return float(sum(np.linalg.norm(w.amplitude) * np.linalg.norm(w.vector) for w in self.waves))

    def world_box(self, canonical: Box, margin_mm: float = 0.0) -> Box:
        """A world box that holds whatever the canonical box holds."""
        low, high = np.asarray(canonical[0]), np.asarray(canonical[1])
        reach = np.sum([np.abs(w.amplitude) for w in self.waves], axis=0) if self.waves else np.zeros(3)
        scale, centre = np.asarray(self.scale), np.asarray(self.centre)
        wide = (low - reach) * scale + centre - margin_mm, (high + reach) * scale + centre + margin_mm
        half = 0.5 * (high - low)
        slope = self.slope() * max(self.scale)
        if np.linalg.norm(half) > 300.0 or slope > 0.8:
            return vector(wide[0]), vector(wide[1])
        # Small things: the displacement at their centre, plus what it can change across them.
        middle = np.asarray(self.to_world(vector(0.5 * (low + high))))
        around = half * scale + slope / (1.0 - slope) * np.linalg.norm(half) * scale + margin_mm
        return vector(np.maximum(wide[0], middle - around)), vector(np.minimum(wide[1], middle + around))


def draw_warp(rng: np.random.Generator, centre: Vector, scale: Vector, strength_mm: float = 4.0) -> Warp:
    """A random smooth warp: six waves of 170–420 mm; their slopes add up to well under 1, so it never folds."""
    waves = []
    for _ in range(6):
        direction = rng.standard_normal(3)
        direction /= np.linalg.norm(direction)
        number = 2.0 * np.pi / rng.uniform(170.0, 420.0)
        amplitude = rng.uniform(-strength_mm, strength_mm, 3)
        waves.append(Wave(vector(amplitude), vector(direction * number), float(rng.uniform(0, 2 * np.pi))))
    return Warp(centre, scale, tuple(waves))


def vector_arrays(point: Array) -> Points:
    """One point as the three arrays that shapes and warps take."""
    x, y, z = (np.asarray(value, dtype=np.float64) for value in point)
    return x, y, z


def world_points(low: Vector, high: Vector, step_mm: float) -> tuple[Points, Array]:
    """A regular lattice over a world box: points of shape (z, y, x), and the three axes' first values."""
    axes = [np.arange(lo, hi + step_mm, step_mm, dtype=np.float32) for lo, hi in zip(low, high, strict=True)]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return (x, y, z), np.array([axis[0] for axis in axes])
