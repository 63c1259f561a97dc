"""Colours that stay apart for colour-blind readers and on grey images (Okabe and Ito, 2008)."""

from __future__ import annotations

from collections.abc import Iterable

from LiverSegSSLLib.evaluate.report.model import TRUTH

TRUTH_COLOUR = "#56b4e9"
COLOURS = ("#e69f00", "#cc79a7", "#009e73", "#d55e00")
DOUBT_COLOUR = "#f0e442"


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for every name: the truth its own, the others in order of appearance."""
    given = {TRUTH: TRUTH_COLOUR}
    for name in names:
        if name not in given:
            given[name] = COLOURS[(len(given) - 1) % len(COLOURS)]
    return given
