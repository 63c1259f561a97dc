"""The phantom's geometry: distances against closed forms, warps that do not fold, boxes that hold their shapes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.phantom.anatomy import draw_anatomy
from LiverSegSSLLib.cohort.phantom.shapes import (
    Bumpy,
    Column,
    Common,
    Ellipsoid,
    Grown,
    Outside,
    Shape,
    Tube,
    Union,
    smooth_min,
    tilted,
)
from LiverSegSSLLib.cohort.phantom.vessels import DAUGHTER_RADIUS, grow_tree
from LiverSegSSLLib.cohort.phantom.warp import draw_warp, vector_arrays, world_points

LATTICE, _ = world_points((-60.0, -60.0, -60.0), (60.0, 60.0, 60.0), 2.0)


def litres(shape: Shape) -> float:
    return float((shape.distance(LATTICE) < 0).sum()) * 8.0 / 1e6


def at(shape: Shape, *point: float) -> float:
    return float(shape.distance(vector_arrays(np.array(point))))


def test_sphere_distance_is_exact() -> None:
    sphere = Ellipsoid((1.0, 2.0, 3.0), (10.0, 10.0, 10.0))
    assert at(sphere, 1, 2, 18) == pytest.approx(5.0)
    assert at(sphere, 1, 2, 3 + 10) == pytest.approx(0.0, abs=1e-6)
    assert at(sphere, 5, 2, 3) == pytest.approx(-6.0)


def test_volumes_are_those_of_the_formulas() -> None:
    radii = (30.0, 20.0, 40.0)
    assert litres(Ellipsoid((0, 0, 0), radii)) == pytest.approx(4 / 3 * math.pi * math.prod(radii) / 1e6, rel=0.02)
    turned = Ellipsoid((0, 0, 0), radii, tilted(20.0, -35.0, 50.0))
    assert litres(turned) == pytest.approx(4 / 3 * math.pi * math.prod(radii) / 1e6, rel=0.02)
    tube = Tube((0, 0, -20), (0, 0, 20), 15.0, 15.0)
    assert litres(tube) == pytest.approx((math.pi * 15**2 * 40 + 4 / 3 * math.pi * 15**3) / 1e6, rel=0.02)
    assert litres(Column((0, 0), (20, 30), z_range=(-41, 41))) == pytest.approx(math.pi * 600 * 82 / 1e6, rel=0.05)


def test_combinations() -> None:
    a, b = Ellipsoid((-5.0, 0, 0), (20.0,) * 3), Ellipsoid((5.0, 0, 0), (20.0,) * 3)
    inside_a, inside_b = a.distance(LATTICE) < 0, b.distance(LATTICE) < 0
    assert np.array_equal(Union((a, b)).distance(LATTICE) < 0, inside_a | inside_b)
    assert np.array_equal(Common((a, b)).distance(LATTICE) < 0, inside_a & inside_b)
    assert np.array_equal(Common((a, Outside(b))).distance(LATTICE) < 0, inside_a & (b.distance(LATTICE) > 0))
    assert litres(Union((a, b), 8.0)) > litres(Union((a, b)))
    assert at(Grown(a, 3.0), 20, 0, 0) == pytest.approx(at(a, 20, 0, 0) - 3.0)


@given(a=st.floats(-50, 50), b=st.floats(-50, 50), k=st.floats(0, 20))
def test_smooth_minimum_lies_at_most_a_quarter_of_its_blend_below(a: float, b: float, k: float) -> None:
    value = float(smooth_min(np.asarray(a), np.asarray(b), k))
    assert min(a, b) - k / 4 - 1e-9 <= value <= min(a, b) + 1e-9
    if abs(a - b) >= k:
        assert value == pytest.approx(min(a, b))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_boxes_hold_their_shapes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q = (tuple(map(float, rng.uniform(-25, 25, 3))) for _ in range(2))
    radii = tuple(map(float, rng.uniform(4, 30, 3)))
    ball = Ellipsoid(p, radii, tilted(*map(float, rng.uniform(-90, 90, 3))))  # type: ignore[arg-type]
    tube = Tube(p, q, radii[0] / 2, radii[1] / 3)  # type: ignore[arg-type]
    for shape in (ball, tube, Union((ball, tube), 6.0), Bumpy(ball, 2.0, 15.0), Grown(tube, 3.0)):
        low, high = shape.bounds()
        inside = shape.distance(LATTICE) < 0
        for points, lo, hi in zip(LATTICE, low, high, strict=True):
            assert not inside.any() or (points[inside].min() >= lo - 1e-3 and points[inside].max() <= hi + 1e-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_warps_never_fold_and_can_be_undone(seed: int) -> None:
    warp = draw_warp(np.random.default_rng(seed), (3.0, -4.0, 20.0), (1.05, 0.95, 1.0), 5.0)
    points, _ = world_points((-160.0, -120.0, -120.0), (160.0, 120.0, 120.0), 20.0)
    canonical = warp.to_canonical(points)
    jacobian = np.stack([np.stack(np.gradient(c, 20.0), -1)[..., ::-1] for c in canonical], -2)
    assert np.linalg.det(jacobian).min() > 0.3
    for target in ((0.0, 0.0, 0.0), (-80.0, 20.0, 50.0)):
        back = np.array(warp.to_canonical(vector_arrays(np.array(warp.to_world(target)))))
        assert np.abs(back - target).max() < 0.05


def test_world_boxes_hold_warped_shapes() -> None:
    for seed in range(6):
        anatomy = draw_anatomy(seed)
        points, _ = world_points((-200.0, -160.0, -150.0), (200.0, 160.0, 170.0), 6.0)
        canonical = anatomy.warp.to_canonical(points)
        for part, (low, high) in zip(anatomy.parts, anatomy.boxes, strict=True):
            if part.organ in ("liver", "spleen", "right_kidney", "stomach", "pancreas", "gallbladder"):
                inside = part.shape.distance(canonical) < 0
                for p, lo, hi in zip(points, low, high, strict=True):
                    assert not inside.any() or (p[inside].min() >= lo - 0.1 and p[inside].max() <= hi + 0.1), part


def test_vessel_trees_divide_by_murrays_law_and_reach_their_targets() -> None:
    rng = np.random.default_rng(3)
    targets = rng.uniform(-40, 40, (400, 3))
    tree = list(grow_tree((0.0, 0.0, -60.0), targets, 6.0, rng, 4))
    assert len(tree) == 1 + 2 + 4 + 8
    assert abs(DAUGHTER_RADIUS**3 - 0.5) < 0.01
    starts, ends = {tube.start for tube in tree}, {tube.end for tube in tree}
    assert starts - ends == {(0.0, 0.0, -60.0)}  # every vessel but the first grows out of another
    nearest = np.min([np.linalg.norm(targets - tube.end, axis=1) for tube in tree], axis=0)
    assert np.median(nearest) < 25.0
