"""What holds for every set of slices; wrong input; a network in place of the interpolation."""

import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from LiverSegSSLLib.errors import BadInputError, GeometryError, LabelError
from LiverSegSSLLib.propose.slices import propagate
from LiverSegSSLLib.volume import Geometry
from Testing.unit.propose.slices.shapes import assert_disc, blank, disc, stack

SHAPE = (9, 14, 12)


@st.composite
def scribbles(draw, objects=3):
    """Rectangles of several objects in a few slices, noise in one; with or without an earlier label."""
    labels = np.zeros(SHAPE, np.uint8)
    for _ in range(draw(st.integers(1, 5))):
        value = draw(st.integers(1, objects))
        corner = [draw(st.integers(0, size - 2)) for size in SHAPE]
        size = [draw(st.integers(1, 8)) for _ in SHAPE]
        labels[tuple(slice(start, start + step) for start, step in zip(corner, size, strict=True))] = value
    chosen = draw(st.sets(st.integers(0, SHAPE[0] - 1), min_size=1, max_size=4))
    drawn = {index: labels[index].copy() for index in chosen}
    if draw(st.booleans()):
        index = min(drawn)
        drawn[index] = draw(arrays(np.uint8, SHAPE[1:], elements=st.integers(0, objects)))
    before = None
    if draw(st.booleans()):
        before = np.roll(labels, draw(st.integers(-3, 3)), axis=draw(st.integers(0, 2)))
    return drawn, before


IMAGE = blank(SHAPE, (1.0, 1.5, 4.0))


def carry(drawn, before, image=IMAGE, axis=0):
    previous = None if before is None else image.with_array(before)
    return propagate(image, drawn, axis=axis, previous=previous, fade_mm=12.0)


@given(scribbles())
@settings(max_examples=60, deadline=None)
def test_given_slices_stay_exactly_as_given_and_no_label_is_invented(scene):
    drawn, before = scene
    result = carry(drawn, before)
    labels = result.labels.array
    for index, mask in drawn.items():
        assert np.array_equal(labels[index], mask)
    known = set(np.unique(np.stack(list(drawn.values())))) | set(np.unique(before) if before is not None else ())
    assert set(np.unique(labels)) <= known | {0}
    assert result.given == tuple(sorted(drawn))
    old = np.zeros(SHAPE) if before is None else before
    differs = {index for index in range(SHAPE[0]) if not np.array_equal(labels[index], old[index])}
    assert set(result.changed) == differs - set(drawn)
    if before is None:
        outside = [z for z in range(SHAPE[0]) if z < min(drawn) or z > max(drawn)]
        assert not labels[outside].any()


@given(scribbles(), st.permutations([1, 2, 3]), st.sampled_from([1, 40, 80]))
@settings(max_examples=40, deadline=None)
def test_the_names_of_the_objects_do_not_matter(scene, order, factor):
    drawn, before = scene
    names = np.array([0, *(factor * value for value in order)], np.uint8)
    renamed = carry({k: names[mask] for k, mask in drawn.items()}, None if before is None else names[before])
    assert np.array_equal(renamed.labels.array, names[carry(drawn, before).labels.array])


@given(scribbles(), st.sampled_from([1, 2]))
@settings(max_examples=40, deadline=None)
def test_the_axis_does_not_matter(scene, axis):
    """The same slices along another axis of the array."""
    drawn, before = scene
    slices, *rest = IMAGE.geometry.spacing_zyx
    moved = [*rest[:axis], slices, *rest[axis:]]
    shape = np.moveaxis(np.empty(SHAPE), 0, axis).shape
    turned = carry(drawn, None if before is None else np.moveaxis(before, 0, axis), blank(shape, moved[::-1]), axis)
    assert np.array_equal(np.moveaxis(turned.labels.array, axis, 0), carry(drawn, before).labels.array)


@given(scribbles())
@settings(max_examples=40, deadline=None)
def test_objects_do_not_leak_into_each_other(scene):
    """Every object is within what it would be alone, and what any would take is somebody's."""
    drawn, before = scene
    labels = carry(drawn, before).labels.array
    alone = {}
    for value in set(np.unique(np.stack(list(drawn.values())))) | set(np.unique(before) if before is not None else ()):
        if value:
            mine = {k: (mask == value).astype(np.uint8) for k, mask in drawn.items()}
            only = carry(mine, None if before is None else (before == value).astype(np.uint8))
            alone[value] = only.labels.array == 1
    for value, reach in alone.items():
        assert not (labels == value)[~reach].any()
    if alone:
        assert np.array_equal(labels > 0, np.logical_or.reduce(list(alone.values())))


@given(scribbles())
@settings(max_examples=25, deadline=None)
def test_turned_over_it_is_the_same_turned_over(scene):
    drawn, before = scene
    last = SHAPE[0] - 1
    over = carry({last - k: mask for k, mask in drawn.items()}, None if before is None else before[::-1].copy())
    there = carry(drawn, before).labels.array
    assert np.array_equal(over.labels.array[::-1] > 0, there > 0)


def test_order_and_number_format_of_the_masks_do_not_matter():
    masks = {3: disc(8), 9: disc(16), 5: disc(5, (20, 20))}
    plain = propagate(blank(), masks).labels.array
    for kind in (np.uint8, np.int64, np.float32):
        other = propagate(blank(), {k: masks[k].astype(kind) for k in sorted(masks, reverse=True)})
        assert np.array_equal(other.labels.array, plain)
    assert plain.dtype == np.uint8


