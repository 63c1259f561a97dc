"""Finding what the user meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like ``word``; ``None`` when none is at all like it."""
    candidates = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.5)
    return candidates[matches[0]] if matches else None


def advice(word: str, known: Iterable[str]) -> str:
    """What to write instead: the nearest known word, or all of them."""
    known = sorted(known)
    match = nearest(word, known)
    return f"did you mean {match}?" if match else f"use one of {', '.join(known)}"
