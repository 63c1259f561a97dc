"""How much a label still changes from round to round (pseudo label filtering, METHODS 5, eq. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.score.evidence import Evidence, failed, percent
from LiverSegSSLLib.types import Score


def change(earlier: NDArray[Any], later: NDArray[Any]) -> float:
    """Voxels whose label differs, per labelled voxel of the **later** map (the denominator of FLARE22's code).

    Label maps of one shape, any number of classes. Both empty: 0. Only the later one empty: infinite. May exceed 1.
    """
    if earlier.shape != later.shape:
        raise ValueError(f"label maps of different shapes: {earlier.shape} and {later.shape}")
    differing = int(np.count_nonzero(earlier != later))
    if differing == 0:
        return 0.0
    labelled = int(np.count_nonzero(later))
    return differing / labelled if labelled else float("inf")


def instability(rounds: Sequence[NDArray[Any]]) -> float:
    """Mean change over the K − 1 steps between K ≥ 2 rounds, oldest first: 0 stable, infinite if a label vanished.

    :raises ValueError: fewer than two rounds.
    """
    if len(rounds) < 2:
        raise ValueError("stability needs the labels of at least two rounds")
    return float(np.mean([change(before, after) for before, after in pairwise(rounds)]))


@dataclass(frozen=True)
class StabilityScore:
    """Mean change between rounds, at most ``most_change``. Value: 1 / (1 + change), which keeps every order.

    The paper gives no limit; by default only the rank counts (see ``selection``), and 0.5 rejects what is plainly
    another organ than the round before.
    """

    name: ClassVar[str] = "stability"
    most_change: float = 0.5

    def __call__(self, evidence: Evidence) -> Score | None:
        """Applies from the second round on."""
        if evidence.mask is None or not evidence.earlier:
            return None
        rounds = [volume.array != 0 for volume in (*evidence.earlier, evidence.mask)]
        if not rounds[-1].any():
            return failed(self.name, "the mask is empty" + (" now" if rounds[-2].any() else " as before"))
        unstable = instability(rounds)
        if not np.isfinite(unstable):
            return failed(self.name, "the mask was empty in an earlier round and is not now, or the reverse")
        reason = f"changes by {percent(unstable)} from round to round"
        return Score(self.name, 1.0 / (1.0 + unstable), unstable <= self.most_change, reason)
