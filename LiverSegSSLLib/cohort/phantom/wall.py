"""The trunk itself: skin, fat, muscles, ribs, spine, lungs and heart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LiverSegSSLLib.cohort.phantom.parts import Part, Trunk
from LiverSegSSLLib.cohort.phantom.shapes import (
    UNBOUNDED,
    Array,
    Box,
    Bumpy,
    Column,
    Common,
    Ellipsoid,
    Grown,
    HalfSpace,
    Outside,
    Points,
    Tube,
    tilted,
)


@dataclass(frozen=True)
class Slabs:
    """Parallel slabs that lean forwards and down: the ribs' share of the chest wall."""

    period_mm: float
    thickness_mm: float
    slope: float
    offset_mm: float = 0.0

    def distance(self, points: Points) -> Array:
        height = points[2] - self.slope * points[1] - self.offset_mm
        return np.asarray(np.abs(np.mod(height, self.period_mm) - 0.5 * self.period_mm) - 0.5 * self.thickness_mm)

    def bounds(self) -> Box:
        return UNBOUNDED


def shell(trunk: Trunk) -> list[Part]:
    """Skin, subcutaneous fat, muscle wall, ribs and the fat that fills the cavity."""
    a, b, wall, fat = trunk.half_width, trunk.half_depth, trunk.wall, trunk.fat
    outline = Column((0.0, 0.15 * fat), (a + wall + fat, b + wall + 0.85 * fat), round_corners=True)
    muscle = Column((0.0, 0.0), (a + wall, b + wall), round_corners=True)
    ribs = Common(
        (
            Slabs(29.0, 11.0, 0.55),
            Grown(muscle, -2.0),
            Outside(trunk.cavity, 1.0),
            # Costal margin: the ribs end lower at the sides and the back than in front.
            HalfSpace((0.0, 0.0, -45.0), (0.0, -0.6, -1.0)),
        ),
        3.0,
    )
    return [
        Part("skin", outline, layers=((2.2, "subcutaneous_fat"),), mobility=0.0),
        Part("muscle", muscle, mobility=0.0),
        Part("cortical_bone", ribs, layers=((2.2, "marrow"),), mobility=0.0),
        Part("visceral_fat", trunk.cavity, mobility=0.0),
    ]


def spine(trunk: Trunk, rng: np.random.Generator) -> list[Part]:
    """Vertebrae with discs, canal and cord, spinous processes, and the muscles beside them."""
    b, start = trunk.half_depth, float(rng.uniform(0.0, 34.0))
    body, arch = (0.0, b - 30.0), (0.0, b - 2.0)
    parts = []
    for side in (-1.0, 1.0):
        psoas = Tube((side * 30.0, b - 30.0, -10.0), (side * 48.0, b - 38.0, -190.0), 9.0, 24.0)
        back = Column((side * 35.0, b + 4.0), (31.0, 21.0))
        parts += [Part("muscle", psoas, mobility=0.0), Part("muscle", back, mobility=0.0)]
    return [
        *parts,
        Part("disc", Column(body, (21.0, 16.5)), "spine", mobility=0.0),
        Part(
            "cortical_bone",
            Column(body, (22.0, 17.0), period_mm=34.0, fill=0.79, phase_mm=start),
            "spine",
            ((1.8, "marrow"),),
            0.0,
        ),
        Part(
            "cortical_bone",
            Column((0.0, b + 17.0), (4.5, 17.0), period_mm=34.0, fill=0.6, phase_mm=start + 8.0),
            "spine",
            ((1.6, "marrow"),),
            0.0,
        ),
        Part("cortical_bone", Column(arch, (14.0, 12.0)), "spine", ((1.5, "marrow"),), 0.0),
        Part("csf", Column(arch, (9.0, 8.0)), "spine", mobility=0.0),
        Part("cord", Column(arch, (4.5, 4.0)), "spine", mobility=0.0),
    ]


def chest(trunk: Trunk, rng: np.random.Generator) -> list[Part]:
    """Diaphragm, lung bases, heart and oesophagus."""
    b, dome = trunk.half_depth, trunk.dome
    top = max(apex[2] for apex in dome.apexes)
    heart = Ellipsoid((26.0, -0.35 * b, top + 34.0), (58.0, 47.0, 42.0), tilted(0.0, 14.0, 28.0))
    chambers = Bumpy(Grown(heart, -9.0), 3.0, 38.0, tuple(float(v) for v in rng.uniform(0, 6.28, 3)))  # type: ignore[arg-type]
    lungs = Common((dome, Grown(trunk.cavity, -1.0)), 4.0)
    gullet = Tube((4.0, b - 58.0, top + 60.0), (24.0, b - 74.0, 58.0), 7.0, 8.0)
    return [
        Part("muscle", Common((Grown(dome, 2.0), trunk.cavity), 2.0)),
        Part("lung", lungs, "lungs"),
        Part("visceral_fat", Grown(heart, 5.0)),
        Part("myocardium", heart, "heart"),
        Part("heart_blood", chambers, "heart"),
        Part("bowel_wall", gullet, layers=((4.5, "bowel_content"),)),
    ]
