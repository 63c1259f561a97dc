"""The liver: a wedge under the right diaphragm with a left lobe, fissures and the prints of its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.cohort.phantom.parts import Part, Trunk
from LiverSegSSLLib.cohort.phantom.shapes import (
    Bumpy,
    Column,
    Common,
    Ellipsoid,
    HalfSpace,
    Outside,
    Shape,
    Union,
    Vector,
    tilted,
    vector,
)


@dataclass(frozen=True)
class LiverForm:
    """What makes one liver differ from another. Sizes are factors; ``reach``: how many mm the right lobe hangs
    lower (Riedel); ``nodules_mm``: waviness of a cirrhotic surface."""

    right: float = 1.0
    left: float = 1.0
    caudate: float = 1.0
    reach: float = 0.0
    nodules_mm: float = 0.0
    phases: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class LiverFrame:
    """Places in a liver of a given size: canonical points scale about a fixed point under the right dome."""

    trunk: Trunk
    size: float

    def at(self, x: float, y: float, z: float) -> Vector:
        """Where the point (x, y, z) of a liver of size 1 lies."""
        anchor = np.array([-0.62 * self.trunk.half_width, 0.0, 62.0])
        return vector(anchor + self.size * (np.array([x, y, z]) - anchor))

    @property
    def hilum(self) -> Vector:
        """Where the portal vein enters."""
        return self.at(-30.0, self.trunk.half_depth - 88.0, -6.0)

    @property
    def outflow(self) -> Vector:
        """Where the hepatic veins meet the vena cava."""
        return self.at(-22.0, self.trunk.half_depth - 68.0, 68.0)


def gallbladder_shape(frame: LiverFrame, size: float) -> Shape:
    """A pear under the right lobe, pointing forwards and down."""
    fundus = Ellipsoid(frame.at(-54.0, -42.0, -46.0), (14.0 * size, 24.0 * size, 15.0 * size), tilted(28.0, 0.0, 18.0))
    neck = Ellipsoid(frame.at(-42.0, -18.0, -28.0), (8.0 * size, 16.0 * size, 8.0 * size), tilted(28.0, 0.0, 18.0))
    return Union((fundus, neck), 8.0)


def liver_shape(frame: LiverFrame, form: LiverForm, neighbours: tuple[tuple[Shape, float], ...]) -> Shape:
    """The liver's outline, without its neighbours (each with the gap in mm that it keeps)."""
    trunk, s = frame.trunk, frame.size
    a, b = trunk.half_width, trunk.half_depth
    right = Ellipsoid(
        frame.at(-(a - 60.0), 4.0, 4.0 - form.reach),
        (83.0 * s * form.right, 100.0 * s, (92.0 + form.reach) * s),
        tilted(0.0, 6.0, 0.0),
    )
    left = Ellipsoid(
        frame.at(8.0, -0.42 * b, 44.0), (80.0 * s * form.left, 43.0 * s, 36.0 * s), tilted(-8.0, -13.0, -10.0)
    )
    # The visceral surface: hollow, facing back, down and left; a large sphere through the hilum.
    facing = np.array([0.50, 0.42, -0.76])
    radius = 150.0 * s
    hollow_centre = np.asarray(frame.hilum) + radius * facing / np.linalg.norm(facing)
    hollow = Ellipsoid(vector(hollow_centre), (radius, radius, radius))
    wedge = Common((right, Outside(hollow)), 12.0 * s)
    caudate = Ellipsoid(
        frame.at(-14.0, b - 84.0, 24.0), (19.0 * s * form.caudate, 20.0 * s * form.caudate, 27.0 * s * form.caudate)
    )
    lobes = Union((wedge, left, caudate), 16.0 * s)
    ligament = Ellipsoid(frame.at(-16.0, -0.70 * b, -2.0), (4.5, 34.0 * s, 36.0 * s), tilted(-20.0, 0.0, -8.0))
    porta = Ellipsoid(frame.at(-26.0, b - 92.0, -6.0), (24.0 * s, 8.0 * s, 9.0 * s), tilted(0.0, 0.0, 15.0))
    venosum = Ellipsoid(frame.at(4.0, b - 104.0, 24.0), (24.0 * s, 3.5, 24.0 * s), tilted(0.0, 0.0, 24.0))
    spine = Column((2.0, b - 28.0), (34.0, 34.0))
    outline = trunk.under_diaphragm(lobes, 4.0)
    cuts = [Outside(ligament, 0.5), Outside(porta, 0.5), Outside(venosum, 0.5), Outside(spine, 3.0)]
    cuts += [Outside(shape, gap) for shape, gap in neighbours]
    # The left lobe ends before the spleen, whatever the warp.
    end = HalfSpace((0.62 * a, 0.0, 0.0), (1.0, 0.0, 0.0))
    return Bumpy(Common((outline, *cuts, end), 4.0), form.nodules_mm, 17.0, form.phases)


LESIONS = ("cyst", "haemangioma", "carcinoma", "metastasis")
"""Kinds of lesions, named as their tissues."""


def lesions(
    count: int, inside: NDArray[np.float64], depth_mm: NDArray[np.float64], rng: np.random.Generator
) -> list[Part]:
    """Round lesions of 4–22 mm radius that fit into the liver.

    :param inside: points inside the liver, (n, 3); ``depth_mm``: how deep each lies below the surface.
    """
    parts: list[Part] = []
    for _ in range(count):
        kind = LESIONS[int(rng.integers(len(LESIONS)))]
        radius = float(np.clip(rng.gamma(3.0, 3.2), 4.0, 22.0))
        room = np.flatnonzero(depth_mm > 0.75 * radius)
        if not len(room):
            continue
        centre = vector(inside[rng.choice(room)])
        radii = vector(radius * rng.uniform(0.8, 1.2, 3))
        shape = Bumpy(Ellipsoid(centre, radii), 0.06 * radius, 14.0, vector(rng.uniform(0, 6.28, 3)))
        parts.append(Part(kind, shape, "liver", in_liver=True))
    return parts
