"""Consistency with a slow average of the network itself: the numbers of the paper, and where gradients go."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from LiverSegSSLLib.learn.methods import MeanTeacher
from LiverSegSSLLib.learn.semi.mean_teacher import MeanTeacherTrainer, consistency_loss, noisy
from LiverSegSSLLib.learn.semi.ramps import ramped
from LiverSegSSLLib.learn.semi.teacher import Teacher, ema_decay
from LiverSegSSLLib.learn.semi.two_stream import Step


def network(seed: int = 0) -> torch.nn.Module:
    """nnU-Net's network, two resolutions of two channels."""
    torch.manual_seed(seed)
    norm, slope = {"eps": 1e-5, "affine": True}, {"inplace": True}
    return PlainConvUNet(
        1, 2, [2, 4], torch.nn.Conv3d, 3, [1, 2], 1, 2, 1, True, torch.nn.InstanceNorm3d, norm,
        nonlin=torch.nn.LeakyReLU, nonlin_kwargs=slope, deep_supervision=True,
    )  # fmt: skip


def patches(seed: int = 0) -> torch.Tensor:
    return torch.randn((2, 1, 4, 8, 8), generator=torch.Generator().manual_seed(seed))


def test_equation_one_by_its_letters() -> None:
    student, teacher = torch.randn(2, 3, 4, 5, 6), torch.randn(2, 3, 4, 5, 6)
    expected = 0.0
    for sample in range(2):
        p_s, p_t = (np.asarray(torch.softmax(logits[sample].double(), 0)) for logits in (student, teacher))
        expected += ((p_t - p_s) ** 2).sum() / (4 * 5 * 6 * 3)
    assert consistency_loss(student, teacher).item() == pytest.approx(expected / 2, rel=1e-5)


def test_a_teacher_equal_to_its_student_asks_for_nothing() -> None:
    student = network()
    logits = student(patches())[0]
    assert consistency_loss(logits, Teacher(student)(patches())).item() == 0


