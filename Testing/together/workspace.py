"""A workspace as a large study has it: hundreds of patients, every phase proposed, judged and partly reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.types import Decision, Score
from LiverSegSSLLib.volume import Geometry, Volume

GRID = Geometry((24, 20, 12), (12.0, 12.0, 15.0))
"""Small: the images are not what is tried."""
PHASES = (Phase.GED4, Phase.T1, Phase.T2, Phase.DWI, Phase.GED1, Phase.GED2, Phase.GED3)
SCORES = ("anatomy", "entropy", "stability", "organs", "boundary")
MEASUREMENTS = {"inverse_consistency_mm": 1.25, "boundary_alignment": 0.75, "overlap": 0.875}


def case_ids(studies: int, phases: Sequence[Phase] = PHASES) -> list[str]:
    """Studies × phases."""
    return [f"P{study:04d}__{phase.value}" for study in range(studies) for phase in phases]


def ball(radius: float = 6.0) -> Volume:
    """A mask."""
    return Volume((_distance() <= radius).astype(np.uint8), GRID)


def soft(radius: float = 6.0) -> Volume:
    """A probability map."""
    return Volume((1 / (1 + np.exp(_distance() - radius))).astype(np.float32), GRID)


def propose(store: LabelStore, case_id: str, round_number: int = 1, who: str = "") -> Label:
    """Add a proposal, as a round does."""
    parameters: dict[str, Any] = {"transform": [1.0] * 12, "measurements": MEASUREMENTS, "failure": ""}
    return store.add(
        case_id,
        ball(),
        source="atlas",
        round=round_number,
        parents=["P0000__GED4.v1"],
        parameters=parameters,
        probability=soft(),
        key=f"{who}/{case_id}/{round_number}",
    )


def judged(label: Label, value: float = 0.5) -> Decision:
    """A decision with five scores."""
    reason = "the parts of the liver hang together and its volume is that of a liver"
    scores = tuple(Score(name, value + number / 10, True, reason) for number, name in enumerate(SCORES))
    return Decision(label.case_id, label.id, scores, True, "among the best of its phase and vendor", value)


def fill(store: LabelStore, studies: int, reviewed: int = 10) -> list[Label]:
    """Add a label for every case, decisions on all of them, and a verdict on every ``reviewed``-th."""
    labels = [propose(store, case_id) for case_id in case_ids(studies)]
    store.record(*(judged(label) for label in labels))
    for label in labels[::reviewed]:
        store.review(label.id, LabelState.ACCEPTED, author="A", seconds=20.0)
    return labels


def _distance() -> np.ndarray:
    z, y, x = np.indices(GRID.shape)
    return np.asarray(np.sqrt((x - 12) ** 2 + (y - 10) ** 2 + (z - 6) ** 2))
