"""From the name of a file to its phase, by the spellings in ``Resources/phases.yaml``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.resources import table

_CHANNEL = re.compile(r"_0000$")


@dataclass(frozen=True)
class PhaseName:
    """A phase as a file name gives it; ``b_value`` in s/mm² for a diffusion image that states it."""

    phase: Phase
    b_value: int | None = None


def parse_phase(name: str) -> PhaseName | None:
    """The phase that a name without its suffix means, or ``None`` if it is none that we know.

    >>> parse_phase("DWI_800")
    PhaseName(phase=<Phase.DWI: 'DWI'>, b_value=800)
    >>> parse_phase("C-pre_0000").phase
    <Phase.T1: 'T1'>
    """
    name = strip_channel(name)
    words = re.findall(r"[a-z0-9]+", name.lower())
    spellings = _spellings()
    kept = [word for word in words if word not in _settings()["ignored_words"]]
    for candidate in (words, kept):
        for pattern in _settings()["b_value_patterns"]:
            match = re.match(pattern, "_".join(candidate))
            if match:
                return PhaseName(Phase.DWI, int(match["b"]))
        phase = spellings.get("".join(candidate))
        if phase is not None:
            return PhaseName(phase)
    return None


def nearest_phase(name: str) -> str:
    """The known spelling that looks most like ``name``, or every phase if none does; for error messages."""
    spellings = _spellings()
    close = difflib.get_close_matches(_compact(name), list(spellings), n=1, cutoff=0.7)
    return spellings[close[0]].value if close else ", ".join(phase.value for phase in Phase)


def strip_channel(name: str) -> str:
    """A name without nnU-Net's channel number."""
    return _CHANNEL.sub("", name)


def canonical_b_value() -> int:
    """The b-value (s/mm²) that stands for DWI where a study has several."""
    return int(_settings()["canonical_b_value"])


def _compact(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = table("phases.yaml")
    return settings


@cache
def _spellings() -> dict[str, Phase]:
    return {_compact(str(name)): Phase(phase) for phase, names in _settings()["phases"].items() for name in names}
