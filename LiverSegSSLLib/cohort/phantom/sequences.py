"""Signal equations: from relaxation times to the transverse magnetisation that a sequence measures.

All times in ms, angles in degrees, b in s/mm², ADC in 1e-3 mm²/s. Signals are relative to fully relaxed water.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Kind = Literal["gradient_echo", "spin_echo", "diffusion"]


@dataclass(frozen=True)
class Relaxation:
    """What a tissue brings to a signal equation."""

    pd: float
    t1_ms: float
    t2_ms: float
    t2star_ms: float = 30.0
    adc: float = 1.0
    fat: bool = False
    flow: float = 1.0


@dataclass(frozen=True)
class Sequence:
    """How one image is measured. ``fat_residual``: share of the fat signal that its suppression leaves."""

    kind: Kind
    tr_ms: float
    te_ms: float
    flip_deg: float = 90.0
    b_value: float = 0.0
    fat_residual: float = 1.0


def spoiled_gradient_echo(
    pd: float, t1_ms: float, t2star_ms: float, tr_ms: float, te_ms: float, flip_deg: float
) -> float:
    """Steady state of an RF-spoiled gradient echo (Ernst and Anderson, Rev Sci Instrum 1966;37:93)."""
    e1, flip = np.exp(-tr_ms / t1_ms), np.deg2rad(flip_deg)
    return float(pd * np.sin(flip) * (1 - e1) / (1 - np.cos(flip) * e1) * np.exp(-te_ms / t2star_ms))


def ernst_angle_deg(t1_ms: float, tr_ms: float) -> float:
    """The flip angle of the largest spoiled gradient echo: cos α = exp(-TR/T1)."""
    return float(np.rad2deg(np.arccos(np.exp(-tr_ms / t1_ms))))


def spin_echo(pd: float, t1_ms: float, t2_ms: float, tr_ms: float, te_ms: float) -> float:
    """(Fast) spin echo with 90° excitation; ``te_ms`` is the effective echo time."""
    return float(pd * (1 - np.exp(-tr_ms / t1_ms)) * np.exp(-te_ms / t2_ms))


def diffusion_weighting(b_value: float, adc: float) -> float:
    """exp(-b · ADC) (Stejskal and Tanner, J Chem Phys 1965;42:288)."""
    return float(np.exp(-b_value * adc * 1e-3))


def with_contrast_agent(tissue: Relaxation, mmol_per_l: float, r1: float, r2: float) -> Relaxation:
    """Relaxation with a contrast agent: 1/T = 1/T0 + r · c, with r in L/(mmol s); R2* rises by as much as R2."""
    added_r1, added_r2 = r1 * mmol_per_l / 1000.0, r2 * mmol_per_l / 1000.0
    return replace(
        tissue,
        t1_ms=1.0 / (1.0 / tissue.t1_ms + added_r1),
        t2_ms=1.0 / (1.0 / tissue.t2_ms + added_r2),
        t2star_ms=1.0 / (1.0 / tissue.t2star_ms + added_r2),
    )


def signal(tissue: Relaxation, sequence: Sequence) -> float:
    """Signal of a tissue in a sequence, fat suppression and flow void included."""
    s = sequence
    if s.kind == "gradient_echo":
        value = spoiled_gradient_echo(tissue.pd, tissue.t1_ms, tissue.t2star_ms, s.tr_ms, s.te_ms, s.flip_deg)
    else:
        value = spin_echo(tissue.pd, tissue.t1_ms, tissue.t2_ms, s.tr_ms, s.te_ms) * tissue.flow
        if s.kind == "diffusion":
            value *= diffusion_weighting(s.b_value, tissue.adc)
    return value * (s.fat_residual if tissue.fat else 1.0)
