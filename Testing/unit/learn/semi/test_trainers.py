"""What holds for the trainers with a teacher alike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from LiverSegSSLLib.learn.semi.bcp import BcpTrainer
from LiverSegSSLLib.learn.semi.mean_teacher import MeanTeacherTrainer
from LiverSegSSLLib.learn.semi.midss import MidssTrainer
from LiverSegSSLLib.learn.semi.two_stream import Step

TRAINERS = pytest.mark.parametrize("kind", [MeanTeacherTrainer, BcpTrainer, MidssTrainer])
OPTIONS = {"bcp": {"pretrain": 0.0}, "midss": {"confidence": 0.5}}


@TRAINERS
def test_half_precision_changes_the_losses_little_and_none_is_computed_in_it(
    initialised: Callable[..., Any], step_of: Callable[..., Step], kind: type
) -> None:
    full = initialised(kind, **OPTIONS).losses(step_of(progress=0.5))
    trainer = initialised(kind, **OPTIONS)
    with torch.autocast("cpu", torch.bfloat16):
        half = trainer.losses(step_of(progress=0.5))
    half["total"].backward()
    assert all(loss.dtype == torch.float32 for loss in half.values())
    for name in ("total", "supervised_loss", "unsupervised_loss"):
        assert half[name].item() == pytest.approx(full[name].item(), rel=0.1, abs=1e-3)
    gradients = [weight.grad for weight in trainer.network.parameters() if weight.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


@TRAINERS
def test_the_same_random_numbers_give_the_same_losses_and_others_do_not(
    initialised: Callable[..., Any], step_of: Callable[..., Step], kind: type
) -> None:
    trainer = initialised(kind, **OPTIONS)
    found = []
    for seed in (4, 4, 5):
        trainer.draw = np.random.default_rng(seed)
        trainer.generator.manual_seed(seed)
        found.append({name: loss.item() for name, loss in trainer.losses(step_of(progress=0.5)).items()})
    assert found[0] == found[1] and found[0] != found[2]


@TRAINERS
def test_a_batch_is_left_as_it_was(initialised: Callable[..., Any], step_of: Callable[..., Step], kind: type) -> None:
    trainer, step = initialised(kind, **OPTIONS), step_of(progress=0.5)
    before = copy.deepcopy(step)
    trainer.losses(step)
    for name in ("image", "unlabelled", "strong"):
        assert torch.equal(getattr(step, name), getattr(before, name))
    assert all(torch.equal(one, other) for one, other in zip(step.target, before.target, strict=True))


@TRAINERS
def test_no_loss_could_change_the_teacher(
    initialised: Callable[..., Any], step_of: Callable[..., Step], kind: type
) -> None:
    trainer = initialised(kind, **OPTIONS)
    teacher = trainer.teachers["teacher"].network.requires_grad_(True)
    total = trainer.losses(step_of(progress=0.5))["total"]
    gradients = torch.autograd.grad(total, list(teacher.parameters()), allow_unused=True, retain_graph=True)
    assert all(gradient is None for gradient in gradients)
    assert torch.autograd.grad(total, list(trainer.network.parameters()), allow_unused=True)[0].abs().max() > 0


@TRAINERS
def test_the_model_is_the_student_and_only_it_is_trained(
    initialised: Callable[..., Any], step_of: Callable[..., Step], kind: type
) -> None:
    trainer = initialised(kind, **OPTIONS)
    assert not trainer.partners
    optimised = {id(weight) for group in trainer.optimizer.param_groups for weight in group["params"]}
    assert optimised == {id(weight) for weight in trainer.network.parameters()}
    student, teacher = trainer.network.state_dict(), trainer.teachers["teacher"].network.state_dict()
    assert all(torch.equal(student[name], teacher[name]) for name in student)
