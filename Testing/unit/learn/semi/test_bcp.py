"""Bidirectional copy-paste: what is mixed, what is said of it, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.learn.semi.bcp import BcpTrainer, Patches, pseudo_label, region_loss
from LiverSegSSLLib.learn.semi.mixing import proportional_box, resized
from LiverSegSSLLib.learn.semi.two_stream import Step

SHAPE = (6, 9, 12)


def patches(seed: int, count: int = 2) -> Patches:
    generator = torch.Generator().manual_seed(seed)
    return Patches(
        torch.randn((count, 1, *SHAPE), generator=generator),
        torch.randint(0, 2, (count, *SHAPE), generator=generator),
        torch.rand((count, *SHAPE), generator=generator) < 0.9,
    )


def box_of(seed: int = 0) -> torch.Tensor:
    return proportional_box(SHAPE, 2 / 3, np.random.default_rng(seed))


def logits_of(seed: int = 0, count: int = 2) -> torch.Tensor:
    return torch.randn((count, 2, *SHAPE), generator=torch.Generator().manual_seed(100 + seed))


def dice_and_entropy(logits: torch.Tensor, label: torch.Tensor, mask: torch.Tensor) -> tuple[float, float]:
    """Both by their formulas, voxel by voxel: Dice of each sample and class, cross entropy of the mask's voxels."""
    p, g, m = np.asarray(logits.double().softmax(1)), np.asarray(label), np.asarray(mask, float)
    dice = []
    for sample in range(len(p)):
        for value in (0, 1):
            truth = (g[sample] == value) * 1.0
            above = 2 * (p[sample, value] * truth * m[sample]).sum() + 1e-5
            dice.append(above / (((p[sample, value] + truth) * m[sample]).sum() + 1e-5))
    right = np.take_along_axis(p, g[:, None], 1)[:, 0]
    return 1 - float(np.mean(dice)), float((-np.log(right) * m).sum() / (m.sum() + 1e-16))


def test_the_terms_are_those_of_mix_loss() -> None:
    logits, label, box = logits_of(), patches(0).label, box_of()
    outside = (~box).expand(2, *SHAPE)
    (dice_out, entropy_out), (dice_in, entropy_in) = (
        dice_and_entropy(logits, label, mask) for mask in (outside, ~outside)
    )
    expected = (1.0 * dice_out + 0.5 * dice_in + 1.0 * entropy_out + 0.5 * entropy_in) / 2
    found = 1.0 * region_loss(logits, label, outside) + 0.5 * region_loss(logits, label, ~outside)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_mask_of_everything_is_the_supervised_loss() -> None:
    logits, label = logits_of(), patches(0).label
    everything, nothing = torch.ones(2, *SHAPE, dtype=torch.bool), torch.zeros(2, *SHAPE, dtype=torch.bool)
    found = region_loss(logits, label, everything) + 0.5 * region_loss(logits, label, nothing)
    assert found.item() == pytest.approx(sum(dice_and_entropy(logits, label, everything)) / 2, rel=1e-5)


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=25)
def test_images_labels_and_what_is_certain_come_from_the_same_side_of_one_mask(seed: int) -> None:
    one, other, box = patches(1), patches(2), box_of(seed)
    mixed = one.around(other, box)
    for source, where in ((one, ~box), (other, box)):
        assert torch.equal(mixed.image[:, 0][:, where], source.image[:, 0][:, where])
        assert torch.equal(mixed.label[:, where], source.label[:, where])
        assert torch.equal(mixed.certain[:, where], source.certain[:, where])


