"""Anatomy rules: an organ is one piece of a plausible size (FLARE24_he, eqs. 6–8; METHODS 6.5).

The thresholds are in mm³ (the paper's voxels times its 1.2 × 1.2 × 3 mm), so they hold at any spacing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.components import Connectivity, bounding_box, component_sizes
from LiverSegSSLLib.score.evidence import Evidence, failed, millilitres
from LiverSegSSLLib.types import Score

SpacingZYX = tuple[float, float, float]
Floats = NDArray[np.float64]

REFERENCE_VOXEL_MM3 = 1.2 * 1.2 * 3.0
"""Voxel of the grid on which the paper counts."""

ADRENALS = frozenset({"right_adrenal", "left_adrenal"})
TOUCHING = ("oesophagus", "stomach", "duodenum")
"""Organs that continue into one another; together they are one piece (eq. 8)."""

ROUNDING = 1e-6
"""Relative; spacings come as float32 from many headers, and n voxels must weigh the same as n voxels."""


@dataclass(frozen=True)
class AnatomyScore:
    """Whether the mask is one piece of organ size. Value: share of the largest part in the whole.

    The defaults are the paper's; ``size="total", strict=False, connectivity=6`` is its code.

    :param least_mm3: the largest part (``size="total"``: all parts together) must be above this, eq. 6.
    :param island_mm3: the second part must be below this, eq. 7.
    :param size: what eq. 6 measures.
    :param strict: ``>`` in eq. 6 as in the paper; ``False``: ``≥`` as in its code.
    :param connectivity: of the parts, 6, 18 or 26.
    :param volume_ml: plausible liver volumes in mL, for example (500, 4000); ``None``: not judged.
    :param adrenals: ``exempt`` from eqs. 6 and 7 as in the paper, or as in its code only from eq. 6, but with an
        ``extent`` of 18 mm from front to back (15 voxels there).
    """

    name: ClassVar[str] = "anatomy"
    least_mm3: float = 512 * REFERENCE_VOXEL_MM3
    island_mm3: float = 64 * REFERENCE_VOXEL_MM3
    size: Literal["largest", "total"] = "largest"
    strict: bool = True
    connectivity: Connectivity = 26
    volume_ml: tuple[float, float] | None = None
    adrenals: Literal["exempt", "extent"] = "exempt"

    def __call__(self, evidence: Evidence) -> Score | None:
        """Applies to every mask."""
        if evidence.mask is None:
            return None
        return self.judge(evidence.mask.array, evidence.mask.geometry.spacing_zyx)

    def judge(self, mask: NDArray[Any], spacing_zyx: SpacingZYX) -> Score:
        """Score of one organ, the liver unless the caller knows better; ``mask`` is ``[z, y, x]``."""
        sizes = self._sizes_mm3(mask, spacing_zyx)
        if not sizes.size:
            return failed(self.name, "the mask is empty")
        wrong = [*self._size_wrong(sizes), *self._islands_wrong(sizes), *self._volume_wrong(sizes)]
        reason = "; ".join(wrong) or _description(sizes)
        return Score(self.name, float(sizes[0] / sizes.sum()), not wrong, reason)

    def judge_organs(self, labels: NDArray[Any], values: Mapping[str, int], spacing_zyx: SpacingZYX) -> Score:
        """Score of a label map ``[z, y, x]`` of several organs; organ names as in ``Resources/metrics.yaml``.

        Value: share of the organs without fault. The volume range is the liver's.
        """
        faults = {organ: self._organ_wrong(organ, labels == value, spacing_zyx) for organ, value in values.items()}
        faulty = [f"{organ.replace('_', ' ')}: {fault[0]}" for organ, fault in faults.items() if fault]
        value = 1.0 - len(faulty) / max(len(values), 1)
        touching = [values[organ] for organ in TOUCHING if organ in values]
        if len(touching) > 1:
            sizes = self._sizes_mm3(np.isin(labels, touching), spacing_zyx)
            faulty += [f"oesophagus, stomach and duodenum: {fault}" for fault in self._islands_wrong(sizes)]
        return Score(self.name, value, not faulty, "; ".join(faulty) or "every organ is one piece")

    def _sizes_mm3(self, mask: NDArray[Any], spacing_zyx: SpacingZYX) -> Floats:
        sizes: Floats = component_sizes(mask, self.connectivity).astype(np.float64)
        return sizes * float(np.prod(spacing_zyx))

    def _organ_wrong(self, organ: str, mask: NDArray[np.bool_], spacing_zyx: SpacingZYX) -> list[str]:
        adrenal = organ in ADRENALS
        if adrenal and self.adrenals == "exempt":
            return []
        sizes = self._sizes_mm3(mask, spacing_zyx)
        if not sizes.size:
            return ["is missing"]
        wrong = self._islands_wrong(sizes)
        if adrenal:
            box = bounding_box(mask)
            depth_mm = 0.0 if box is None else (box[1].stop - box[1].start) * spacing_zyx[1]
            if not _at_least(depth_mm, 18.0):
                wrong.append(f"only {depth_mm:.0f} mm from front to back")
            return wrong
        return self._size_wrong(sizes) + wrong + (self._volume_wrong(sizes) if organ == "liver" else [])

    def _size_wrong(self, sizes_mm3: Floats) -> list[str]:
        size = float(sizes_mm3[0] if self.size == "largest" else sizes_mm3.sum())
        enough = _above(size, self.least_mm3) if self.strict else _at_least(size, self.least_mm3)
        return [] if enough else [f"too small to be the organ ({millilitres(size / 1000)})"]

    def _islands_wrong(self, sizes_mm3: Floats) -> list[str]:
        if sizes_mm3.size < 2 or not _at_least(float(sizes_mm3[1]), self.island_mm3):
            return []
        return [_description(sizes_mm3)]

    def _volume_wrong(self, sizes_mm3: Floats) -> list[str]:
        total = float(sizes_mm3.sum()) / 1000
        if self.volume_ml is None or self.volume_ml[0] <= total <= self.volume_ml[1]:
            return []
        low, high = self.volume_ml
        return [f"implausible liver volume of {millilitres(total)} (expected {low:.0f} to {high:.0f} mL)"]


def _description(sizes_mm3: Floats) -> str:
    if sizes_mm3.size == 1:
        return f"one piece of {millilitres(float(sizes_mm3[0]) / 1000)}"
    return f"{sizes_mm3.size} separate parts, the second of {millilitres(float(sizes_mm3[1]) / 1000)}"


def _above(value: float, limit: float) -> bool:
    return value > limit * (1 + ROUNDING)


def _at_least(value: float, limit: float) -> bool:
    return value >= limit * (1 - ROUNDING)
