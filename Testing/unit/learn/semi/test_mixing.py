"""Boxes to paste: their sizes, their places, and what is pasted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import DownsampleSegForDSTransform
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.learn.semi.mixing import halves, pasted, proportional_box, random_box, resized

SIDES = st.tuples(*[st.integers(4, 40)] * 3)


def sides_of(box: torch.Tensor) -> list[int]:
    """Sides of the one box of a mask, which fills its bounding box."""
    found = torch.nonzero(box)
    sides: list[int] = (found.amax(0) - found.amin(0) + 1).tolist()
    assert int(box.sum()) == np.prod(sides)
    return sides


@given(patch=SIDES, seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_two_thirds_of_each_side(patch: tuple[int, int, int], seed: int) -> None:
    box = proportional_box(patch, 2 / 3, np.random.default_rng(seed))
    assert box.shape == patch
    assert sides_of(box) == [2 * side // 3 for side in patch]


def test_what_is_left_of_a_patch_by_two_thirds_of_each_side() -> None:
    for patch in ((48, 192, 224), (80, 112, 112), (25, 64, 80)):
        outside = ~proportional_box(patch, 2 / 3, np.random.default_rng(0))
        left = 1 - np.prod([int(2 * side / 3) / side for side in patch])
        assert outside.double().mean().item() == pytest.approx(left, abs=1e-12)


def test_a_single_slice_is_pasted_whole_rather_than_not_at_all() -> None:
    assert sides_of(proportional_box((1, 9, 9), 2 / 3, np.random.default_rng(0))) == [1, 6, 6]


def test_boxes_lie_anywhere_in_the_patch_to_the_last_voxel() -> None:
    draw = np.random.default_rng(0)
    seen = torch.stack([proportional_box((4, 6, 8), 0.5, draw) for _ in range(400)])
    corners = {tuple(torch.nonzero(box)[0].tolist()) for box in seen}
    assert len(corners) == 3 * 4 * 5
    assert seen.any(0).all()


@given(patch=SIDES, seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_a_random_box_is_two_to_forty_per_cent_of_the_patch(patch: tuple[int, int, int], seed: int) -> None:
    box = random_box(patch, (0.02, 0.4), np.random.default_rng(seed))
    assert box.shape == patch
    assert 0.02 <= np.prod(sides_of(box)) / np.prod(patch) <= 0.4


def test_the_share_of_random_boxes_is_uniform_and_no_axis_is_preferred() -> None:
    draw = np.random.default_rng(1)
    boxes = [random_box((40, 40, 40), (0.02, 0.4), draw) for _ in range(600)]
    shares = np.array([box.double().mean().item() for box in boxes])
    assert np.quantile(shares, [0.25, 0.5, 0.75]) == pytest.approx([0.115, 0.21, 0.305], abs=0.03)
    sides = np.array([sides_of(box) for box in boxes])
    assert sides.mean(0) == pytest.approx(np.full(3, sides.mean()), abs=1.5)
    assert sides.max(1).max() == 40 and (sides.max(1) / sides.min(1)).max() > 3


def test_shares_that_no_box_of_whole_voxels_has_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"midss.box: found no box of 0.1 to 0.101 of a patch of 4 x 4 x 4 voxels"):
        random_box((4, 4, 4), (0.1, 0.101), np.random.default_rng(0))


def test_the_same_random_numbers_give_the_same_boxes() -> None:
    one, other = (random_box((9, 17, 20), (0.02, 0.4), np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(one, other)


def test_images_and_labels_are_pasted_by_the_same_box() -> None:
    box = proportional_box((6, 8, 10), 0.5, np.random.default_rng(3))
    image = pasted(torch.zeros(2, 1, 6, 8, 10), torch.ones(2, 1, 6, 8, 10), box)
    label = pasted(torch.zeros(2, 6, 8, 10, dtype=torch.int64), torch.ones(2, 6, 8, 10, dtype=torch.int64), box)
    assert torch.equal(image[:, 0].long(), label) and label.dtype == torch.int64
    assert torch.equal(label[1].bool(), box)


def test_each_sample_may_have_a_box_of_its_own() -> None:
    draw = np.random.default_rng(3)
    boxes = torch.stack([random_box((6, 8, 10), (0.02, 0.4), draw) for _ in range(2)])
    image = pasted(torch.zeros(2, 3, 6, 8, 10), torch.ones(2, 3, 6, 8, 10), boxes[:, None])
    assert all(torch.equal(image[sample, channel].bool(), boxes[sample]) for sample in (0, 1) for channel in range(3))


@pytest.mark.parametrize(("count", "first", "last"), [(1, [0], [0]), (2, [0], [1]), (3, [0], [2]), (4, [0, 1], [2, 3])])
def test_halves_of_a_batch(count: int, first: list[int], last: list[int]) -> None:
    one, other = halves(torch.arange(count))
    assert one.tolist() == first and other.tolist() == last


@given(small=st.tuples(*[st.integers(1, 9)] * 3), factors=st.tuples(*[st.integers(1, 4)] * 3), seed=st.integers(0, 99))
@settings(deadline=None)
def test_labels_are_reduced_as_nnunet_reduces_its_targets(
    small: tuple[int, int, int], factors: tuple[int, int, int], seed: int
) -> None:
    shape = [side * factor for side, factor in zip(small, factors, strict=True)]
    label = torch.randint(0, 3, (1, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.int16)
    theirs = DownsampleSegForDSTransform([[1 / factor for factor in factors]])(segmentation=label)["segmentation"][0]
    ours = resized(label, small)
    assert ours.dtype == label.dtype and torch.equal(ours, theirs)
    assert torch.equal(resized(label == 1, small), theirs == 1)


def test_mixing_and_reducing_labels_may_change_places() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randint(0, 2, (2, 12, 16, 16), generator=generator) for _ in range(2))
    box = proportional_box((12, 16, 16), 2 / 3, np.random.default_rng(0))
    small = (6, 4, 8)
    assert torch.equal(
        resized(pasted(one, other, box), small), pasted(resized(one, small), resized(other, small), resized(box, small))
    )
