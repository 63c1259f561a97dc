"""What a phantom cohort is made of, and the presets in ``Resources/Phantom/presets.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from LiverSegSSLLib.cohort.phantom.protocols import PHASES, protocol
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import CohortError
from LiverSegSSLLib.resources import table


@dataclass(frozen=True)
class PhantomSpec:
    """A phantom cohort.

    :param studies: number of studies, ``unseen`` among them.
    :param labelled: how many come with ``mask_GED4.nii.gz``; never those of an unseen vendor.
    :param vendors: vendors of the studies, in turn.
    :param unseen: number of studies of the unseen vendor C (out of distribution).
    :param seed: everything random follows from it.
    :param scale: 1 full quality; each unit more makes pixels 1.2 mm larger. The demo takes 2.4.
    :param missing: chance that a phase other than GED4 is missing.
    :param phases: phases to write; GED4 is always among them.
    :param lesions: number of lesions in each liver; ``None``: drawn, half of the livers have none.
    :param info_csv: write ``info.csv`` as the challenge does.
    :param organ_maps: write ``<truth>/organs/<case id>.nii.gz``.
    """

    studies: int = 10
    labelled: int = 4
    vendors: tuple[str, ...] = ("A", "B1", "B2")
    unseen: int = 1
    seed: int = 2025
    scale: float = 2.4
    missing: float = 0.08
    phases: tuple[Phase, ...] = PHASES
    lesions: int | None = None
    info_csv: bool = True
    organ_maps: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "vendors", tuple(self.vendors))
        object.__setattr__(self, "phases", tuple(p for p in PHASES if p in {*map(Phase, self.phases), Phase.GED4}))
        for vendor in self.vendors:
            protocol(vendor)
        problems = {
            "studies must be 1 or more": self.studies < 1,
            "unseen must lie between 0 and studies": not 0 <= self.unseen <= self.studies,
            "labelled must lie between 0 and the number of studies of seen vendors": not (
                0 <= self.labelled <= self.studies - self.unseen
            ),
            "vendors must name one or more": not self.vendors,
            "scale must lie between 1 and 4": not 1.0 <= self.scale <= 4.0,
            "missing must lie between 0 and 1": not 0.0 <= self.missing <= 1.0,
            "seed must be 0 or more": self.seed < 0,
        }
        for problem, found in problems.items():
            if found:
                raise CohortError(problem, "phantom", "change the phantom's settings")

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"vendors": list(self.vendors), "phases": [phase.value for phase in self.phases]}


@dataclass(frozen=True)
class StudyPlan:
    """One study of a phantom cohort, known before anything is drawn for it."""

    key: str
    vendor: str
    seed: int
    stage: int
    labelled: bool
    phases: tuple[Phase, ...]


def plan_studies(spec: PhantomSpec) -> tuple[StudyPlan, ...]:
    """The studies of a cohort. Patient numbers repeat across vendors, as they do in the challenge's data."""
    plans, counts = [], dict.fromkeys((*spec.vendors, "C"), 0)
    for index in range(spec.studies):
        seen = index < spec.studies - spec.unseen
        vendor = spec.vendors[index % len(spec.vendors)] if seen else "C"
        counts[vendor] += 1
        rng = np.random.default_rng([spec.seed, index, 0x5D])
        stage = int(rng.integers(1, 5))
        lost = rng.uniform(size=len(PHASES)) < spec.missing
        phases = tuple(p for p in spec.phases if p is Phase.GED4 or not lost[PHASES.index(p)])
        key = f"{1000 + counts[vendor]}-{vendor}-S{stage}"
        plans.append(StudyPlan(key, vendor, int(rng.integers(2**31)), stage, index < spec.labelled, phases))
    return tuple(plans)


def preset(name: str = "demo", **changes: Any) -> PhantomSpec:
    """A named cohort, with some settings changed.

    :raises CohortError: there is no such preset or setting.
    """
    presets: Mapping[str, Mapping[str, Any]] = table("Phantom", "presets.yaml")
    if name not in presets:
        raise CohortError(f"there is no phantom preset {name!r}", remedy=f"choose from {', '.join(presets)}")
    known = [field.name for field in fields(PhantomSpec)]
    values = {**presets[name], **changes}
    for key in values:
        if key not in known:
            raise CohortError(f"a phantom has no setting {key!r}", name, f"choose from {', '.join(known)}")
    return PhantomSpec(**values)
