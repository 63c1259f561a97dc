"""Cross pseudo supervision: the checks of METHODS 4.3 that need no training."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from LiverSegSSLLib.learn.semi.cps import cross_pseudo_loss, disagreement
from LiverSegSSLLib.learn.semi.ramps import gaussian_ramp, ramped


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4), nn.ReLU(), nn.Conv3d(4, 2, 1))


def images(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 1, 4, 6, 5, generator=torch.Generator().manual_seed(3))


def test_a_copy_has_the_same_gradient_and_agrees_everywhere() -> None:
    one, other = network(1), network(2)
    other.load_state_dict(one.state_dict())
    first, second = one(images()), other(images())
    cross_pseudo_loss(first, second).backward()
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert mine.grad is not None and torch.equal(mine.grad, theirs.grad) and mine.grad.abs().sum() > 0
    assert disagreement(first, second) == 0


def test_nothing_flows_back_through_a_pseudo_label() -> None:
    one, other = network(1), network(2)
    first, second = one(images()), other(images())
    # Half the loss: the first network taught by the second.
    taught = F.cross_entropy(first, second.detach().argmax(1))
    both = cross_pseudo_loss(first, second)
    of_first = torch.autograd.grad(both, list(one.parameters()), retain_graph=True)
    alone = torch.autograd.grad(taught, list(one.parameters()), retain_graph=True)
    assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(of_first, alone, strict=True))
    assert all(g is None for g in torch.autograd.grad(taught, list(other.parameters()), allow_unused=True))


def test_it_is_minus_the_log_of_the_probability_of_the_other_networks_class() -> None:
    first, second = network(1)(images()), network(2)(images())
    expected = 0.0
    for p, q in ((first, second), (second, first)):
        expected += -p.softmax(1).gather(1, q.argmax(1, keepdim=True)).log().mean().item()
    assert cross_pseudo_loss(first, second).item() == pytest.approx(expected, rel=1e-6)


@given(st.integers(1, 3), st.integers(2, 3))
def test_repeating_the_images_changes_nothing(count: int, times: int) -> None:
    one, other = network(1), network(2)
    once, repeated = images(count), images(count).repeat(times, 1, 1, 1, 1)
    with torch.no_grad():
        loss = cross_pseudo_loss(one(once), other(once))
        assert cross_pseudo_loss(one(repeated), other(repeated)).item() == pytest.approx(loss.item(), rel=1e-5)


def test_disagreement_is_the_share_of_voxels() -> None:
    logits = torch.zeros(1, 2, 1, 2, 5)
    logits[:, 1] = 1.0
    other = logits.clone()
    other[..., :2] = other[..., :2].flip(1)
    assert disagreement(logits, other).item() == pytest.approx(0.4)


def test_the_ramp_is_the_published_one() -> None:
    assert 0.1 * gaussian_ramp(0) == pytest.approx(6.7379e-4, rel=1e-4)
    assert 0.1 * gaussian_ramp(0.5) == pytest.approx(2.8650e-2, rel=1e-4)
    assert 0.1 * gaussian_ramp(1) == 0.1
    # SSL4MIS, stepwise over 200 steps: iteration 29999 of 30000 is in step 199.
    assert 0.1 * gaussian_ramp(199 / 200) == pytest.approx(9.99875e-2, rel=1e-6)
    assert ramped(2.0, 0.4, 0.4) == 2.0 and ramped(2.0, 0.9, 0.4) == 2.0 and ramped(2.0, 0.0, 0.0) == 2.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_ramp_never_falls(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert gaussian_ramp(low) <= gaussian_ramp(high) <= 1.0
