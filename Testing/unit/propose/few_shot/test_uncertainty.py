"""Entropy and disagreement against answers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.propose.few_shot.uncertainty import Tally, uncertainty_of


def tally(members, weights=None):
    result = Tally(np.shape(members[0]))
    for number, member in enumerate(members):
        result.add(np.asarray(member, np.float32), 1.0 if weights is None else weights[number])
    return result


def test_agreement_is_certain_and_contradiction_is_one_bit():
    shape = (2, 1, 3)
    same = tally([np.ones(shape), np.ones(shape)])
    assert uncertainty_of(same.mean(), same.disagreement()).case_entropy == 0
    split = tally([np.ones(shape), np.zeros(shape)])
    found = uncertainty_of(split.mean(), split.disagreement())
    assert (found.entropy == 1).all()
    assert (found.disagreement == 0.5).all()
    assert (found.case_entropy, found.case_disagreement) == (1.0, 0.5)
    assert found.slice_entropy.tolist() == [3.0, 3.0]
    assert found.slice_disagreement.tolist() == [1.5, 1.5]


def test_entropy_cannot_tell_doubt_from_contradiction_but_disagreement_can():
    both_unsure = tally([[[[0.5]]], [[[0.5]]]])
    against = tally([[[[1.0]]], [[[0.0]]]])
    assert both_unsure.mean() == against.mean()
    assert both_unsure.disagreement().item() == 0
    assert against.disagreement().item() == 0.5


def test_weights_count():
    three = tally([[[[1.0]]], [[[0.0]]], [[[0.2]]]], [6.0, 1.0, 1.0])
    assert three.mean().item() == pytest.approx(6.2 / 8)
    assert three.disagreement().item() == pytest.approx(2 / 8)


def test_a_member_without_weight_and_a_mean_of_nothing_are_refused():
    empty = Tally((1, 1, 1))
    for weight in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            empty.add(np.zeros((1, 1, 1)), weight)
    with pytest.raises(ValueError, match="no member"):
        empty.mean()


MEMBERS = st.lists(
    st.tuples(st.lists(st.floats(0, 1), min_size=6, max_size=6), st.floats(0.01, 5)), min_size=1, max_size=6
)


@settings(max_examples=80, deadline=None)
@given(MEMBERS, st.randoms(use_true_random=False))
def test_order_and_scale_of_weights_do_not_matter(members, random):
    values = [np.reshape(member, (1, 2, 3)) for member, _ in members]
    weights = [weight for _, weight in members]
    places = list(range(len(values)))
    random.shuffle(places)
    one = tally(values, weights)
    other = tally([values[place] for place in places], [7 * weights[place] for place in places])
    assert np.allclose(one.mean(), other.mean(), atol=1e-6)
    stack = np.asarray(values, np.float32)
    assert np.allclose(one.mean(), np.average(stack, axis=0, weights=weights), atol=1e-6)
    differ = (stack >= 0.5) != (one.mean() >= 0.5)
    assert np.allclose(one.disagreement(), np.average(differ, axis=0, weights=weights), atol=1e-6)


def test_a_case_without_any_liver_has_no_doubt():
    none = tally([np.zeros((1, 2, 2))])
    found = uncertainty_of(none.mean(), none.disagreement())
    assert (found.case_entropy, found.case_disagreement) == (0.0, 0.0)
