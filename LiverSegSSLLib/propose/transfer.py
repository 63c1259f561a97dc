"""Same-patient transfer: a labelled phase is registered onto another phase of its study, and its mask goes along.

METHODS 6.4 in the direction that suits CARE: the label comes to the phase's own grid. The breath held differs, the
anatomy does not: a rigid motion of the liver's surroundings is the model, mutual information the metric.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from LiverSegSSLLib.align.linear import points_of, transform_points
from LiverSegSSLLib.align.register import Metric, Model, Registration, register
from LiverSegSSLLib.align.soft_mask import carried_distance, soft, within
from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.propose.fit import agreement, boundary_alignment, kidney_agreement
from LiverSegSSLLib.propose.proposer import RunsAnywhere, require, seed_for
from LiverSegSSLLib.types import Proposal, Support
from LiverSegSSLLib.volume import Volume, read_mask, read_volume

if TYPE_CHECKING:
    import SimpleITK as sitk

SOURCE_ORDER = (Phase.GED4, Phase.T1, Phase.GED3, Phase.GED2, Phase.GED1, Phase.OP, Phase.IP, Phase.T2, Phase.DWI)
"""Which labelled phase of the study is taken first: GED4 shows the liver best."""

KIDNEYS = ("right_kidney", "left_kidney")


@dataclass(frozen=True)
class TransferProposer(RunsAnywhere):
    """Carries a mask from one phase of a study to another.

    :param model: ``translation``, ``rigid`` or ``affine``.
    :param metric: ``mattes``, or ``sobel`` (mean squares in Sobel space).
    :param margin_mm: what lies this far around the labelled liver takes part in the comparison.
    :param spacing_mm: voxel size at which images are compared.
    :param softness_mm: half-width of the probability's slope across the border.
    :param check: also register back and measure the fit, which the acceptance gate needs (doubles the time).
    """

    name: ClassVar[str] = "transfer"
    model: Model = "rigid"
    metric: Metric = "mattes"
    margin_mm: float = 20.0
    spacing_mm: float = 3.0
    softness_mm: float = 2.5
    check: bool = True

    def __post_init__(self) -> None:
        require(self.model in ("translation", "rigid", "affine"), "model must be translation, rigid or affine")
        require(self.metric in ("mattes", "sobel"), "metric must be mattes or sobel")
        require(0 <= self.margin_mm <= 200, "margin_mm must lie between 0 and 200")
        require(0.5 <= self.spacing_mm <= 20, "spacing_mm must lie between 0.5 and 20")
        require(0 < self.softness_mm <= 50, "softness_mm must lie between 0 and 50")

    def choose(self, target: Case, available: Sequence[Support]) -> list[Support]:
        """The best labelled phase of the same study; none: empty."""
        own = [support for support in available if support.case.study == target.study and support.case.id != target.id]

        def rank(support: Support) -> tuple[int, str]:
            phase = support.case.phase
            return SOURCE_ORDER.index(phase) if phase in SOURCE_ORDER else len(SOURCE_ORDER), support.case.id

        return sorted(own, key=rank)[:1]

    def propose(self, target: Case, supports: Sequence[Support], *, seed: int, threads: int = 1) -> Proposal:
        """See :class:`LiverSegSSLLib.propose.proposer.Proposer`."""
        began = time.monotonic()
        support = supports[0]
        seed = seed_for(seed, target, support)

        def finished(
            probability: Volume | None, measurements: dict[str, float] | None = None, failure: str = ""
        ) -> Proposal:
            return Proposal(
                target,
                self.name,
                probability,
                parents=(support.label_id,) if support.label_id else (),
                parameters={**asdict(self), "from": support.case.id},
                measurements=measurements or {},
                seed=seed,
                failure=failure,
                seconds=time.monotonic() - began,
            )

        source, image = read_volume(support.case.image), read_volume(target.image)
        mask = read_mask(support.mask, source.geometry, support.liver_value)
        if not mask.array.any():
            return finished(None, failure=f"the mask of {support.case.id} is empty")
        there = self._register(source, image, mask, seed, threads)
        if there.transform is None:
            return finished(None, failure=f"{support.case.id} could not be registered: {there.reason}")
        back_to_source = there.transform.GetInverse()
        distance = carried_distance(mask, image.geometry, back_to_source)
        probability = Volume(soft(distance.array, self.softness_mm), image.geometry, image.trailing_singleton)
        found = probability.with_array((probability.array >= 0.5).astype(np.uint8))
        if not found.array.any():
            return finished(None, failure=f"the liver of {support.case.id} lies outside this image")
        measurements = {"similarity": there.similarity, "mi_gain": there.similarity - there.initial_similarity}
        measurements["boundary_alignment"] = boundary_alignment(image, found)
        measurements["agreement"] = agreement(image, found)
        if self.check:
            back = self._register(image, source, found, seed, threads)
            measurements["inverse_consistency_mm"] = _there_and_back_mm(mask, there.transform, back)
        measurements |= self._kidneys(image, target.phase, support, source, back_to_source)
        return finished(probability, measurements)

    def _register(self, fixed: Volume, moving: Volume, liver: Volume, seed: int, threads: int) -> Registration:
        return register(
            fixed,
            moving,
            self.model,
            self.metric,
            init="scanner",
            fixed_mask=within(liver, self.margin_mm),
            spacing_mm=self.spacing_mm,
            seed=seed,
            threads=threads,
        )

    def _kidneys(
        self, image: Volume, phase: Phase, support: Support, source: Volume, to_source: sitk.Transform
    ) -> dict[str, float]:
        """Dice of each labelled kidney with what the image shows there; empty where kidneys are not labelled."""
        values = dict(support.organs)
        if not set(KIDNEYS) <= set(values):
            return {}
        organs = {}
        for organ, value in values.items():
            mask = read_mask(support.mask, source.geometry, value)
            distance = carried_distance(mask, image.geometry, to_source)
            organs[organ] = image.with_array((distance.array > 0).astype(np.uint8))
        result = {}
        for kidney in KIDNEYS:
            others = np.any([organs[organ].array > 0 for organ in organs if organ != kidney], axis=0)
            result[f"{kidney}_dice"] = kidney_agreement(image, organs[kidney], others, dark=phase == Phase.IP)
        return result


def _there_and_back_mm(mask: Volume, there: sitk.Transform, back: Registration) -> float:
    """Mean distance between points of the liver and where both registrations together put them; inf if one failed."""
    if back.transform is None:
        return float("inf")
    points = points_of(mask)
    returned = transform_points(back.transform, transform_points(there, points))
    return float(np.linalg.norm(returned - points, axis=1).mean())
