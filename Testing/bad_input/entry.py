"""What an entry of the corpus says: the bad thing, whom it is given to, the answer that is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from Testing.bad_input.place import CASES, Place

Arrange = Callable[[Place], list[str]]
"""Puts the bad thing into a place; returns the command line that meets it."""


@dataclass(frozen=True)
class Entry:
    """One bad thing.

    ``says``: a regular expression that the answer must hold: what, where, what to do. ``code``: 2 where the input as a
    whole is bad, 0 where a part of it is and the rest goes on, 1 where not the input but the workspace is at fault.
    ``goes_on``: the cases that the cohort still has; ``None``: it is not opened. ``proposed``: begin with a workspace
    in which labels were proposed.
    """

    name: str
    arrange: Arrange
    says: str
    code: int = 2
    goes_on: frozenset[str] | None = None
    proposed: bool = False


def after(change: Callable[[Place], object], arguments: Arrange) -> Arrange:
    """Change the place, then the command line."""

    def arrange(place: Place) -> list[str]:
        change(place)
        return arguments(place)

    return arrange


def inspected(change: Callable[[Place], object]) -> Arrange:
    """Change the cohort, then inspect it."""

    return after(change, lambda place: ["inspect", str(place.data)])


def of_cohort(name: str, change: Callable[[Place], object], says: str, left: frozenset[str] = CASES) -> Entry:
    """A part of a cohort is bad; inspect says so and has the rest."""
    return Entry(name, inspected(change), says, 0, left)
