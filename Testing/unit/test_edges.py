"""A rough border moves to the edge that the image shows; without an edge it stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.edges import EdgeWalk, follow_edges
from LiverSegSSLLib.volume import Geometry, Volume

GRID = Geometry((48, 40, 20), (3.0, 3.0, 5.0), (7.0, -20.0, 100.0))


def ball(radius_mm: float, centre: tuple[float, float, float] = (50.0, 60.0, 70.0)) -> np.ndarray:
    """Signed distance (mm, positive within) to a ball; centre (z, y, x) in mm from the first voxel."""
    z, y, x = np.indices(GRID.shape) * np.array([5.0, 3.0, 3.0]).reshape(3, 1, 1, 1)
    return radius_mm - np.sqrt((z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2)


def slope(distance: np.ndarray, width_mm: float = 4.0) -> np.ndarray:
    return (1 / (1 + np.exp(-distance / width_mm))).astype(np.float32)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def picture(liver: float, around: float, noise: float = 4.0) -> Volume:
    rng = np.random.default_rng(3)
    inside = ball(35.0) > 0
    shading = 1 + 0.2 * np.linspace(-1, 1, GRID.shape[2])  # a coil's slow shading is no border
    return Volume(((np.where(inside, liver, around)) * shading + rng.normal(0, noise, GRID.shape)), GRID)


@pytest.mark.parametrize(("liver", "around"), [(200.0, 90.0), (60.0, 150.0)], ids=["bright", "dark"])
@pytest.mark.parametrize("radius", [31.0, 39.0], ids=["too small", "too large"])
def test_the_border_moves_to_the_edge(liver: float, around: float, radius: float) -> None:
    truth, rough = ball(35.0) > 0, slope(ball(radius))
    before = dice(rough >= 0.5, truth)
    image = picture(liver, around)
    found = follow_edges(image, Volume(rough, GRID))
    walked = follow_edges(image, Volume(rough, GRID), EdgeWalk(share=1.0))
    assert before < 0.9 < 0.93 < dice(found.array >= 0.5, truth)  # half the walk is the default
    assert dice(walked.array >= 0.5, truth) > 0.95
    assert found.array.dtype == np.float32 and found.geometry == GRID
    assert found.array.min() >= 0 and found.array.max() <= 1


def test_a_shifted_border_moves_back() -> None:
    truth, rough = ball(35.0) > 0, slope(ball(35.0, (50.0, 66.0, 66.0)))
    found = follow_edges(picture(200.0, 90.0), Volume(rough, GRID))
    assert dice(rough >= 0.5, truth) < 0.9 < 0.95 < dice(found.array >= 0.5, truth)


def test_what_is_certain_stays() -> None:
    rough = Volume(slope(ball(37.0), 2.0), GRID)
    found = follow_edges(picture(200.0, 90.0), rough, EdgeWalk(spacing_mm=1.0))
    certain = (rough.array >= 0.97) | (rough.array <= 0.01)
    assert np.allclose(found.array[certain], rough.array[certain], atol=1e-3)
    assert not np.allclose(found.array[~certain], rough.array[~certain], atol=0.2)


@pytest.mark.parametrize(
    "probability",
    [np.zeros(GRID.shape, np.float32), np.full(GRID.shape, 0.4, np.float32), np.ones(GRID.shape, np.float32)],
    ids=["nothing", "nowhere likely", "everything"],
)
def test_without_seeds_nothing_changes(probability: np.ndarray) -> None:
    found = follow_edges(picture(200.0, 90.0), Volume(probability, GRID))
    assert np.array_equal(found.array, probability)


def test_a_constant_image_has_no_edge() -> None:
    rough = slope(ball(33.0))
    found = follow_edges(Volume(np.full(GRID.shape, 7.0), GRID), Volume(rough, GRID))
    assert np.array_equal(found.array, rough)


def test_a_border_far_from_the_rough_one_is_not_believed() -> None:
    # The edge in the image is that of something else, much smaller than the rough mask.
    rough = slope(ball(48.0), 25.0)
    image = Volume(np.where(ball(14.0) > 0, 200.0, 90.0) + np.random.default_rng(0).normal(0, 2, GRID.shape), GRID)
    found = follow_edges(image, Volume(rough, GRID))
    assert np.array_equal(found.array, rough)


@settings(max_examples=4, deadline=None)
@given(scale=st.floats(0.01, 1000), step=st.sampled_from([0.35, 0.7, 1.4]))
def test_units_of_the_image_do_not_matter(scale: float, step: float) -> None:
    image, rough = picture(200.0, 90.0), Volume(slope(ball(38.0)), GRID)
    one = follow_edges(image, rough, EdgeWalk(step)).array
    other = follow_edges(image.with_array(image.array * scale), rough, EdgeWalk(step)).array
    assert dice(one >= 0.5, other >= 0.5) > 0.999
