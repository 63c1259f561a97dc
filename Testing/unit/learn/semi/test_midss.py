"""MiDSS: which voxels are said to be what, and what it costs to see them otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.learn.methods import Midss
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.learn.semi.midss import MidssTrainer, Said, confident_label, ensembled, masked_loss
from LiverSegSSLLib.learn.semi.mixing import random_box
from LiverSegSSLLib.learn.semi.two_stream import Step

SHAPE = (6, 9, 12)


def said(seed: int, confidence: float = 0.95) -> Said:
    logits = 4 * torch.randn((2, 2, *SHAPE), generator=torch.Generator().manual_seed(seed))
    return confident_label(logits, confidence)


def boxes_of(seed: int) -> torch.Tensor:
    draw = np.random.default_rng(seed)
    return torch.stack([random_box(SHAPE, (0.02, 0.4), draw) for _ in range(2)])


def test_confidence_is_a_probability_above_the_threshold() -> None:
    probability = torch.tensor([0.04, 0.06, 0.5, 0.94, 0.96]).double()
    logits = torch.stack([(1 - probability).log(), probability.log()]).view(1, 2, 1, 1, 5)
    found = confident_label(logits, 0.95)
    assert found.label.flatten().tolist() == [0, 0, 0, 1, 1]
    assert found.mask.flatten().tolist() == [True, False, False, False, True]


@given(seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=25)
def test_the_ensemble_speaks_where_all_agree_and_are_confident(seed: int) -> None:
    plain, ul, lu, boxes = said(seed % 97), said(seed % 89 + 100), said(seed % 83 + 200), boxes_of(seed)
    found = ensembled(plain, ul, lu, boxes)
    for view, where in ((ul, ~boxes), (lu, boxes)):
        assert torch.equal(found.label[where], view.label[where])
        expected = view.mask & plain.mask & (view.label == plain.label)
        assert torch.equal(found.mask[where], expected[where])
    assert not (found.mask & ~plain.mask).any()
    assert (found.label == plain.label)[found.mask].all()


def test_views_that_say_the_same_change_nothing() -> None:
    plain = said(1)
    found = ensembled(plain, plain, plain, boxes_of(0))
    assert torch.equal(found.label, plain.label) and torch.equal(found.mask, plain.mask)


def test_what_comes_from_a_labelled_patch_is_said_wherever_its_label_is_certain() -> None:
    pseudo, boxes = said(1), boxes_of(1)
    labelled = Said(1 - pseudo.label, torch.ones_like(pseudo.mask))
    in_the_box, around = pseudo.around(labelled, boxes), labelled.around(pseudo, boxes)
    assert in_the_box.mask[boxes].all() and around.mask[~boxes].all()
    assert torch.equal(in_the_box.mask[~boxes], pseudo.mask[~boxes])
    assert torch.equal(in_the_box.label, torch.where(boxes, labelled.label, pseudo.label))
    assert torch.equal(around.label, torch.where(boxes, pseudo.label, labelled.label))


def test_the_loss_by_its_formula() -> None:
    logits, target = torch.randn((2, 2, *SHAPE), generator=torch.Generator().manual_seed(5)), said(3)
    p, g, m = np.asarray(logits.double().softmax(1)), np.asarray(target.label), np.asarray(target.mask, float)
    right = np.take_along_axis(p, g[:, None], 1)[:, 0]
    expected = (-np.log(right) * m).mean()  # of all voxels, also of those that do not count
    for value in (0, 1):
        truth, found = (g == value) * m, p[:, value]
        expected += 0.5 * (1 - (2 * (found * truth).sum() + 1e-10) / ((found**2 * m).sum() + truth.sum() + 1e-10))
    assert 0.1 < m.mean() < 0.9
    assert masked_loss(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_where_nothing_is_said_nothing_is_learned() -> None:
    logits, target = torch.randn(2, 2, *SHAPE, requires_grad=True), said(3)
    masked_loss(logits, target).backward()
    assert logits.grad is not None
    gradient = logits.grad.movedim(1, -1)
    assert not gradient[~target.mask].any() and gradient[target.mask].any()
    assert masked_loss(logits, Said(target.label, torch.zeros_like(target.mask))).item() == 0


def seen_by(network: torch.nn.Module) -> list[torch.Tensor]:
    """Every image that a network is given from now on."""
    seen: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _, images: seen.append(images[0]))
    return seen


def test_what_the_teacher_and_the_student_see(initialised: Callable[..., Any], step_of: Callable[..., Step]) -> None:
    trainer, step = initialised(MidssTrainer), step_of(progress=0.0)
    assert step.strong is not None
    student, teacher = seen_by(trainer.network), seen_by(trainer.teachers["teacher"].network)
    trainer.losses(step)
    draw = np.random.default_rng(0)
    boxes = torch.stack([random_box(step.image.shape[2:], (0.02, 0.4), draw) for _ in range(2)])[:, None]
    weak, strong, image = step.unlabelled, step.strong, step.image
    views = [weak, torch.where(boxes, image, weak), torch.where(boxes, weak, image)]
    assert all(torch.equal(found, wanted) for found, wanted in zip(teacher, views, strict=True))
    # At the beginning nothing of the other's frequencies is taken over.
    views = [image, torch.where(boxes, image, strong), torch.where(boxes, strong, image), strong]
    assert all(torch.allclose(found, wanted, atol=1e-5) for found, wanted in zip(student, views, strict=True))


def test_later_labelled_patches_take_on_the_style_of_their_unlabelled_ones(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    trainer, step = initialised(MidssTrainer), step_of(progress=1.0)
    step.unlabelled.add_(5)
    student = seen_by(trainer.network)
    trainer.losses(step)
    assert torch.equal(student[0], step.image)
    draw = np.random.default_rng(0)
    boxes = torch.stack([random_box(step.image.shape[2:], (0.02, 0.4), draw) for _ in range(2)])[:, None]
    moved = (student[2] - step.image).masked_fill(boxes, torch.nan).flatten(1).nanmean(1)
    # Each sample by a share of its own.
    assert (moved > 0.01).all() and (moved < 5.2).all() and (moved[0] - moved[1]).abs() > 1


def test_the_whole_loss_is_that_of_the_reference(initialised: Callable[..., Any], step_of: Callable[..., Step]) -> None:
    """sup + w (ul + lu + w s), w = exp(−5 (1 − t)²)."""
    mixed = {}
    for weight in (1.0, 0.5, 0.0):
        trainer = initialised(MidssTrainer, midss={"confidence": 0.5, "ramp": 0.0, "weight": weight})
        found, step = trainer.losses(step_of(progress=0.5)), step_of(progress=0.5)
        supervised = trainer.loss(trainer.network(step.image), step.target).item()
        assert found["supervised_loss"].item() == supervised
        mixed[weight] = found["unsupervised_loss"].item()
        assert found["total"].item() == pytest.approx(supervised + weight * mixed[weight], rel=1e-6)
    alone = mixed[1.0] - mixed[0.0]
    assert alone > 0.1 and mixed[0.5] == pytest.approx(mixed[0.0] + 0.5 * alone, rel=1e-5)
    found = initialised(MidssTrainer, midss={"confidence": 0.5}).losses(step_of(progress=0.5))
    ramp = (found["total"] - found["supervised_loss"]) / found["unsupervised_loss"]
    assert ramp.item() == pytest.approx(0.28650, rel=1e-4)
    assert found["unsupervised_loss"].item() == pytest.approx(mixed[0.0] + 0.28650 * alone, rel=1e-4)


def test_no_gradient_reaches_the_teacher_which_follows(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    trainer, step = initialised(MidssTrainer, midss={"confidence": 0.5}), step_of(number=9, progress=1.0)
    teacher = trainer.teachers["teacher"].network
    found = trainer.losses(step)
    assert found["unsupervised_loss"] > 0 and found["confident"] > 0.9
    (found["total"] - found["supervised_loss"]).backward()
    assert all(weight.grad is None for weight in teacher.parameters())
    assert any(weight.grad is not None and weight.grad.any() for weight in trainer.network.parameters())
    before = [weight.clone() for weight in teacher.parameters()]
    with torch.no_grad():
        for weight in trainer.network.parameters():
            weight.add_(1)
    trainer.after_step(step)
    assert all(torch.allclose(now, old + 0.1, atol=1e-5) for now, old in zip(teacher.parameters(), before, strict=True))


def test_voxels_without_a_certain_label_are_said_nothing_of(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    trainer = initialised(MidssTrainer, ignore=True, midss={"confidence": 0.9999})
    step = step_of(progress=1.0)
    for target in step.target:
        target.fill_(2)
    # A teacher that is never so sure: nothing is left to learn from.
    found = trainer.losses(step)
    assert found["confident"] == 0 and found["unsupervised_loss"] == 0


def test_as_many_unlabelled_as_labelled_patches_are_needed(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    with pytest.raises(
        RecipeError, match=r"unlabelled_batch: MiDSS mixes .* a batch has 2 and 1 – set it to 2, or to 0"
    ):
        initialised(MidssTrainer).losses(step_of(unlabelled=1))


def test_options() -> None:
    assert (Midss().half_width, Midss(in_plane=False).half_width, Midss(window=0.2).half_width) == (0.01, 0.05, 0.2)
    for box in ((0.4, 0.02), (0.0, 0.4), (0.02, 1.0)):
        with pytest.raises(RecipeError, match="midss: box needs two shares of the patch, the smaller one first"):
            load_preset("cpu", {"midss": {"box": box}})
