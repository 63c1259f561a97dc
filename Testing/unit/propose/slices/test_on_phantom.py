"""What a reviewer gains: a distorted label of the phantom's liver, a few slices put right, the rest follows."""

import numpy as np
import pytest
from scipy import ndimage

from LiverSegSSLLib.cohort.phantom import acquire, draw_anatomy, protocol
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.propose.slices import propagate


@pytest.fixture(scope="module", params=[Phase.GED4, Phase.T2], ids=lambda phase: phase.value)
def liver(request):
    return acquire(draw_anatomy(3), request.param, protocol("A"), 2.8, 3).liver


def distorted(liver, mm=6.0, smooth_mm=30.0):
    """The liver with its outline moved to and fro, by 6 mm or so within a slice, as a doubtful pseudo label."""
    rng = np.random.default_rng(3)
    places = np.indices(liver.array.shape).astype(float)
    for axis, spacing in enumerate(liver.geometry.spacing_zyx):
        field = ndimage.gaussian_filter(
            rng.normal(size=liver.array.shape), [smooth_mm / step for step in liver.geometry.spacing_zyx]
        )
        places[axis] += field * mm * (0.3 if axis == 0 else 0.6) / field.std() / spacing
    return ndimage.map_coordinates((liver.array > 0).astype(float), places, order=1) > 0.5


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def untouched(liver, label, indices):
    """Dice in the slices that nobody touched: before, and after the given ones were put right."""
    truth = liver.array > 0
    given = {int(index): truth[index] for index in indices}
    result = propagate(liver, given, previous=liver.with_array(label.astype(np.uint8)))
    rest = [index for index in range(len(truth)) if index not in given]
    return dice(label[rest], truth[rest]), dice(result.labels.array[rest] > 0, truth[rest])


def extent(liver):
    found = np.flatnonzero((liver.array > 0).any(axis=(1, 2)))
    return int(found[0]), int(found[-1])


def test_more_corrected_slices_bring_the_others_nearer_to_the_truth(liver):
    label, (low, high) = distorted(liver), extent(liver)
    gains = {}
    for count in (1, 2, 3, 5):
        before, after = untouched(liver, label, np.round(np.linspace(low, high, count + 2)[1:-1]).astype(int))
        gains[count] = (after - before) / (1 - before)
        print(f"{count} slices: {before:.3f} -> {after:.3f}")
    assert gains[1] > 0 and list(gains.values()) == sorted(gains.values())
    assert gains[2] > 0.1 and gains[5] > 0.25, "share of the error that is gone from slices nobody touched"


def test_a_missing_dome_comes_back_with_two_slices(liver):
    label, (low, high) = distorted(liver), extent(liver)
    label[high - (high - low) // 4 :] = False
    before, after = untouched(liver, label, [(low + high) // 2, high - 1])
    print(f"dome: {before:.3f} -> {after:.3f}")
    assert (after - before) / (1 - before) > 0.4
