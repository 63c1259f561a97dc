"""What passes between the rooms (supports, proposals, scores, decisions, metric rows)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.volume import Volume

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Support:
    """A labelled case that a proposer may learn from: image and mask, both on the case's native grid.

    ``mask`` is 0/1 liver; ``organs`` names further values when the mask file holds several organs.
    ``label_id`` is the ledger id of the label (the parent in provenance). ``expert``: a person made or accepted the
    mask; a pseudo label counts less.
    """

    case: Case
    mask: Path
    label_id: str = ""
    liver_value: int | None = None
    organs: tuple[tuple[str, int], ...] = ()
    expert: bool = True


@dataclass(frozen=True, eq=False)
class Proposal:
    """What a proposer thinks of one case, on the case's native grid.

    ``probability``: float32 in [0, 1]; ``None`` when it failed, and ``failure`` says why in words.
    ``measurements``: numbers for the scores (``inverse_consistency_mm``, ``boundary_alignment``, …).
    """

    case: Case
    source: str
    probability: Volume | None
    parents: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)  # not NOTHING, which cannot go to another process
    measurements: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    failure: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Score:
    """One judgement of one label: a number, a verdict and a reason that a radiologist understands."""

    name: str
    value: float
    ok: bool
    reason: str


@dataclass(frozen=True)
class Decision:
    """Whether a pseudo label is kept for training. ``need`` orders the review (0 none … 1 most)."""

    case_id: str
    label_id: str
    scores: tuple[Score, ...]
    keep: bool
    reason: str
    need: float


@dataclass(frozen=True)
class MetricRow:
    """One mask measured against the truth of its case. Distances are NaN where a mask is empty."""

    case_id: str
    study: str
    phase: str
    vendor: str
    domain: str
    source: str
    dice: float
    hd_mm: float
    hd95_mm: float
    assd_mm: float
    nsd: float
    empty: bool
    seconds: float = float("nan")
    peak_mb: float = float("nan")
