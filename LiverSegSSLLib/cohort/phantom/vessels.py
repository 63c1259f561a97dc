"""Vessels: aorta and vena cava, and the portal and hepatic trees grown into a liver."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.cohort.phantom.parts import Part, Trunk
from LiverSegSSLLib.cohort.phantom.shapes import Tube, Union, Vector, vector

DAUGHTER_RADIUS = 0.79
"""Radius of a daughter vessel to its parent's: Murray's law, 2^(-1/3) (Murray, PNAS 1926;12:207)."""


def aorta(trunk: Trunk) -> Part:
    """The aorta from behind the heart to the bifurcation, with the stem of the coeliac trunk."""
    b = trunk.half_depth
    course = [(22.0, b - 44.0, 260.0), (16.0, b - 52.0, 90.0), (9.0, b - 57.0, -10.0), (6.0, b - 56.0, -230.0)]
    return Part("arterial_blood", _chain(course, [12.5, 11.5, 10.0, 8.5]), "aorta", mobility=0.0)


def vena_cava(trunk: Trunk, top: float) -> Tube:
    """The retrohepatic vena cava as one tube (the liver is carved around it)."""
    b = trunk.half_depth
    return Tube((-21.0, b - 57.0, -230.0), (-19.0, b - 66.0, top + 22.0), 9.5, 11.5)


def grow_tree(
    root: Vector,
    targets: NDArray[np.float64],
    radius_mm: float,
    rng: np.random.Generator,
    generations: int,
    reach: float = 0.5,
) -> Iterator[Tube]:
    """A tree that fills a cloud of points: each vessel runs ``reach`` of the way to its points' centre and divides.

    :param targets: points to supply, (n, 3), mm.
    """
    if generations == 0 or len(targets) < 2:
        return
    centre = targets.mean(axis=0)
    end = np.asarray(root) + reach * (centre - root) + rng.normal(0.0, 2.5, 3)
    daughter = radius_mm * DAUGHTER_RADIUS
    yield Tube(root, vector(end), radius_mm, 0.5 * (radius_mm + daughter))
    spread = targets - centre
    axis = np.linalg.svd(spread, full_matrices=False)[2][0]
    side = spread @ axis > rng.normal(0.0, 4.0)
    for half in (targets[side], targets[~side]):
        yield from grow_tree(vector(end), half, daughter, rng, generations - 1, reach)


def liver_vessels(
    inside: NDArray[np.float64], hilum: Vector, outflow: Vector, trunk: Trunk, rng: np.random.Generator
) -> list[Part]:
    """Portal tree from the hilum, hepatic veins from the vena cava, and the portal trunk outside the liver.

    :param inside: points inside the liver, (n, 3), canonical mm.
    """
    b = trunk.half_depth
    confluence = (6.0, b - 74.0, hilum[2] - 34.0)
    portal = list(grow_tree(hilum, inside, 6.2, rng, 5))
    thirds = np.array_split(inside[np.argsort(inside[:, 0] + rng.normal(0, 6, len(inside)))], 3)
    hepatic = [tube for third in thirds for tube in grow_tree(outflow, third, 4.8, rng, 4, 0.55)]
    stem = Tube(confluence, hilum, 7.0, 6.4)
    splenic = Tube(confluence, (trunk.half_width - 75.0, b - 55.0, 22.0), 4.5, 4.0)
    mesenteric = Tube(confluence, (10.0, b - 78.0, -180.0), 5.5, 4.5)
    duct = Tube((hilum[0] - 4.0, hilum[1] - 8.0, hilum[2] + 2.0), (confluence[0] - 20.0, b - 66.0, -62.0), 3.0, 3.2)
    return [
        *(Part("portal_blood", tube) for tube in (splenic, mesenteric, stem)),
        Part("bile", duct),
        *(Part("portal_blood", tube, "liver", in_liver=True) for tube in portal),
        *(Part("hepatic_blood", tube, "liver", in_liver=True) for tube in hepatic),
    ]


def _chain(points: list[Vector], radii: list[float]) -> Union:
    pairs = zip(points, points[1:], radii, radii[1:], strict=False)
    return Union(tuple(Tube(p, q, r, s) for p, q, r, s in pairs))