def test_nothing_flows_back_to_the_teacher() -> None:
    student, teacher = network(0), Teacher(network(1))
    loss = consistency_loss(student(patches())[0], teacher(patches()))
    loss.backward()
    assert all(weight.grad is None for weight in teacher.network.parameters())
    head = student.decoder.seg_layers[-1].weight  # type: ignore[union-attr, index]
    assert head.grad is not None and head.grad.abs().max() > 0
    # Nor would it to a teacher that could be trained.
    other = network(1)
    loss = consistency_loss(student(patches())[0], other(patches())[0])
    gradients = torch.autograd.grad(loss, list(other.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in gradients)


def test_the_weight_of_consistency_over_a_training() -> None:
    options = MeanTeacher()
    found = [ramped(options.weight, progress, options.ramp) for progress in (0, 0.5, 1)]
    assert found == pytest.approx([6.7379e-4, 2.8650e-2, 0.1], rel=1e-4)
    short = MeanTeacher(ramp=0.4)
    assert ramped(short.weight, 0.2, short.ramp) == pytest.approx(2.8650e-2, rel=1e-4)
    assert ramped(short.weight, 0.7, short.ramp) == 0.1


def test_the_teacher_is_the_student_at_first_and_follows_more_and_more_slowly() -> None:
    assert [ema_decay(step, MeanTeacher().decay) for step in (0, 9, 99, 5000)] == pytest.approx([0, 0.9, 0.99, 0.99])
    student, teacher = network(0), Teacher(network(1))
    teacher.update(student, ema_decay(0))
    pairs = list(zip(teacher.network.parameters(), student.parameters(), strict=True))
    assert all(torch.equal(own, other) for own, other in pairs)
    before = [own.clone() for own, _ in pairs]
    with torch.no_grad():
        for _, other in pairs:
            other.add_(1)
    teacher.update(student, ema_decay(9))
    assert all(torch.allclose(own, old + 0.1, atol=1e-6) for (own, _), old in zip(pairs, before, strict=True))


@pytest.mark.parametrize(("heads", "expected"), [(5, [8 / 15, 4 / 15, 2 / 15, 1 / 15, 0]), (3, [2 / 3, 1 / 3, 0])])
def test_deep_supervision_of_nnunet_is_equation_two(heads: int, expected: list[float]) -> None:
    asked = SimpleNamespace(
        label_manager=SimpleNamespace(has_regions=False, ignore_label=None),
        configuration_manager=SimpleNamespace(batch_dice=True),
        is_ddp=False,
        _do_i_compile=lambda: False,
        enable_deep_supervision=True,
        _get_deep_supervision_scales=lambda: [[1, 1, 1]] * heads,
    )
    found = nnUNetTrainer._build_loss(asked).weight_factors
    assert found == pytest.approx(expected) and sum(found) == pytest.approx(1)


def test_noise_is_small_cut_off_and_repeatable() -> None:
    image = torch.full((2, 1, 30, 30, 30), 5.0)
    one, again, other = (noisy(image, 0.1, 0.2, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)
    noise = (one - image).double()
    assert noise.abs().max().item() == pytest.approx(0.2, abs=1e-6)
    assert noise.mean().item() == pytest.approx(0, abs=2e-3)
    # 4.6 % of normal noise lie beyond two standard deviations; cut off there, 0.0960 are left of 0.1.
    assert (noise.abs() > 0.19999).double().mean().item() == pytest.approx(0.0455, abs=5e-3)
    assert noise.std().item() == pytest.approx(0.0960, abs=1e-3)


def test_probabilities_are_compared_in_thirty_two_bits() -> None:
    student, teacher = (torch.randn((1, 2, 3, 4, 5)) * 8 for _ in range(2))
    half = consistency_loss(student.half(), teacher.half())
    assert half.dtype == torch.float32
    assert half.item() == consistency_loss(student.half().float(), teacher.half().float()).item()


def test_the_whole_loss_is_equation_three(initialised: Callable[..., Any], step_of: Callable[..., Step]) -> None:
    trainer, step = initialised(MeanTeacherTrainer), step_of(progress=0.5)
    found = trainer.losses(step)
    supervised = trainer.loss(trainer.network(step.image), step.target)
    assert found["supervised_loss"].item() == supervised.item()
    # The teacher begins as the student, but sees noise.
    assert 0 < found["unsupervised_loss"].item() < 1e-2
    expected = supervised.item() + 2.8650e-2 * found["unsupervised_loss"].item()
    assert found["total"].item() == pytest.approx(expected, rel=1e-6)


def test_without_noise_nothing_is_asked_of_a_student_that_is_its_teacher(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    trainer = initialised(MeanTeacherTrainer, mean_teacher={"noise": 0.0})
    assert trainer.losses(step_of(progress=1.0))["unsupervised_loss"].item() == 0


def test_without_consistency_unlabelled_patches_are_not_looked_at(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    trainer = initialised(MeanTeacherTrainer, mean_teacher={"consistency": False})
    step = step_of(progress=1.0)
    step.unlabelled.fill_(torch.nan)
    found = trainer.losses(step)
    assert set(found) == {"total", "supervised_loss"}
    assert found["total"].item() == trainer.loss(trainer.network(step.image), step.target).item()


def test_the_student_learns_and_the_teacher_follows(
    initialised: Callable[..., Any], step_of: Callable[..., Step]
) -> None:
    trainer, step = initialised(MeanTeacherTrainer), step_of(number=9, progress=1.0)
    trainer.losses(step)["total"].backward()
    teacher = trainer.teachers["teacher"].network
    assert all(weight.grad is None for weight in teacher.parameters())
    assert any(weight.grad is not None and weight.grad.any() for weight in trainer.network.parameters())
    with torch.no_grad():
        for weight in trainer.network.parameters():
            weight.add_(1)
    before = [weight.clone() for weight in teacher.parameters()]
    trainer.after_step(step)
    assert all(torch.allclose(now, old + 0.1, atol=1e-5) for now, old in zip(teacher.parameters(), before, strict=True))