def test_large_label_values_are_kept():
    labels = propagate(blank(), {0: disc(5) * 1000, 4: disc(5) * 1000}).labels.array
    assert labels.dtype == np.uint16 and set(np.unique(labels)) == {0, 1000}


@pytest.mark.parametrize(
    ("drawn", "options", "error", "says"),
    [
        ({}, {}, BadInputError, "no slice is given"),
        ({24: disc(4)}, {}, BadInputError, "slice 24: is outside: the volume has slices 0 to 23 along axis 0"),
        ({-1: disc(4)}, {}, BadInputError, "is outside"),
        ({3: disc(4).T}, {}, LabelError, r"slice 3: the mask has shape \(60, 64\), the slice \(64, 60\)"),
        ({3: disc(4) * 0.5}, {}, LabelError, "whole numbers"),
        ({3: disc(4) * np.nan}, {}, LabelError, "whole numbers"),
        ({3: disc(4) * -1}, {}, LabelError, "whole numbers"),
        ({3: disc(4).astype(complex)}, {}, LabelError, "cannot be complex"),
        ({3: disc(4)}, {"axis": 3}, BadInputError, "no axis 3"),
        ({3: disc(4)}, {"fade_mm": 0.0}, BadInputError, "fade out over 0"),
        ({3: disc(4)}, {"fade_mm": float("nan")}, BadInputError, "fade out over nan"),
        ({3: np.arange(64 * 60).reshape(64, 60)}, {}, LabelError, "3839 objects"),
        ({3: disc(4)}, {"previous": blank((23, 64, 60))}, GeometryError, "earlier label"),
        ({3: disc(4)}, {"previous": blank(spacing_xyz=(1.0, 1.0, 2.0))}, GeometryError, "earlier label"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_one_line(drawn, options, error, says):
    with pytest.raises(error, match=says) as caught:
        propagate(blank(), drawn, **options)
    assert "\n" not in str(caught.value)


@dataclass(frozen=True)
class Analytic:
    """A tracker that knows the answer: discs of these radii, whatever it is shown."""

    radii: tuple[float, ...]
    name: str = "analytic"

    def track(self, volume, given, axis):
        masks = np.moveaxis(stack(self.radii), 0, axis)
        return {1: np.where(masks, 0.9, 0.2).astype(np.float32)}


def test_a_network_decides_everywhere_but_in_the_given_slices():
    tracker = Analytic((12.0,) * 24)
    result = propagate(blank(), {5: disc(9), 8: disc(3)}, tracker=tracker)
    labels = result.labels.array
    assert np.array_equal(labels[5] == 1, disc(9)) and np.array_equal(labels[8] == 1, disc(3))
    others = [z for z in range(24) if z not in (5, 8)]
    assert all(np.array_equal(labels[z] == 1, disc(12)) for z in others)
    assert result.method == "analytic" and result.note.startswith("analytic carried slices 5, 8 to slices 0 to 4")
    assert result.probability[1].shape == labels.shape


def test_a_network_gives_way_to_the_earlier_label_beyond_the_given_slices():
    image = blank(spacing_xyz=(1.0, 1.0, 2.0))
    before = image.with_array(stack([8.0] * 24).astype(np.uint8))
    tracker = Analytic((16.0,) * 24)
    result = propagate(image, {10: disc(16), 12: disc(16)}, previous=before, tracker=tracker, fade_mm=8.0)
    labels = result.labels.array
    for z in range(10, 24):
        share = max(0.0, 1 - max(z - 12, 0) / 4)
        assert_disc(labels[z] == 1, 8 + 8 * share)
    assert np.array_equal(labels[17:] == 1, stack([8.0] * 7)), "out of reach: untouched"


def test_a_network_that_lost_the_object_does_not_erase_the_earlier_label_far_away():
    image = blank()
    before = image.with_array(stack([8.0] * 24).astype(np.uint8))
    nothing = replace(Analytic((0.0,) * 24), name="lost")
    labels = propagate(image, {10: disc(8)}, previous=before, tracker=nothing, fade_mm=8.0).labels.array
    assert labels[10].any() and not labels[11].any() and np.array_equal(labels[15:], before.array[15:])


def test_the_result_is_on_the_grid_of_the_image():
    image = replace(blank(), geometry=Geometry((60, 64, 24), (1.0, 1.0, 2.0), (5.0, 6.0, 7.0)), trailing_singleton=True)
    result = propagate(image, {3: disc(4)})
    assert result.labels.geometry == image.geometry and result.labels.trailing_singleton


def test_no_network_library_is_loaded():
    script = (
        "import sys, numpy as np; from LiverSegSSLLib.propose.slices import propagate\n"
        "from LiverSegSSLLib.volume import Geometry, Volume\n"
        "volume = Volume(np.zeros((9, 8, 8)), Geometry((8, 8, 9), (1, 1, 1)))\n"
        "propagate(volume, {0: np.ones((8, 8)), 8: np.eye(8)}, previous=volume)\n"
        "print([name for name in ('torch', 'sam2', 'itk', 'SimpleITK') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
