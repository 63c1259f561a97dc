"""Troubles: what the application would print, ignore or forget, kept so that the test fails on it."""

import re
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong.

    `kind`: "exception" (in a slot, an observer or an overridden Qt method), "signal" (it does not exist), "property"
    (wrong type), "argument" (a pathlib path), "popup" (nobody announced it, or it never came), "ui" (unknown class or
    property in a .ui file), "qt" and "vtk" (their warnings), "stderr", "observer", "timer", "connection" (left over).
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return f"[{self.kind}] {self.text}"


class Troubles:
    """The list of troubles of the test that runs."""

    def __init__(self) -> None:
        self.found: list[Trouble] = []

    def add(self, kind: str, text: str) -> None:
        self.found.append(Trouble(kind, text))

    def add_exception(self, where: str, error: BaseException) -> None:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        self.add("exception", f"{where}\n{''.join(lines)}")

    def of(self, kind: str) -> list[Trouble]:
        return [trouble for trouble in self.found if trouble.kind == kind]

    def forgive(self, pattern: str) -> list[Trouble]:
        """Take out the troubles whose kind or text matches; raises AssertionError when there is none."""
        forgiven = [trouble for trouble in self.found if re.search(pattern, str(trouble))]
        assert forgiven, f"No trouble matches {pattern!r}; there are:\n" + "\n".join(map(str, self.found))
        self.found = [trouble for trouble in self.found if trouble not in forgiven]
        return forgiven

    def clear(self) -> None:
        self.found = []


# Qt, VTK and the wrapped objects are one per process, and so is the place where they report.
TROUBLES = Troubles()


# The longest that a slot, an observer or a timer held the GUI thread, in seconds, by what it was.
SLOWEST: dict[str, float] = {}


def guarded(function: Callable, where: str, timed: bool = True) -> Callable:
    """A callable that keeps the exceptions (Qt and VTK print them and go on) and the time of `function`."""

    def run(*args):  # type: ignore[no-untyped-def]
        begin = time.perf_counter()
        try:
            return function(*args)
        except Exception as error:
            TROUBLES.add_exception(where, error)
            return None
        finally:
            if timed:
                SLOWEST[where] = max(SLOWEST.get(where, 0.0), time.perf_counter() - begin)

    return run
