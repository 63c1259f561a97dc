"""Label: one version of the liver mask of one case, and the states that it can be in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from LiverSegSSLLib.cohort.study import Phase, split_case_id
from LiverSegSSLLib.volume import Geometry


class LabelState(StrEnum):
    """What is thought of a label."""

    EXPERT = "expert"
    """Came with the data; never replaced."""
    PROPOSED = "proposed"
    """A method made it; nobody has looked at it."""
    ACCEPTED = "accepted"
    """A person looked at it and found it good."""
    CORRECTED = "corrected"
    """A person drew or changed it."""
    REJECTED = "rejected"
    """A person found it useless."""


RANK = {LabelState.EXPERT: 3, LabelState.CORRECTED: 2, LabelState.ACCEPTED: 1, LabelState.PROPOSED: 0}
"""Which label of a case stands: the highest rank, the newest of those. A rejected label never does."""


@dataclass(frozen=True)
class Label:
    """A row of the ledger. Files are named relative to the workspace; times are UTC; ``seconds`` is work spent.

    ``version`` counts the labels of the case from 1; ``id`` is ``<case id>.v<version>``. ``sha256`` is of the mask
    file. ``parents`` are ids of the labels that this one was made from.
    """

    id: str
    case_id: str
    version: int
    source: str
    round: int
    state: LabelState
    parents: tuple[str, ...]
    parameters: Mapping[str, Any] = field(compare=False)
    seed: int
    sha256: str
    author: str
    created: datetime
    path: str
    probability_path: str | None
    volume_ml: float
    seconds: float
    grid: Geometry
    key: str | None = None

    @property
    def study(self) -> str:
        """The study key."""
        return split_case_id(self.case_id)[0]

    @property
    def phase(self) -> Phase:
        """The phase."""
        return split_case_id(self.case_id)[1]


@dataclass(frozen=True)
class Review:
    """One entry in the history of a label: who put it in which state, when (UTC), in how many seconds of work."""

    label_id: str
    state: LabelState
    author: str
    seconds: float
    comment: str
    time: datetime


NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})


def may_become(made_as: LabelState, target: LabelState) -> bool:
    """Whether a person may put a label into a state.

    A proposal can be accepted, rejected and put back; a correction can only be rejected and taken back; an expert
    mask stays one.

    :param made_as: the state in which the label was added.
    """
    if made_as is LabelState.EXPERT:
        return False
    if made_as is LabelState.CORRECTED:
        return target in (LabelState.CORRECTED, LabelState.REJECTED)
    return target in (LabelState.PROPOSED, LabelState.ACCEPTED, LabelState.REJECTED)
