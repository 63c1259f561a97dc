"""How far a comparison has come: cells trained of all, and about how long the rest takes."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from LiverSegSSLLib.evaluate.report.results import duration
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.rounds.comparison_plan import Cell

STAGE = "cells"

_FOLD = re.compile(r"train fold (\d+)")


class Progress:
    """Counts trained cells (of every method) from the events of their trainings; callable from several threads.

    :param total: cells of all methods.
    """

    def __init__(self, report: Reporter, total: int) -> None:
        self._report = report
        self._total = total
        self._share: dict[tuple[str, int], float] = {}
        self._gained = 0.0
        """Cells' worth of training in this process, by which the rest is timed."""
        self._begun = time.monotonic()
        self._lock = Lock()

    def reporter(self, method: str, cells: Sequence[Cell]) -> Reporter:
        """Passes the events of one method's trainings on, its folds called by what they are.

        Their progress becomes that of all cells: one bar, not one a training.
        """
        by_number = {cell.number: cell for cell in cells}

        def send(event: Event) -> None:
            match = _FOLD.fullmatch(event.stage)
            if match is None:
                self._report.send(event)
                return
            cell = by_number[int(match[1])]
            if event.kind == "progress":
                self._advance(method, cell, event.data["done"], event.data["total"])
            else:
                self._report.send(replace(event, stage=f"{method}: {cell}"))

        return Reporter(send)

    def trained(self, method: str, cells: Sequence[Cell]) -> None:
        """All of a method's cells are, those too that were before."""
        with self._lock:
            self._share |= {(method, cell.number): 1.0 for cell in cells}
        self._tell("")

    def _advance(self, method: str, cell: Cell, done: int, total: int) -> None:
        with self._lock:
            # A training that goes on after a kill begins at another epoch than the first.
            self._gained += done / total - self._share.get((method, cell.number), (done - 1) / total)
            self._share[method, cell.number] = done / total
        self._tell(f"{method}: {cell} ({done}/{total})")

    def _tell(self, what: str) -> None:
        with self._lock:
            done = sum(share >= 1.0 for share in self._share.values())
            left = self._total - sum(self._share.values())
            seconds = (time.monotonic() - self._begun) * left / self._gained if self._gained > 0 else 0.0
        rest = f"about {duration(seconds)} left" if seconds and done < self._total else ""
        self._report.progress(STAGE, done, self._total, ", ".join(filter(None, [what, rest])))
