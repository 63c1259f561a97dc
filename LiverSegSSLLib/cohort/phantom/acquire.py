"""One phase of one patient on one scanner: image, liver truth, organ and tissue maps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from LiverSegSSLLib.cohort.phantom.anatomy import Anatomy
from LiverSegSSLLib.cohort.phantom.artefacts import coil_shading, draw_distortion, rician, to_int16
from LiverSegSSLLib.cohort.phantom.paint import Painted, paint
from LiverSegSSLLib.cohort.phantom.protocols import PHASES, Imaging, Protocol, plan_grid
from LiverSegSSLLib.cohort.phantom.shapes import Array, Vector
from LiverSegSSLLib.cohort.phantom.tissues import mottles, signals
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.volume import Geometry, Volume


@dataclass(frozen=True, eq=False)
class Acquisition:
    """What one phase gives. ``image`` int16; ``liver`` 0/1; ``organs`` and ``tissues`` uint8; all on one grid.

    ``shift``: how far the breath-hold moved the liver, LPS mm.
    """

    image: Volume
    liver: Volume
    organs: Volume
    tissues: Volume
    shift: Vector


def draw_shift(phase: Phase, rng: np.random.Generator) -> Vector:
    """Where the breath-hold of a phase puts the viscera, LPS mm: mostly up and down, several mm.

    T2 and DWI are taken while the patient breathes, triggered at the end of expiration, so they lie higher.
    """
    triggered = 4.0 if phase in (Phase.T2, Phase.DWI) else 0.0
    up = float(np.clip(rng.normal(triggered, 5.0), -13.0, 13.0))
    return float(rng.normal(0.0, 0.6)), float(rng.normal(0.0, 1.2)), up


def acquire(
    anatomy: Anatomy,
    phase: Phase,
    scanner: Protocol,
    scale: float = 1.0,
    seed: int = 0,
    shift: Vector | None = None,
    geometry: Geometry | None = None,
) -> Acquisition:
    """Take one phase.

    :param scale: 1 full quality, 2.4 as in the demo; see :func:`~.protocols.plan_grid`.
    :param seed: of all that is random in this acquisition: grid, breath-hold, shading, distortion, noise.
    :param shift: breath-hold shift instead of a drawn one, LPS mm; ``geometry``: grid instead of a planned one.
    """
    rng = np.random.default_rng([seed, PHASES.index(phase), 0xAC])
    imaging = scanner.phases[phase]
    drawn = draw_shift(phase, rng)
    shift = drawn if shift is None else shift
    planned = plan_grid(anatomy, imaging, scanner, shift, scale, rng)
    geometry = planned if geometry is None else geometry
    strengths = signals(imaging.sequence, scanner.field_t, phase, anatomy.chemistry)
    distortion = draw_distortion(imaging.distortion_mm, rng) if imaging.distortion_mm else None
    painted = paint(
        anatomy,
        geometry,
        shift,
        strengths,
        mottles(phase),
        distortion,
        0.0 if distortion is None else distortion.limit_mm,
    )
    reference = signals(imaging.sequence, scanner.field_t, Phase.T1)[imaging.reference]
    image = _measure(painted, imaging, scanner, geometry, reference / imaging.snr, anatomy, rng)
    singleton = bool(rng.uniform() < scanner.singleton)
    truth = Volume((painted.liver >= 0.5).astype(np.uint8), geometry)
    return Acquisition(
        Volume(image, geometry, singleton),
        truth,
        truth.with_array(painted.organs),
        truth.with_array(painted.tissues),
        shift,
    )


def _measure(
    painted: Painted,
    imaging: Imaging,
    scanner: Protocol,
    geometry: Geometry,
    sigma: float,
    anatomy: Anatomy,
    rng: np.random.Generator,
) -> Array:
    corners = np.array([*anatomy.body_box, *anatomy.liver_box])
    middle = (float(corners[:2, 0].mean()), float(corners[:2, 1].mean()), float(corners[2:, 2].mean()))
    field = painted.signal * coil_shading(geometry, middle, scanner.shading, rng)
    if imaging.blur:
        from scipy.ndimage import gaussian_filter

        field = gaussian_filter(field, (0.0, imaging.blur, imaging.blur))
    brightest = scanner.brightest * float(rng.uniform(0.7, 1.3))
    return to_int16(rician(field, sigma, rng), brightest)


def as_written(volume: Volume, image: Volume) -> Volume:
    """``volume`` with the file shape (3-D, or 4-D with one frame) of its image."""
    return replace(volume, trailing_singleton=image.trailing_singleton)
