"""A few given slices and a network: on any axis, in any orientation, and as a tracker of `propagate`."""

import numpy as np
import pytest
import torch

from LiverSegSSLLib.propose.few_shot.engine import Engine
from LiverSegSSLLib.propose.few_shot.features import FeatureStore
from LiverSegSSLLib.propose.few_shot.few_shot import FewShot
from LiverSegSSLLib.propose.few_shot.frames import frames_of, probability_of
from LiverSegSSLLib.propose.few_shot.given_slices import SliceTracker, slice_tracker
from LiverSegSSLLib.propose.few_shot.network import save_network
from LiverSegSSLLib.propose.slices import propagate
from LiverSegSSLLib.volume import Geometry, Volume, axes_of, orient
from Testing.unit.propose.few_shot.small import shared_network

UPRIGHT = Geometry((22, 18, 7), (3.0, 3.0, 6.0), (1.0, 2.0, 3.0))


@pytest.fixture(scope="module")
def tracker() -> SliceTracker:
    return SliceTracker(Engine(shared_network()))


def picture() -> tuple[Volume, np.ndarray]:
    z, y, x = np.indices(UPRIGHT.shape)
    liver = ((z - 3) / 4) ** 2 + ((y - 8) / 5) ** 2 + ((x - 9) / 6) ** 2 < 1
    noise = np.random.default_rng(1).normal(0, 5, UPRIGHT.shape)
    return Volume((80 + 100 * liver + noise).astype(np.float32), UPRIGHT), liver


def test_frames_of_the_body_axis_are_those_of_few_shot_propagation(tracker):
    volume, liver = picture()
    given = {2: liver[2].astype(np.uint8), 4: liver[4].astype(np.uint8)}
    found = tracker.track(volume, given, 0)[1]
    frames = frames_of(volume)
    engine = Engine(shared_network())
    masks = {index: torch.from_numpy(liver[index]) for index in given}
    expected = probability_of(engine.track(engine.encode(frames), masks)[:, 0], frames).numpy()
    assert np.allclose(found, expected, atol=1e-4)
    assert found.shape == volume.array.shape and found.dtype == np.float32


@pytest.mark.parametrize("axes", ["RAS", "SLP", "PIR"])
def test_orientation_and_axis_do_not_matter(tracker, axes):
    """The same slices of the same body, stored another way, give the same answer."""
    volume, liver = picture()
    upright = tracker.track(volume, {2: liver[2].astype(np.uint8), 5: 2 * liver[5].astype(np.uint8)}, 0)
    labels = np.zeros(liver.shape, np.uint8)
    labels[2], labels[5] = liver[2], 2 * liver[5]
    stored, turned = orient(volume, axes), orient(volume.with_array(labels), axes).array
    axis = 2 - next(place for place, letter in enumerate(axes) if letter in "SI")
    count = turned.shape[axis]
    places = [count - 1 - index if "I" in axes else index for index in (2, 5)]
    found = tracker.track(stored, {index: turned.take(index, axis) for index in places}, axis)
    assert axes_of(stored.geometry) == axes
    for value in (1, 2):
        back = orient(stored.with_array(found[value]), "LPS").array
        assert np.allclose(back, upright[value], atol=1e-4)


def test_as_a_tracker_of_propagate(tracker):
    volume, liver = picture()
    given = {index: liver[:, index].astype(np.uint8) for index in (5, 9)}
    result = propagate(volume, given, axis=1, tracker=tracker)
    assert result.method == "SAM 2" and "SAM 2 carried slices 5, 9" in result.note
    for index, mask in given.items():
        assert np.array_equal(result.labels.array[:, index], mask)
    assert result.probability[1].shape == volume.array.shape
    # Without an object there is nothing to ask the network for.
    empty = propagate(volume, {3: np.zeros((18, 22), np.uint8)}, tracker=tracker)
    assert not empty.labels.array.any()


def test_a_second_correction_encodes_nothing(monkeypatch):
    volume, liver = picture()
    engine = Engine(shared_network(), store=FeatureStore())
    tracker = SliceTracker(engine)
    first = tracker.track(volume, {3: liver[3].astype(np.uint8)}, 0)[1]
    monkeypatch.setattr(engine, "_run_encoder", lambda *_: pytest.fail("a slice was encoded again"))
    again = tracker.track(volume, {3: liver[3].astype(np.uint8)}, 0)[1]
    assert np.allclose(first, again, atol=1e-5)
    assert not np.allclose(first, tracker.track(volume, {1: liver[1].astype(np.uint8)}, 0)[1], atol=1e-3)


def test_the_tracker_opens_with_weights_and_says_what_is_missing_without(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "nothing"))
    nobody, reason = slice_tracker(FewShot())
    assert nobody is None and "liversegssl models fetch medsam2" in reason
    save_network(shared_network(), tmp_path / "network.pt")
    tracker, reason = slice_tracker(FewShot(weights=str(tmp_path / "network.pt"), device="cpu", engine="reference"))
    volume, liver = picture()
    given = {3: liver[3].astype(np.uint8)}
    assert reason == "" and np.allclose(
        tracker.track(volume, given, 0)[1], SliceTracker(Engine(shared_network())).track(volume, given, 0)[1], atol=1e-4
    )
