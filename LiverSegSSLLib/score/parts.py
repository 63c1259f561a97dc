"""Largest component: how much of the mask is one piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from LiverSegSSLLib.components import Connectivity, component_sizes
from LiverSegSSLLib.score.evidence import Evidence, failed, millilitres
from LiverSegSSLLib.types import Score


@dataclass(frozen=True)
class LargestComponentScore:
    """Share of the largest connected part, at least ``least_share``. Value: that share.

    Judges the mask before post-processing, for keeping the largest part alone always passes; the probability at 0.5
    is used where it is kept.
    """

    name: ClassVar[str] = "largest_component"
    least_share: float = 0.9
    connectivity: Connectivity = 26

    def __call__(self, evidence: Evidence) -> Score | None:
        """Applies to every mask."""
        volume = evidence.probability if evidence.probability is not None else evidence.mask
        if volume is None:
            return None
        raw = volume.array >= 0.5
        sizes = component_sizes(raw, self.connectivity)
        if not sizes.size:
            return failed(self.name, "the mask is empty")
        share = float(sizes[0] / sizes.sum())
        apart_ml = float(sizes[1:].sum()) * volume.geometry.voxel_ml
        reason = "one piece" if sizes.size == 1 else f"{sizes.size} parts, {millilitres(apart_ml)} outside the largest"
        return Score(self.name, share, share >= self.least_share, reason)