def test_lower_resolutions_are_judged_by_reduced_labels() -> None:
    one, other, box = patches(1), patches(2), box_of()
    mixed = one.around(other, box)
    small = (3, 3, 6)
    logits = torch.randn((2, 2, *small), generator=torch.Generator().manual_seed(9))
    middle = np.ix_(*((np.arange(n) * 2 + 1) * (whole // n) // 2 for n, whole in zip(small, SHAPE, strict=True)))
    label, mask = (torch.from_numpy(np.stack([np.asarray(s)[middle] for s in v])) for v in (mixed.label, mixed.certain))
    found = region_loss(logits, mixed.label, mixed.certain)
    assert found.item() == pytest.approx(sum(dice_and_entropy(logits, label, mask)) / 2, rel=1e-5)


def test_voxels_of_which_nothing_is_said_get_no_gradient() -> None:
    given, logits = patches(3), logits_of().requires_grad_()
    region_loss(logits, given.label, given.certain).backward()
    assert logits.grad is not None
    gradient = logits.grad.movedim(1, -1)
    assert not gradient[~given.certain].any() and gradient[given.certain].any()


def test_a_pseudo_label_is_the_largest_part_of_what_is_at_least_half_probable() -> None:
    liver = torch.zeros(2, *SHAPE)
    liver[0, 1:4, 1:6, 1:6] = 1
    liver[0, 4:6, 6:8, 6:8] = 1  # touches the first with a corner: one part with it
    liver[0, 0, 8, 11] = 1
    logits = torch.stack([torch.zeros_like(liver), 8 * liver - 4], 1)
    everything = pseudo_label(logits, False)
    assert everything.dtype == torch.int64 and torch.equal(everything, liver.long())
    largest = pseudo_label(logits, True)
    assert torch.equal(largest[1], liver[1].long())  # nothing stays nothing
    assert largest[0].sum() == 3 * 5 * 5 + 2 * 2 * 2 and largest[0, 0, 8, 11] == 0
    assert pseudo_label(torch.zeros(1, 2, 2, 2, 2), False).all()  # one half is enough


@pytest.mark.parametrize("count", [2, 1, 4])
def test_the_whole_loss_is_that_of_the_paper(
    initialised: Callable[..., Any], step_of: Callable[..., Step], count: int
) -> None:
    """L_l (outside labelled, weight 1; inside pseudo labels, 0.5) + L_u (the other way round), on every output."""
    trainer = initialised(BcpTrainer, bcp={"pretrain": 0.0})
    step = step_of(progress=0.5, labelled=count, unlabelled=count)
    found = trainer.losses(step)
    half = max(1, count // 2)
    box = proportional_box(step.image.shape[2:], 2 / 3, np.random.default_rng(0))
    label, pseudo = step.target[0][:, 0].long(), pseudo_label(trainer.teachers["teacher"](step.unlabelled), True)
    expected = 0.0
    with torch.no_grad():
        for outside, inside, outer, inner, weights in (
            (step.image[:half], step.unlabelled[:half], label[:half], pseudo[:half], (1.0, 0.5)),
            (step.unlabelled[-half:], step.image[-half:], pseudo[-half:], label[-half:], (0.5, 1.0)),
        ):
            heads = trainer.network(torch.where(box, inside, outside))
            # Of three outputs nnU-Net uses two, the second at half the weight.
            for head, share in zip(heads, (2 / 3, 1 / 3, 0), strict=True):
                mask = resized(~box, head.shape[2:]).expand(half, -1, -1, -1)
                for given, where, weight in ((outer, mask, weights[0]), (inner, ~mask, weights[1])):
                    terms = dice_and_entropy(head, resized(given, head.shape[2:]), where)
                    expected += share * weight * sum(terms) / 2
    assert found["total"].item() == pytest.approx(expected, rel=1e-5)
    split = found["supervised_loss"] + 0.5 * found["unsupervised_loss"]
    assert found["total"].item() == pytest.approx(split.item(), rel=1e-6)


def test_the_first_stage_looks_at_labelled_patches_alone_and_its_student_is_the_teacher(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    trainer = initialised(BcpTrainer)
    first, second = step_of(number=11, progress=0.11), step_of(number=12, progress=0.12)
    first.unlabelled.fill_(torch.nan)
    found = trainer.losses(first)
    assert torch.isfinite(found["total"]) and set(found) == {"total", "supervised_loss"}
    student, teacher = trainer.network, trainer.teachers["teacher"].network
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(1)
    trainer.after_step(first)
    pairs = list(zip(student.parameters(), teacher.parameters(), strict=True))
    assert all(torch.equal(one, other) for one, other in pairs)
    assert "unsupervised_loss" in trainer.losses(second)
    with torch.no_grad():
        for weight in student.parameters():
            weight.add_(1)
    trainer.after_step(second)
    assert all(torch.allclose(one - other, torch.tensor(0.99), atol=1e-5) for one, other in pairs)


def test_no_gradient_reaches_the_teacher(initialised: Callable[..., Any], step_of: Callable[..., Step]) -> None:
    trainer = initialised(BcpTrainer, bcp={"pretrain": 0.0})
    trainer.losses(step_of(progress=0.5))["total"].backward()
    assert all(weight.grad is None for weight in trainer.teachers["teacher"].network.parameters())
    assert any(weight.grad is not None and weight.grad.any() for weight in trainer.network.parameters())


def test_labels_that_say_nothing_teach_nothing(initialised: Callable[..., Any], step_of: Callable[..., Step]) -> None:
    trainer, step = initialised(BcpTrainer, ignore=True), step_of(progress=0.5)
    step.target[0].fill_(2)
    assert trainer.losses(step)["supervised_loss"].item() == 0


def test_as_many_unlabelled_as_labelled_patches_are_needed(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    with pytest.raises(RecipeError, match=r"unlabelled_batch: BCP mixes .* a batch has 2 and 3 – set it to 2, or to 0"):
        initialised(BcpTrainer).losses(step_of(progress=0.5, unlabelled=3))
