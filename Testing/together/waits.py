"""How long a process waits for the ledger, how long it holds it, and how much it does meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from LiverSegSSLLib.labels.ledger import Ledger

_INSTRUCTIONS = 50
"""SQLite's machine is looked at after so many."""


@dataclass
class Turns:
    """Every time the ledger was held for writing: seconds waited for it, seconds held, processor seconds of these."""

    waited: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)

    def plain(self) -> dict[str, list[float]]:
        """As JSON holds it."""
        return {"waited": self.waited, "held": self.held, "worked": self.worked}


@contextmanager
def timed() -> Iterator[Turns]:
    """All write transactions of this process, by the clock. The wait includes connecting."""
    turns = Turns()

    @contextmanager
    def writing(self: Ledger) -> Iterator[Session]:
        asked = time.monotonic()
        with original(self) as session:
            began, worked = time.monotonic(), time.thread_time()
            turns.waited.append(began - asked)
            yield session
        turns.held.append(time.monotonic() - began)
        turns.worked.append(time.thread_time() - worked)

    original = Ledger.writing
    Ledger.writing = writing  # type: ignore[method-assign]
    try:
        yield turns
    finally:
        Ledger.writing = original  # type: ignore[method-assign]


@dataclass
class Effort:
    """What was done while the ledger was held, in numbers that do not depend on the computer."""

    instructions: int = 0
    """Of SQLite's machine, in hundreds or so."""
    files: int = 0
    """Files and folders opened, listed, renamed or removed."""
    most: tuple[int, int] = (0, 0)
    """The same of the single transaction that did most."""


_counting: list[Effort] = []


def _hear(event: str, _arguments: Any) -> None:
    if _counting and event in ("open", "os.scandir", "os.listdir", "os.rename", "os.remove", "glob.glob"):
        _counting[-1].files += 1


sys.addaudithook(_hear)  # for good: a hook cannot be taken back


@contextmanager
def counted() -> Iterator[Effort]:
    """The effort of all write transactions of this process; of ledgers in files only."""
    all_of_them = Effort()

    @contextmanager
    def writing(self: Ledger) -> Iterator[Session]:
        with original(self) as session:
            effort = Effort()
            driver: Any = session.connection().connection.driver_connection

            def tick() -> int:
                effort.instructions += 1
                return 0

            driver.set_progress_handler(tick, _INSTRUCTIONS)
            _counting.append(effort)
            try:
                yield session
                session.flush()
            finally:
                _counting.remove(effort)
                driver.set_progress_handler(None, 0)
        all_of_them.instructions += effort.instructions
        all_of_them.files += effort.files
        all_of_them.most = max(all_of_them.most, (effort.instructions, effort.files))

    original = Ledger.writing
    Ledger.writing = writing  # type: ignore[method-assign]
    try:
        yield all_of_them
    finally:
        Ledger.writing = original  # type: ignore[method-assign]
