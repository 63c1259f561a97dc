"""Matched-atlas transfer: labelled cases of other patients are bent onto the target, and their masks fused.

METHODS 5 (MDM): matched by body volume, same patient first; affine, then deformable registration. Beyond the paper:
several atlases, local weights, and a last step by the target's own intensities.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.align.bodies import Body, prepare_body
from LiverSegSSLLib.align.body_mask import body_volume_ml
from LiverSegSSLLib.align.deformable import register_in_stages
from LiverSegSSLLib.align.fields import torch_threads
from LiverSegSSLLib.align.register import Metric, Registration, failed, register
from LiverSegSSLLib.align.soft_mask import carried_distance
from LiverSegSSLLib.align.working import coarser
from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.edges import follow_edges
from LiverSegSSLLib.overlap import dice
from LiverSegSSLLib.propose.fusion import fuse
from LiverSegSSLLib.propose.proposer import RunsAnywhere, require, seed_for
from LiverSegSSLLib.propose.refine import Refinement, refine
from LiverSegSSLLib.types import Proposal, Support
from LiverSegSSLLib.volume import Volume, read_mask, read_volume, resample

if TYPE_CHECKING:
    import SimpleITK as sitk

MATCH_SPACING_MM = 6.0
"""Voxel size at which bodies are measured for matching; their volume changes by under 2 %."""

REMEMBERED = 8
"""Prepared images kept in memory: atlases serve one target after another."""


@dataclass(frozen=True)
class AtlasProposer(RunsAnywhere):
    """Fuses the masks of matched atlases.

    :param atlases: at most so many supports, the best matches.
    :param affine: how the bodies are laid over each other first: ``mind`` (outlines and shifts along the body, then
        MIND), ``mattes`` (mutual information) or ``sobel`` (mean squares in Sobel space).
    :param deformable: features that the deformation compares: ``mind``, ``sobel``, or ``none`` to stay affine.
    :param pseudo_trust: weight of a support whose label is no expert's, against 1 (see :attr:`Support.expert`).
    :param refinement: weight of the target's own intensities; 0 leaves the fused masks.
    :param edges: move the border to the edges of the image (:mod:`LiverSegSSLLib.edges`).
    :param spacing_mm: voxel size of the working images.
    :param softness_mm: half-width of the probability's slope across the border of a carried mask.
    """

    name: ClassVar[str] = "atlas"
    atlases: int = 5
    affine: Metric = "mind"
    deformable: str = "mind"
    pseudo_trust: float = 0.5
    refinement: float = 1.0
    edges: bool = True
    spacing_mm: float = 3.0
    softness_mm: float = 6.0

    def __post_init__(self) -> None:
        require(1 <= self.atlases <= 50, "atlases must lie between 1 and 50")
        require(self.affine in ("mind", "mattes", "sobel"), "affine must be mind, mattes or sobel")
        require(self.deformable in ("mind", "sobel", "none"), "deformable must be mind, sobel or none")
        require(self.deformable != "none" or self.affine != "mind", "affine alone needs mattes or sobel, not mind")
        require(0 < self.pseudo_trust <= 1, "pseudo_trust must lie between 0 and 1")
        require(0 <= self.refinement <= 5, "refinement must lie between 0 and 5")
        require(1.5 <= self.spacing_mm <= 6, "spacing_mm must lie between 1.5 and 6")
        require(0 < self.softness_mm <= 50, "softness_mm must lie between 0 and 50")

    def choose(self, target: Case, available: Sequence[Support]) -> list[Support]:
        """Same patient first, then the same phase, then experts, then the nearest body volume; ties by name."""
        others = [support for support in available if support.case.id != target.id]
        if not others:
            return []
        volume = _matching_ml(target)

        def rank(support: Support) -> tuple[bool, bool, bool, float, str]:
            case = support.case
            unlike = abs(_matching_ml(case) - volume)
            return case.study != target.study, case.phase != target.phase, not support.expert, unlike, case.id

        return sorted(others, key=rank)[: self.atlases]

    def propose(self, target: Case, supports: Sequence[Support], *, seed: int, threads: int = 1) -> Proposal:
        """See :class:`LiverSegSSLLib.propose.proposer.Proposer`."""
        began = time.monotonic()
        image = read_volume(target.image)
        used: list[Support] = []
        reasons: list[str] = []

        def finished(probability: Volume | None, measurements: dict[str, float] | None = None) -> Proposal:
            return Proposal(
                target,
                self.name,
                probability,
                parents=tuple(support.label_id for support in used if support.label_id),
                parameters={**asdict(self), "from": [support.case.id for support in used], "failed": list(reasons)},
                measurements=measurements or {},
                seed=seed,
                failure="" if probability is not None else "; ".join(reasons) or "there is no atlas",
                seconds=time.monotonic() - began,
            )

        with torch_threads(threads):
            body = _prepared(target.image, target.image.stat().st_mtime_ns, self.spacing_mm)
            if body is None:
                reasons.append("there is no body in the image")
                return finished(None)
            carried: list[_Carried] = []
            for support in supports:
                found = self._carry(image, body, support, seed_for(seed, target, support), threads)
                if isinstance(found, str):
                    reasons.append(f"{support.case.id}: {found}")
                    continue
                used.append(support)
                carried += found
        if not used:
            return finished(None)
        ours = body.image.numpy()
        prior = fuse(
            ours,
            [one.image for one in carried],
            [one.distance_mm for one in carried],
            [one.trust for one in carried],
            self.spacing_mm,
            self.softness_mm,
        )
        better = refine(ours, body.body, prior, self.spacing_mm, Refinement(strength=self.refinement))
        native = resample(Volume(better, body.grid), image.geometry)
        probability = Volume(native.array.astype(np.float32), image.geometry, image.trailing_singleton)
        if self.edges:
            probability = follow_edges(image, probability)
        measurements = {
            "similarity": float(np.mean([one.similarity for one in carried])),
            "atlas_agreement": _agreement([one.distance_mm for one in carried]),
            "refinement_dice": dice(prior >= 0.5, better >= 0.5),
        }
        return finished(probability, measurements)

    def _carry(self, image: Volume, body: Body, support: Support, seed: int, threads: int) -> list[_Carried] | str:
        """The support on the target's working grid, once for each stage of the registration; or what failed."""
        atlas_image = support.case.image
        atlas = _prepared(atlas_image, atlas_image.stat().st_mtime_ns, self.spacing_mm)
        if atlas is None:
            return "there is no body in the image"
        volume = read_volume(atlas_image)
        mask = read_mask(support.mask, volume.geometry, support.liver_value)
        if not mask.array.any():
            return "the mask is empty"
        trust = 1.0 if support.expert else self.pseudo_trust
        scaled = Volume(atlas.image.numpy(), atlas.grid)
        result = []
        for found in self._register(image, volume, body, atlas, seed, threads):
            if found.transform is None:
                return found.reason
            distance = carried_distance(mask, body.grid, found.transform).array
            if not (distance > 0).any():
                return "its liver would lie outside the image"
            looks = resample(scaled, body.grid, "linear", found.transform).array
            result.append(_Carried(looks, distance, found.similarity, trust))
        return result

    def _register(
        self, image: Volume, moving: Volume, body: Body, atlas: Body, seed: int, threads: int
    ) -> list[Registration]:
        init: sitk.Transform | None = None
        if self.affine != "mind":
            linear = register(
                image, moving, "affine", self.affine, init="body", spacing_mm=2 * self.spacing_mm, seed=seed,
                threads=threads,
            )  # fmt: skip
            if linear.transform is None or self.deformable == "none":
                return [linear]
            init = linear.transform
        metric: Metric = "sobel" if self.deformable == "sobel" else "mind"
        try:
            return register_in_stages(body, atlas, metric, "body" if init is None else init)
        except RuntimeError as error:
            return [failed(f"the registration broke down ({str(error).splitlines()[0]})", "deformable", metric)]


@dataclass(frozen=True, eq=False)
class _Carried:
    """An atlas on the target's working grid: its image (0 … 1), signed distance to its mask, and how much it counts."""

    image: NDArray[np.float32]
    distance_mm: NDArray[np.float32]
    similarity: float
    trust: float


def _matching_ml(case: Case) -> float:
    return _body_ml(case.image, case.image.stat().st_mtime_ns)


@lru_cache(maxsize=4096)
def _body_ml(image: Path, _modified: int) -> float:
    return body_volume_ml(coarser(read_volume(image), MATCH_SPACING_MM))


@lru_cache(maxsize=REMEMBERED)
def _prepared(image: Path, _modified: int, spacing_mm: float) -> Body | None:
    return prepare_body(read_volume(image), spacing_mm)


def _agreement(distances: Sequence[NDArray[np.float32]]) -> float:
    """Mean Dice between the carried masks; NaN for a single one."""
    pairs = [dice(a > 0, b > 0) for a, b in combinations(distances, 2)]
    return float(np.mean(pairs)) if pairs else float("nan")
