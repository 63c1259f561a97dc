"""Random numbers of one's own leave no trace outside."""

from __future__ import annotations

import random

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.learn.randomness import OwnRandomness, seed_everything


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.uniform()), float(torch.rand(()))


@given(st.lists(st.booleans(), max_size=12))
def test_what_others_draw_does_not_depend_on_it(inside: list[bool]) -> None:
    seed_everything(5, 1)
    expected = [drawn() for _ in inside]
    seed_everything(5, 1)
    own = OwnRandomness(7)
    found = []
    for enter in inside:
        if enter:
            with own:
                drawn()
        found.append(drawn())
    assert found == expected


@given(st.integers(0, 5))
def test_it_goes_on_where_it_left_off_and_begins_anew_when_seeded(between: int) -> None:
    own = OwnRandomness(7, 2)
    with own:
        together = [drawn(), drawn()]
    own.seed(7, 2)
    apart = []
    for _ in range(2):
        for _ in range(between):
            drawn()
        with own:
            apart.append(drawn())
    assert apart == together


def test_an_error_inside_restores_the_outside() -> None:
    seed_everything(1, 1)
    expected = drawn()
    seed_everything(1, 1)
    try:
        with OwnRandomness(2):
            drawn()
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert drawn() == expected
