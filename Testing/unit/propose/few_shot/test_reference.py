"""The published procedure: which frame comes from where, in which order, from which side."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.propose.few_shot.prompts import insertion_places, prompts_of_objects
from LiverSegSSLLib.propose.few_shot.reference import mean_probability, propagate_reference, track_reference

from .small import SIDE, blob


class Clock:
    """A predictor that answers with the number written into a frame, and which side it came from.

    It walks the frames as the package does: from the start to an end of the video, nothing backward from frame 0.
    """

    image_size = SIDE

    def init_state(self, images, height=None, width=None):
        return {"images": images, "prompts": {}}

    def add_new_mask(self, inference_state, frame_idx, obj_id, mask):
        assert mask.dtype == torch.bool and mask.any()
        inference_state["prompts"].setdefault(obj_id, set()).add(frame_idx)

    def propagate_in_video(self, inference_state, start_frame_idx=None, *, reverse=False):
        frames = len(inference_state["images"])
        prompts = set().union(*inference_state["prompts"].values())
        assert start_frame_idx == (max(prompts) if reverse else min(prompts))
        walk = range(start_frame_idx, -1, -1) if reverse else range(start_frame_idx, frames)
        for frame in walk if start_frame_idx or not reverse else ():
            value = inference_state["images"][frame, 0, 0, 0] + (1000 if reverse else 0)
            yield frame, None, torch.full((len(inference_state["prompts"]), 1, 2, 2), float(value))


def numbered(slices, start):
    return (start + torch.arange(slices, dtype=torch.float32)).view(-1, 1, 1, 1).expand(-1, 3, SIDE, SIDE)


@given(st.integers(1, 6), st.integers(1, 5), st.data())
def test_every_slice_comes_back_once_in_order_from_the_right_side(slices, length, data):
    labelled = data.draw(st.sets(st.integers(0, length - 1), min_size=1))
    places = data.draw(st.lists(st.integers(0, slices), min_size=1, max_size=4, unique=True))
    found = propagate_reference(
        Clock(), numbered(slices, 0), numbered(length, 500), {index: blob(1) for index in labelled}, places
    )
    assert found.shape == (len(places), slices, 1, 2, 2)
    for logits, place in zip(found, places, strict=True):
        assert logits[:, 0, 0, 0].tolist() == [index + (1000 if index < place else 0) for index in range(slices)]


def test_slices_between_prompts_get_the_mean_of_both_sides():
    found = track_reference(Clock(), numbered(5, 0), {1: blob(1), 3: blob(2)})
    assert found[:, 0, 0, 0].tolist() == [1000, 501, 502, 503, 4]


def test_nothing_goes_backward_from_the_first_slice():
    found = track_reference(Clock(), numbered(3, 0), {0: blob(1)})
    assert found[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_mean_of_probabilities_not_of_logits():
    constant = torch.full((4, 2, 3), 0.3)
    assert torch.allclose(mean_probability(constant), torch.sigmoid(constant[0]))
    assert mean_probability(torch.tensor([[-100.0], [100.0], [100.0], [100.0]])).item() == pytest.approx(0.75)


@pytest.mark.parametrize("masks", [{}, {0: torch.zeros(SIDE, SIDE, dtype=torch.bool)}], ids=["none", "empty"])
def test_a_labelled_volume_without_a_label_is_refused(masks):
    with pytest.raises(LabelError, match="nothing can be propagated"):
        propagate_reference(Clock(), numbered(2, 0), numbered(2, 5), masks, [0])


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**31 - 1))
def test_places_are_different_and_may_be_at_both_ends(slices, count, seed):
    places = insertion_places(slices, count, seed)
    assert len(set(places)) == len(places) == min(count, slices + 1)
    assert set(places) <= set(range(slices + 1))
    assert places == insertion_places(slices, count, seed) == tuple(sorted(places))


def test_all_places_are_drawn_alike():
    """0 … D, both ends as often as any other: 3,000 draws of 2 out of 5 hit each place 1,200 times, deviation 27."""
    counts = [0] * 5
    for seed in range(3000):
        for place in insertion_places(4, 2, seed):
            counts[place] += 1
    assert all(abs(count - 1200) < 6 * 27 for count in counts)


def test_prompts_of_several_objects():
    first, second, none = blob(1), blob(2), torch.zeros(SIDE, SIDE, dtype=torch.bool)
    masks = {7: torch.stack([first, second]), 2: torch.stack([first, none])}
    one, other = prompts_of_objects(masks, SIDE)
    assert list(one) == [2, 7] and list(other) == [7]
    assert torch.equal(other[7], second)
    assert list(prompts_of_objects(masks, SIDE, empty=True)[1]) == [2, 7]


def test_masks_of_another_size_are_resized_as_by_the_package():
    """2 × 2 pixels become one: it is foreground where at least half of them are."""
    mask = torch.zeros(2 * SIDE, 2 * SIDE)
    mask[20:60, 20:60] = 255
    (prompts,) = prompts_of_objects({0: mask.numpy()}, SIDE)
    assert torch.equal(prompts[0], mask[::2, ::2] > 0)


@pytest.mark.parametrize(
    ("masks", "match"),
    [
        ({0: torch.ones(3), 1: torch.ones(4, 4)}, r"must be \(rows, columns\)"),
        ({0: torch.ones(1, 4, 4), 1: torch.ones(2, 4, 4)}, "different numbers of objects"),
    ],
    ids=["one-dimension", "objects"],
)
def test_masks_that_make_no_sense_are_refused(masks, match):
    with pytest.raises(LabelError, match=match):
        prompts_of_objects(masks, SIDE)
