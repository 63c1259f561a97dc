"""The tissue table (``Resources/Phantom/tissues.yaml``) and what a patient's tissues give in a phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from LiverSegSSLLib.cohort.phantom.sequences import Relaxation, Sequence, signal, with_contrast_agent
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.resources import table


@dataclass(frozen=True)
class Chemistry:
    """What differs between patients without moving anything.

    ``uptake``: hepatocyte uptake of gadoxetate, 1 good … 0.3 poor. ``liver_t1``, ``liver_t2``, ``liver_adc``: factors
    on the liver's values (fibrosis lengthens T1 and lowers the ADC; iron shortens T2). ``timing``: factor on the
    contrast agent in the first two minutes (a late or early bolus).
    """

    uptake: float = 1.0
    liver_t1: float = 1.0
    liver_t2: float = 1.0
    liver_adc: float = 1.0
    timing: float = 1.0


def tissue_names() -> tuple[str, ...]:
    """All tissues; a tissue's place in this tuple is its value in tissue maps."""
    return tuple(table("Phantom", "tissues.yaml")["tissues"])


def organ_values() -> dict[str, int]:
    """Names and values of the organ maps."""
    return dict(table("Phantom", "tissues.yaml")["organs"])


def relaxation(tissue: str, field_t: float, phase: Phase, chemistry: Chemistry | None = None) -> Relaxation:
    """Relaxation of a tissue at a field strength in a phase, contrast agent included.

    :param field_t: 1.5 or 3.0.
    :raises KeyError: unknown tissue or field strength.
    """
    chemistry = chemistry or Chemistry()
    data, row = table("Phantom", "tissues.yaml"), _row(tissue)
    result = Relaxation(
        float(row["pd"]),
        float(row["t1"][field_t]),
        float(row["t2"][field_t]),
        float(row["t2star"]),
        float(row["adc"]),
        bool(row.get("fat", False)),
        float(row.get("flow", 1.0)),
    )
    if tissue == "liver":
        result = replace(
            result,
            t1_ms=result.t1_ms * chemistry.liver_t1,
            t2_ms=result.t2_ms * chemistry.liver_t2,
            adc=result.adc * chemistry.liver_adc,
        )
    timing = chemistry.timing if phase in (Phase.GED1, Phase.GED2) else 1.0
    amount = row.get("contrast", {}).get(phase.value, 0.0) * timing
    amount += row.get("uptake", {}).get(phase.value, 0.0) * chemistry.uptake
    r1, r2 = (float(data["relaxivity"][key][field_t]) for key in ("r1", "r2"))
    return with_contrast_agent(result, float(amount), r1, r2)


def signals(sequence: Sequence, field_t: float, phase: Phase, chemistry: Chemistry | None = None) -> dict[str, float]:
    """Signal of every tissue in a phase."""
    return {name: signal(relaxation(name, field_t, phase, chemistry), sequence) for name in tissue_names()}


def mottles(phase: Phase) -> Mapping[str, float]:
    """Relative texture of every tissue in a phase."""
    return {
        name: float(_row(name).get(f"mottle_{phase.value}", _row(name).get("mottle", 0.0))) for name in tissue_names()
    }


def _row(tissue: str) -> Mapping[str, Any]:
    row: Mapping[str, Any] = table("Phantom", "tissues.yaml")["tissues"][tissue]
    return row
