"""One label map from those of several rounds: union or vote (METHODS 5 and 12, no. 11)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


def union(rounds: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """A voxel is labelled if any round labelled it. Label maps of one shape, oldest round first.

    Where rounds name different organs the one with most votes wins, and a tie goes to the latest round among the
    tied. A union only grows: every round can only add false positives.
    """
    return _most_votes(rounds, background_votes=False)


def vote(rounds: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Every voxel gets the label, background included, that most rounds give it; ties as in :func:`union`."""
    return _most_votes(rounds, background_votes=True)


def combine(rounds: Sequence[NDArray[Any]], method: Literal["auto", "vote", "union", "last"] = "auto") -> NDArray[Any]:
    """The label of several rounds; ``auto``: a vote from three rounds on, the last round before."""
    if method == "union":
        return union(rounds)
    if method == "vote" or (method == "auto" and len(rounds) >= 3):
        return vote(rounds)
    return rounds[-1].copy()


def _most_votes(rounds: Sequence[NDArray[Any]], background_votes: bool) -> NDArray[Any]:
    if not rounds:
        raise ValueError("no label maps to combine")
    result = np.zeros_like(rounds[0])
    votes = np.zeros(rounds[0].shape, np.uint16)
    latest = np.full(rounds[0].shape, -1, np.int16)
    for label in np.unique(np.concatenate([np.unique(one) for one in rounds])):
        if label == 0 and not background_votes:
            continue
        count = np.zeros_like(votes)
        last = np.full_like(latest, -1)
        for number, one in enumerate(rounds):
            given = one == label
            count += given
            last[given] = number
        wins = (count > votes) | ((count == votes) & (count > 0) & (last > latest))
        result[wins], votes[wins], latest[wins] = label, count[wins], last[wins]
    return result
