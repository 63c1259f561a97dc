"""One patient: what lies where, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.cohort.phantom import liver as lv
from LiverSegSSLLib.cohort.phantom import viscera, wall
from LiverSegSSLLib.cohort.phantom.parts import Part, Trunk
from LiverSegSSLLib.cohort.phantom.shapes import Box, Dome, Shape, vector
from LiverSegSSLLib.cohort.phantom.tissues import Chemistry
from LiverSegSSLLib.cohort.phantom.vessels import aorta, liver_vessels, vena_cava
from LiverSegSSLLib.cohort.phantom.warp import Warp, draw_warp, world_points

VOLUME_RANGE_ML = (1000.0, 2200.0)
"""Adult livers: 1000–2200 mL."""

MEASURING_STEP_MM = 5.0
"""Lattice on which liver volume and extent are measured: under 1 % of a litre."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A patient. ``parts`` in painting order, canonical frame. Boxes are in LPS mm, without any breath-hold shift;
    ``boxes`` holds one for each part, ``body_box`` the trunk over the height of the liver."""

    seed: int
    stage: int
    trunk: Trunk
    warp: Warp
    parts: tuple[Part, ...]
    boxes: tuple[Box, ...]
    liver: Shape
    liver_ml: float
    liver_box: Box
    body_box: Box
    chemistry: Chemistry
    lesions: int


def draw_anatomy(seed: int, stage: int | None = None, lesions: int | None = None) -> Anatomy:
    """A patient from a seed.

    :param stage: fibrosis stage 1–4; ``None``: drawn. Higher stages have a smaller right and larger left and caudate
        lobe, a wavy surface, a larger spleen and less uptake of gadoxetate.
    :param lesions: number of liver lesions; ``None``: drawn (half of the patients have none).
    """
    rng = np.random.default_rng([seed, 0xA0])
    stage = int(rng.integers(1, 5)) if stage is None else stage
    severity = (stage - 1) / 3.0
    count = int(rng.choice([0, 0, 0, 1, 2, 4])) if lesions is None else lesions
    trunk = _draw_trunk(rng)
    place = (float(rng.normal(0, 6)), float(rng.normal(0, 6)), float(rng.normal(0, 25)))
    warp = draw_warp(rng, place, vector(np.clip(rng.normal(1.0, 0.045, 3), 0.9, 1.1)), 5.0)

    right_kidney = viscera.kidney_shape(trunk, -1.0, float(rng.uniform(0.9, 1.12)), float(rng.uniform(-66, -48)))
    left_kidney = viscera.kidney_shape(trunk, 1.0, float(rng.uniform(0.9, 1.15)), float(rng.uniform(-50, -32)))
    cava = vena_cava(trunk, max(apex[2] for apex in trunk.dome.apexes))
    gallbladder = float(rng.uniform(0.65, 1.3)) if rng.uniform() < 0.85 else None  # the others had it removed
    form = _draw_form(rng, severity)
    low_ml, high_ml = VOLUME_RANGE_ML
    target_ml = float(np.clip(rng.normal(1550.0 - 180.0 * severity, 230.0), low_ml + 80.0, high_ml - 100.0))
    frame, liver, pear, measured = _fit_liver(
        trunk, form, target_ml, gallbladder, ((right_kidney, 4.0), (cava, 0.8)), warp
    )

    chosen = measured.inside[rng.choice(len(measured.inside), min(900, len(measured.inside)), replace=False)]
    parts = [
        *wall.shell(trunk),
        *viscera.bowel(trunk, rng),
        *wall.chest(trunk, rng),
        *wall.spine(trunk, rng),
        viscera.pancreas(trunk),
        aorta(trunk),
        *viscera.stomach(trunk, float(rng.uniform(0.7, 1.15)), float(rng.uniform(0.1, 0.8))),
        *viscera.kidney(right_kidney, "right_kidney", rng),
        *viscera.kidney(left_kidney, "left_kidney", rng),
        viscera.spleen(trunk, float(rng.uniform(0.85, 1.1) + 0.22 * severity), rng),
        Part("liver", liver, "liver"),
        Part("caval_blood", cava, "inferior_vena_cava"),
        *([] if pear is None else [Part("bowel_wall", pear, "gallbladder", layers=((1.6, "gallbladder_bile"),))]),
        *liver_vessels(chosen, frame.hilum, frame.outflow, trunk, rng),
        *lv.lesions(count, measured.inside, measured.depth_mm, rng),
    ]
    body_box = _extent(parts[0].shape, warp, measured.box)
    return Anatomy(
        seed,
        stage,
        trunk,
        warp,
        tuple(parts),
        tuple(warp.world_box(part.shape.bounds()) for part in parts),
        liver,
        measured.volume_ml,
        measured.box,
        body_box,
        _draw_chemistry(rng, severity),
        count,
    )


def _fit_liver(
    trunk: Trunk,
    form: lv.LiverForm,
    target_ml: float,
    gallbladder: float | None,
    neighbours: tuple[tuple[Shape, float], ...],
    warp: Warp,
) -> tuple[lv.LiverFrame, Shape, Shape | None, _Measured]:
    """The liver of a form at the size that gives the wanted volume (to 4 %), and the gallbladder that goes with it."""
    size = 1.0
    for attempt in range(6):
        frame = lv.LiverFrame(trunk, size)
        pear = None if gallbladder is None else lv.gallbladder_shape(frame, gallbladder)
        liver = lv.liver_shape(frame, form, neighbours if pear is None else (*neighbours, (pear, 0.0)))
        measured = _measure(liver, warp)
        if attempt == 5 or abs(measured.volume_ml / target_ml - 1.0) < 0.04:
            break
        # Wall and diaphragm hold part of the surface in place, so a liver grows slower than size³.
        size = float(np.clip(size * (target_ml / measured.volume_ml) ** 0.42, 0.75, 1.35))
    return frame, liver, pear, measured


def _draw_form(rng: np.random.Generator, severity: float) -> lv.LiverForm:
    return lv.LiverForm(
        right=float(rng.uniform(0.97, 1.06) - 0.10 * severity),
        left=float(rng.uniform(0.75, 1.12) + 0.13 * severity),
        caudate=float(rng.uniform(0.85, 1.1) + 0.25 * severity),
        reach=float(rng.choice([0.0, 0.0, 8.0, 20.0])),
        nodules_mm=float(rng.uniform(0.2, 0.9) * severity),
        phases=vector(rng.uniform(0, 6.28, 3)),
    )


def _draw_trunk(rng: np.random.Generator) -> Trunk:
    habitus = float(rng.uniform(0.0, 1.0))  # 0 lean … 1 stout
    half_width, half_depth = 126.0 + 18.0 * habitus, 78.0 + 18.0 * habitus
    fat = float(np.clip(5.0 + 20.0 * habitus + rng.normal(0, 4), 4.0, 30.0))
    right = float(rng.uniform(86.0, 100.0))
    apexes = (
        (-0.53 * half_width, -4.0, right),
        (0.0, -0.10 * half_depth, right - float(rng.uniform(16.0, 26.0))),  # the central tendon, under the heart
        (0.55 * half_width, 0.0, right - float(rng.uniform(6.0, 18.0))),
    )
    dome = Dome(apexes, (0.56 * half_width, 0.95 * half_depth), float(rng.uniform(46.0, 62.0)), 0.14)
    return Trunk(half_width, half_depth, float(rng.uniform(10.0, 14.0)), fat, dome)


def _draw_chemistry(rng: np.random.Generator, severity: float) -> Chemistry:
    uptake = float(np.clip(rng.normal(1.0 - 0.35 * severity, 0.12), 0.3, 1.2))
    if rng.uniform() < 0.25 * severity:
        uptake = float(rng.uniform(0.2, 0.4))
    return Chemistry(
        uptake,
        float(rng.normal(1.0 + 0.10 * severity, 0.05)),
        float(np.clip(rng.normal(1.0, 0.10), 0.75, 1.2)),
        float(rng.normal(1.0 - 0.12 * severity, 0.05)),
        float(rng.uniform(0.7, 1.2)),
    )


@dataclass(frozen=True, eq=False)
class _Measured:
    volume_ml: float
    box: Box
    inside: NDArray[np.float64]
    depth_mm: NDArray[np.float64]


def _measure(liver: Shape, warp: Warp) -> _Measured:
    """Volume and extent in the world; points inside in the canonical frame with their depth."""
    low, high = warp.world_box(liver.bounds(), 2.0)
    points, _ = world_points(low, high, MEASURING_STEP_MM)
    canonical = warp.to_canonical(points)
    distance = liver.distance(canonical)
    mask = distance < 0
    occupied = [p[mask] for p in points]
    half = 0.5 * MEASURING_STEP_MM
    box = (vector([p.min() - half for p in occupied]), vector([p.max() + half for p in occupied]))
    inside = np.stack([c[mask] for c in canonical], axis=1).astype(np.float64)
    return _Measured(float(mask.sum()) * MEASURING_STEP_MM**3 / 1000.0, box, inside, -distance[mask].astype(np.float64))


def _extent(body: Shape, warp: Warp, slab: Box) -> Box:
    """World box of the trunk over the slab that holds the liver, measured every 8 mm."""
    low, high = warp.world_box(body.bounds())
    points, _ = world_points((low[0], low[1], slab[0][2]), (high[0], high[1], slab[1][2]), 8.0)
    occupied = [p[body.distance(warp.to_canonical(points)) < 0] for p in points]
    return vector([p.min() - 4.0 for p in occupied]), vector([p.max() + 4.0 for p in occupied])
