"""What the scanner adds: coil shading, EPI distortion, noise and the whole numbers of a DICOM file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LiverSegSSLLib.cohort.phantom.shapes import Array, Points, Vector
from LiverSegSSLLib.volume import Geometry


def rician(signal: Array, sigma: float, rng: np.random.Generator) -> Array:
    """Magnitude of the signal with complex Gaussian noise (Gudbjartsson and Patz, Magn Reson Med 1995;34:910)."""
    real = rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = rng.standard_normal(signal.shape, dtype=np.float32)
    real *= sigma
    imaginary *= sigma
    real += signal
    return np.asarray(np.sqrt(real * real + imaginary * imaginary), dtype=np.float32)


def coil_shading(geometry: Geometry, centre: Vector, strength: float, rng: np.random.Generator) -> Array:
    """A smooth gain: near coils bright, the middle dim, and a random slope; about 1 on average, never below 0.1.

    :param centre: middle of the body, LPS mm. :param strength: 0 none … 0.5 strong.
    """
    # Smooth over the whole field of view: made on every eighth voxel of each axis, and stretched linearly.
    axes = [np.linspace(0.0, n - 1.0, max(2, n // 8 + 2)) for n in geometry.size]
    i, j, k = axes[0][None, None, :], axes[1][None, :, None], axes[2][:, None, None]
    matrix = geometry.index_to_lps()
    u, v, w = (
        (matrix[row, 0] * i + matrix[row, 1] * j + matrix[row, 2] * k + matrix[row, 3] - centre[row]) / reach
        for row, reach in enumerate((170.0, 120.0, 130.0))
    )
    slope = rng.normal(0.0, 1.0, 3)
    wave = rng.uniform(0.0, 2 * np.pi, 2)
    log_gain = 0.35 * (slope[0] * u + slope[1] * v + 0.6 * slope[2] * w) + 0.55 * (0.6 * v * v + 0.4 * u * u - 0.35)
    log_gain = log_gain + 0.35 * np.sin(2.2 * u + wave[0]) * np.cos(2.0 * v + wave[1])
    gain = np.exp(strength * log_gain) * np.exp(-0.25 * strength * w * w)
    for axis, n in zip((2, 1, 0), geometry.size, strict=True):
        gain = _stretched(gain, axis, n)
    return np.asarray(np.maximum(gain, 0.1), dtype=np.float32)


def _stretched(values: Array, axis: int, count: int) -> Array:
    known = values.shape[axis]
    place = np.linspace(0.0, known - 1.0, count, dtype=np.float32)
    below = np.minimum(place.astype(np.intp), known - 2)
    share = (place - below).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    first, second = np.take(values, below, axis), np.take(values, below + 1, axis)
    return np.asarray(first + share * (second - first), dtype=np.float32)


@dataclass(frozen=True)
class Distortion:
    """EPI: displacement along the phase-encoding direction (y), smooth over 90–200 mm, at most ``limit_mm``."""

    amplitudes: tuple[float, ...]
    waves: tuple[Vector, ...]
    phases: tuple[float, ...]

    @property
    def limit_mm(self) -> float:
        """The largest displacement."""
        return float(sum(abs(a) for a in self.amplitudes))

    def __call__(self, points: Points) -> Points:
        x, y, z = points
        for amplitude, wave, phase in zip(self.amplitudes, self.waves, self.phases, strict=True):
            y = y + amplitude * np.sin(points[0] * wave[0] + points[1] * wave[1] + points[2] * wave[2] + phase)
        return x, y, z


def draw_distortion(limit_mm: float, rng: np.random.Generator) -> Distortion:
    """A random EPI distortion of at most ``limit_mm``."""
    share = rng.dirichlet(np.ones(3)) * limit_mm
    waves = []
    for _ in range(3):
        direction = rng.standard_normal(3)
        direction *= 2 * np.pi / rng.uniform(90.0, 200.0) / np.linalg.norm(direction)
        waves.append((float(direction[0]), float(direction[1]), float(direction[2])))
    return Distortion(tuple(map(float, share)), tuple(waves), tuple(map(float, rng.uniform(0, 2 * np.pi, 3))))


def to_int16(image: Array, brightest: float) -> Array:
    """Whole numbers with the 99.9th percentile at ``brightest``."""
    top = max(float(np.percentile(image[::2, ::2, ::2], 99.9)), 1e-9)
    return np.asarray(np.clip(np.rint(image * (brightest / top)), 0, 32767), dtype=np.int16)
