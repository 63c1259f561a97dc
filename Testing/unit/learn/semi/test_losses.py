"""Losses on a part of the voxels, against nnU-Net's and against the formulas written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss
from nnunetv2.utilities.helpers import softmax_helper_dim1

from LiverSegSSLLib.learn.semi.losses import cross_entropy, dice_loss, over_heads, taught

SHAPE = (5, 6, 7)


def batch(classes: int = 2, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, labels and a mask of three samples."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn((3, classes, *SHAPE), generator=generator)
    label = torch.randint(0, classes, (3, *SHAPE), generator=generator)
    return logits, label, torch.rand((3, *SHAPE), generator=generator) < 0.6


@pytest.mark.parametrize("over_batch", [False, True])
@pytest.mark.parametrize("classes", [2, 3])
def test_plain_dice_is_that_of_nnunet(over_batch: bool, classes: int) -> None:
    logits, label, mask = batch(classes)
    theirs = MemoryEfficientSoftDiceLoss(softmax_helper_dim1, over_batch, do_bg=True, smooth=1e-5, ddp=False)
    expected = 1 + theirs(logits, label[:, None], loss_mask=mask[:, None])
    found = dice_loss(logits, label, mask, over_batch=over_batch, squared=False, smooth=1e-5)
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)


def test_squared_dice_over_a_batch_by_its_formula() -> None:
    logits, label, mask = batch()
    p, g, m = np.asarray(logits.double().softmax(1)), np.asarray(label), np.asarray(mask)
    expected = 0.0
    for value in (0, 1):
        truth, given = (g == value)[m], p[:, value][m]
        expected += 1 - (2 * (given * truth).sum() + 1e-10) / ((given**2).sum() + truth.sum() + 1e-10)
    found = dice_loss(logits, label, mask, over_batch=True, squared=True, smooth=1e-10)
    assert found.item() == pytest.approx(expected / 2, abs=1e-6)


def test_voxels_beyond_the_mask_change_no_dice_and_get_no_gradient() -> None:
    logits, label, mask = batch()
    for over_batch, squared in ((True, True), (False, False)):
        first = logits.clone().requires_grad_()
        loss = dice_loss(first, label, mask, over_batch=over_batch, squared=squared, smooth=1e-5)
        loss.backward()
        assert first.grad is not None
        assert not first.grad.movedim(1, -1)[~mask].any() and first.grad.movedim(1, -1)[mask].any()
        elsewhere = torch.where(mask[:, None], logits, 9.0), torch.where(mask, label, 1 - label)
        again = dice_loss(*elsewhere, mask, over_batch=over_batch, squared=squared, smooth=1e-5)
        assert again.item() == pytest.approx(loss.item(), abs=1e-7)


def test_nothing_in_the_mask_costs_nothing() -> None:
    logits, label, mask = batch()
    for over_batch, squared, smooth in ((True, True, 1e-10), (False, False, 1e-5)):
        nothing = torch.zeros_like(mask)
        assert dice_loss(logits, label, nothing, over_batch=over_batch, squared=squared, smooth=smooth).item() == 0


def test_sixteen_bits_are_enough_for_logits() -> None:
    logits, label, mask = batch()
    full = dice_loss(logits.half().float(), label, mask, over_batch=True, squared=True, smooth=1e-10)
    half = dice_loss(logits.half(), label, mask, over_batch=True, squared=True, smooth=1e-10)
    assert half.dtype == torch.float32 and half.item() == full.item()
    assert cross_entropy(logits.half(), label).dtype == torch.float32


def test_cross_entropy_is_minus_the_logarithm_of_the_labels_probability() -> None:
    logits, label, _ = batch(3)
    probability = logits.softmax(1).gather(1, label[:, None])[:, 0]
    assert torch.allclose(cross_entropy(logits, label), -probability.log(), atol=1e-6)


def test_deep_supervision_weighs_as_nnunet_does_and_leaves_out_what_weighs_nothing() -> None:
    heads = [torch.full((1, 2, side, side, side), float(side)) for side in (8, 4, 2)]
    weights = (2 / 3, 1 / 3, 0.0)
    asked = []

    def loss(head: torch.Tensor) -> torch.Tensor:
        asked.append(head.shape[-1])
        return head.mean()

    theirs = DeepSupervisionWrapper(lambda head, _: head.mean(), weights)
    assert over_heads(heads, weights, loss).item() == pytest.approx(theirs(heads, heads).item())
    assert asked == [8, 4]


def test_what_a_target_says_and_where() -> None:
    target = torch.tensor([0, 1, 2, 1], dtype=torch.int16).view(1, 1, 1, 2, 2)
    label, certain = taught(target, 2)
    assert label.dtype == torch.int64 and label.shape == (1, 1, 2, 2)
    assert label.flatten().tolist() == [0, 1, 0, 1] and certain.flatten().tolist() == [True, True, False, True]
    assert taught(target, None)[1].all()
