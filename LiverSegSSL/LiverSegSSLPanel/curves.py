"""The curves of a training, from what its job says. Free of Qt."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LiverSegSSLLib.events import Event

EPOCH = "epoch"
JUDGED = ("dice", "agreement")
"""Names of what a network is judged by: with labels of experts that were kept out, or with pseudo labels."""

_BESIDES = frozenset({"epochs", "seconds", "seconds_left"})
_FOLD = re.compile(r"train fold (\w+)")
_ROUND = re.compile(r"round (\d+): train")

Points = dict[int, dict[str, float]]
"""Epoch, from 1 → the numbers of it, by name."""


class Curves:
    """The curves of the round that is being trained: epoch by epoch for every fold."""

    def __init__(self) -> None:
        self.round = 0
        """0: the job has not said which."""
        self.folds: dict[str, Points] = {}
        """Fold (``0``, ``1``, …; ``all``: one model trained on everything) → its points."""

    def take(self, events: Iterable[Event]) -> set[str]:
        """Listen; returns the folds that have news. An epoch that is told again, after a kill, counts as told last."""
        news: set[str] = set()
        for event in events:
            begun = _ROUND.fullmatch(event.stage)
            if begun is not None and int(begun[1]) != self.round:
                self.round = int(begun[1])
                self.folds.clear()
                news.clear()
            fold = _FOLD.fullmatch(event.stage)
            if fold is not None and event.kind == "metric" and EPOCH in event.data:
                point = {name: float(value) for name, value in event.data.items() if name not in _BESIDES}
                self.folds.setdefault(fold[1], {})[int(event.data[EPOCH])] = point
                news.add(fold[1])
        return news

    def columns(self, fold: str) -> dict[str, list[float]]:
        """The points of a fold name by name, in the order of epochs; what an epoch lacks is not a number."""
        points = [point for _epoch, point in sorted(self.folds[fold].items())]
        names = dict.fromkeys(name for point in points for name in point)
        ordered = [EPOCH, *(name for name in names if name != EPOCH)]
        return {name: [point.get(name, float("nan")) for point in points] for name in ordered}

    @property
    def judged(self) -> str:
        """Which of :data:`JUDGED` the networks are judged by; empty: nothing has been said."""
        named = {name for points in self.folds.values() for point in points.values() for name in point}
        return next((name for name in JUDGED if name in named), "")
