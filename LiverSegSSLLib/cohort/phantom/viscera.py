"""Spleen, kidneys, stomach, bowel, pancreas and gallbladder, in the canonical frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LiverSegSSLLib.cohort.phantom.parts import Part, Trunk
from LiverSegSSLLib.cohort.phantom.shapes import (
    UNBOUNDED,
    Array,
    Box,
    Bumpy,
    Common,
    Ellipsoid,
    Grown,
    HalfSpace,
    Outside,
    Points,
    Shape,
    Tube,
    Union,
    Vector,
    tilted,
)


@dataclass(frozen=True)
class Coils:
    """A bent gyroid: winding bands through all of space, as small bowel loops fill theirs."""

    wavelength_mm: float
    phases: Vector
    level: float = 0.25

    def distance(self, points: Points) -> Array:
        k = float(2.0 * np.pi / self.wavelength_mm)
        x, y, z = (p * k + a for p, a in zip(points, self.phases, strict=True))
        bend_x, bend_y = 1.1 * np.sin(0.43 * y + 0.31 * z), 1.1 * np.sin(0.37 * z - 0.41 * x)
        x, y, z = x + bend_x, y + bend_y, z + bend_x - bend_y  # unbent, the bands would run parallel
        field = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
        return np.asarray((np.abs(field) - (1.0 - self.level)) / (1.2 * k))

    def bounds(self) -> Box:
        return UNBOUNDED


def kidney_shape(trunk: Trunk, side: float, size: float, lift: float) -> Shape:
    """A bean with its hilum towards the middle. ``side``: -1 right, 1 left; ``lift``: z of its centre, mm."""
    x, y = side * (0.40 * trunk.half_width + 6.0), trunk.half_depth - 38.0
    bean = Ellipsoid((x, y, lift), (26.0 * size, 25.0 * size, 54.0 * size), tilted(-9.0, -side * 11.0, side * 24.0))
    hilum = Ellipsoid((x - side * 27.0 * size, y - 9.0 * size, lift), (13.0 * size, 11.0 * size, 17.0 * size))
    return Common((bean, Outside(hilum)), 5.0)


def kidney(shape: Shape, organ: str, rng: np.random.Generator) -> list[Part]:
    """Cortex, medulla with columns, and sinus fat.

    Kidneys move less than the liver (Schwartz et al., Radiother Oncol 1994;32:84); half as far is assumed.
    """
    low, high = np.asarray(shape.bounds())
    centre = 0.5 * (low + high)
    phases = tuple(float(v) for v in rng.uniform(0, 6.28, 3))
    sinus = Ellipsoid(_point(centre), (6.5, 6.5, 18.0))
    return [
        Part("renal_cortex", shape, organ, mobility=0.5),
        Part("renal_medulla", Bumpy(Grown(shape, -9.0), 3.2, 24.0, phases), organ, mobility=0.5),  # type: ignore[arg-type]
        Part("visceral_fat", sinus, organ, mobility=0.5),
    ]


def spleen(trunk: Trunk, size: float, rng: np.random.Generator) -> Part:
    """A crescent between wall, diaphragm and stomach; portal hypertension makes it large."""
    a, b = trunk.half_width, trunk.half_depth
    centre = (a - 26.0, 0.30 * b, 22.0 + 10.0 * float(rng.uniform(-1, 1)))
    outer = Ellipsoid(centre, (44.0 * size, 47.0 * size, 54.0 * size), tilted(18.0, 0.0, -22.0))
    inner = Ellipsoid((centre[0] - 62.0 * size, centre[1] - 22.0, centre[2] + 2.0), (50.0 * size, 50.0, 80.0))
    return Part("spleen", trunk.under_diaphragm(Common((outer, Outside(inner)), 9.0), 4.5), "spleen")


def stomach(trunk: Trunk, filling: float, gas_share: float) -> list[Part]:
    """Fundus, body and antrum; fluid below, gas in front (the patient lies on the back)."""
    b, f = trunk.half_depth, filling
    outline: Shape = Union(
        (
            Ellipsoid((54.0, 0.10 * b, 50.0), (40.0 * f, 42.0 * f, 36.0), tilted(0.0, 15.0, 0.0)),
            Tube((58.0, -0.05 * b, 36.0), (54.0, -0.48 * b, -18.0), 31.0 * f, 26.0 * f),
            Tube((54.0, -0.48 * b, -18.0), (-2.0, -0.42 * b, -42.0), 24.0 * f, 13.0 * f),
        ),
        16.0,
    )
    outline = trunk.under_diaphragm(outline, 6.0)
    lumen = Grown(outline, -4.5)
    level = float(-0.62 * b + gas_share * 0.6 * b)
    return [
        Part("bowel_wall", outline, "stomach", layers=((4.5, "gastric_fluid"),)),
        Part("gas", Common((lumen, HalfSpace((0.0, level, 0.0), (0.0, 1.0, 0.0)))), "stomach"),
    ]


def bowel(trunk: Trunk, rng: np.random.Generator) -> list[Part]:
    """Small bowel loops, colon with haustra and gas, duodenum."""
    a, b = trunk.half_width, trunk.half_depth
    phases = tuple(float(v) for v in rng.uniform(0, 6.28, 3))
    room = Common((Grown(trunk.cavity, -9.0), HalfSpace((0.0, -0.1 * b, -52.0), (-0.25, 0.12, 1.0))), 8.0)
    back = HalfSpace((0.0, b - 68.0, 0.0), (0.0, 1.0, 0.0))
    loops = Common((room, back, Coils(float(rng.uniform(52, 66)), phases, 0.45)), 3.0)  # type: ignore[arg-type]
    sag = float(rng.uniform(-18, 18))
    course = [
        (-(a - 34.0), 0.20 * b, -200.0),
        (-(a - 36.0), 0.05 * b, -112.0),
        (-0.45 * a, -0.62 * b, -98.0 + sag),
        (0.05 * a, -0.68 * b, -78.0 + sag),
        (0.50 * a, -0.55 * b, -48.0),
        (a - 36.0, 0.05 * b, -10.0),
        (a - 30.0, 0.36 * b, -90.0),
        (a - 32.0, 0.30 * b, -200.0),
    ]
    radii = rng.uniform(15.0, 23.0, len(course))
    tubes = tuple(
        Tube(p, q, float(r), float(s)) for p, q, r, s in zip(course, course[1:], radii, radii[1:], strict=False)
    )
    colon = Bumpy(Common((Union(tubes, 6.0), Grown(trunk.cavity, -5.0)), 4.0), 3.0, 34.0, phases)  # type: ignore[arg-type]
    gas = Common((Grown(colon, -3.0), Coils(90.0, (phases[1], phases[2], phases[0]), 0.35)), 2.0)
    duodenum = Union(
        (
            Tube((-4.0, -0.36 * b, -40.0), (-36.0, b - 74.0, -44.0), 11.0, 12.0),
            Tube((-36.0, b - 74.0, -44.0), (-32.0, b - 68.0, -100.0), 12.0, 11.0),
        ),
        6.0,
    )
    return [
        Part("bowel_wall", loops, "bowel", layers=((2.6, "bowel_content"),)),
        Part("bowel_wall", colon, "bowel", layers=((2.8, "bowel_content"),)),
        Part("gas", gas, "bowel"),
        Part("bowel_wall", duodenum, "bowel", layers=((3.5, "gastric_fluid"),)),
    ]


def pancreas(trunk: Trunk) -> Part:
    """Head beside the duodenum, tail towards the spleen."""
    b = trunk.half_depth
    course = [(-22.0, b - 72.0, -58.0), (2.0, b - 82.0, -34.0), (34.0, b - 74.0, -8.0), (66.0, b - 52.0, 14.0)]
    radii = [14.0, 10.0, 10.0, 7.5]
    tubes = tuple(Tube(p, q, r, s) for p, q, r, s in zip(course, course[1:], radii, radii[1:], strict=False))
    return Part("pancreas", Bumpy(Union(tubes, 6.0), 1.6, 15.0), "pancreas")


def _point(values: np.ndarray) -> Vector:
    return float(values[0]), float(values[1]), float(values[2])
