"""MiDSS: which voxels are said to be what, and what it costs to see them otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.learn.semi.midss import Said, confident_label, ensembled, masked_loss
from LiverSegSSLLib.learn.semi.mixing import random_box

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
