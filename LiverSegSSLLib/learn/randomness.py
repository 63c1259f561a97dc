"""Random numbers of its own for code that draws from the global generators."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any

import numpy as np
import torch


def seed_everything(*entropy: int) -> None:
    """Seed Python's, numpy's and torch's (processor) generators from numbers of 0 and more."""
    state = np.random.SeedSequence(list(entropy)).generate_state(2)
    random.seed(int(state[0]))
    np.random.seed(int(state[0]))
    torch.manual_seed(int(state[1]))


class OwnRandomness:
    """A context in which the global generators go on from where it left them; outside nothing is seen of it.

    So whether, and how often, it is entered changes no random number that others draw.
    """

    def __init__(self, *entropy: int) -> None:
        self.seed(*entropy)

    def seed(self, *entropy: int) -> None:
        """Begin anew, see :func:`seed_everything`."""
        outside = _state()
        seed_everything(*entropy)
        self._inside = _state()
        _restore(outside)

    def __enter__(self) -> None:
        self._outside = _state()
        _restore(self._inside)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inside = _state()
        _restore(self._outside)


def _state() -> tuple[Any, Any, torch.Tensor]:
    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _restore(state: tuple[Any, Any, torch.Tensor]) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])
    torch.set_rng_state(state[2])
