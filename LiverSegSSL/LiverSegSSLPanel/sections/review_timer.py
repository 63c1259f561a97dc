"""How long a person works on each case, and a beat for what is done every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from LiverSegSSLPanel.timers import Timer

BEAT_MS = 500

IDLE_S = 60.0
"""After so long without a sign of the person, time does not count."""

LAPSE_S = 5.0
"""A longer pause between two beats was no work: the computer slept, or a file was read."""


class ReviewTimer:
    """Seconds by case. Signs are looked at with every beat instead of every event of the application being heard.

    :param signs: what changes whenever the person does something; must cost next to nothing.
    :param beat: is called every half second.
    """

    def __init__(self, signs: Callable[[], Any], beat: Callable[[], None]) -> None:
        self.seconds: dict[str, float] = {}
        """By case id: work on it that is not in the ledger yet."""
        self._signs, self._beat = signs, beat
        self._case_id = ""
        self._here = False
        self._last_signs: Any = None
        self._last_time = self._last_sign_time = 0.0
        self._timer = Timer(self.tick, BEAT_MS)

    def look_at(self, case_id: str) -> None:
        """Count for this case from now on; empty: for none."""
        self._case_id = case_id
        self._last_time = self._last_sign_time = time.monotonic()

    def run(self, on: bool) -> None:
        """Whether there is anything to be done every few seconds."""
        if not on:
            self._timer.stop()
        elif not self._timer.active:
            self._timer.start()

    def enter(self) -> None:
        """The person has come to the module."""
        self._here = True
        self._last_sign_time = time.monotonic()

    def leave(self) -> None:
        """The person does something else; the beat goes on."""
        self._here = False

    def spent(self, case_id: str) -> float:
        """Seconds of work on a case since its last verdict."""
        return round(self.seconds.get(case_id, 0.0), 1)

    def tick(self) -> None:
        """One beat."""
        now, signs = time.monotonic(), self._signs()
        if signs != self._last_signs:
            self._last_signs, self._last_sign_time = signs, now
        elapsed, self._last_time = now - self._last_time, now
        if self._here and self._case_id and now - self._last_sign_time <= IDLE_S and elapsed <= LAPSE_S:
            self.seconds[self._case_id] = self.seconds.get(self._case_id, 0.0) + elapsed
        self._beat()

    def cleanup(self) -> None:
        """The panel goes."""
        self._timer.cleanup()
