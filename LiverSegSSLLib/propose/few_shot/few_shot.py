"""Few-shot propagation: a handful of labelled volumes go in, the mask of an unlabelled one comes out; no training.

METHODS 7.1 (TFFS-MedSAM2), and beyond it: image spaces for other contrasts, each support and space weighed by what
comes back from the case (:mod:`.consistency`), and disagreement beside entropy.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from LiverSegSSLLib.align.fields import torch_threads
from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.propose.few_shot.consistency import Member, case_score
from LiverSegSSLLib.propose.few_shot.frames import frames_of, native_volume
from LiverSegSSLLib.propose.few_shot.labelled import ceiling, read_supports, returned
from LiverSegSSLLib.propose.few_shot.spaces import (
    MATCHED,
    SPACES,
    Space,
    case_in,
    histogram_of,
    mean_histogram,
)
from LiverSegSSLLib.propose.few_shot.supports import FEWEST, choose_supports
from LiverSegSSLLib.propose.few_shot.trackers import Kind, Tracker, open_tracker, usable_device
from LiverSegSSLLib.propose.few_shot.uncertainty import Tally, Uncertainty, uncertainty_of
from LiverSegSSLLib.propose.proposer import require, seed_for
from LiverSegSSLLib.types import Proposal, Support
from LiverSegSSLLib.volume import Volume, read_volume

ALIKE = (frozenset({Phase.GED1, Phase.GED2, Phase.GED3, Phase.GED4, Phase.T1}),)
"""Phases whose contrast the plain method crosses (published for GED4 → T1); any other phase is like itself only."""

JUDGE: Space = "sobel"
"""The image space of the way back where several compete: the only one that treats case and support alike, whatever
their contrasts are."""

ELSEWHERE = ("device", "memory_mb", "features", "features_memory_mb", "features_mb")
"""Options that say where and with how much memory, and nothing of the result: not part of a proposal's record."""

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class FewShot:
    """Propagates the masks of labelled volumes through a SAM 2 video network.

    :param weights: name in the catalogue of weights, or the path of a checkpoint.
    :param insertions: places at which each support is inserted into the case (R).
    :param supports: supports of a case at most (M).
    :param fewest: with fewer supports of the case's own vendor, other vendors fill up to this number.
    :param spaces: image spaces to propagate in; ``auto``: plain between T1-weighted phases (GED1–4, T1) and within a
        phase, all of them where the case's contrast differs from a support's.
    :param consistency: propagate back onto each support and weigh by what comes back; twice the time. Without it all
        count alike.
    :param pseudo_trust: weight of a support whose label is no expert's, against 1.
    :param engine: ``fast``, or ``reference``, the published procedure with the same result and many times the time.
    :param device: ``auto``, ``cuda``, ``mps`` or ``cpu``; ``precision``: ``auto``, ``float32`` or ``bfloat16``.
    :param memory_mb: memory that propagation may take besides the network.
    :param image_size: pixels a side, where a checkpoint does not say; 0: MedSAM2's 512.
    :param features_memory_mb: features of slices kept in memory. Going back needs those of the supports for every case:
        ten supports of 75 slices at 512 pixels take 3.4 GB in float32, half of it in bfloat16; what does not fit is
        encoded again.
    :param features: folder in which features of slices are kept for later runs, at most ``features_mb``; empty: none.
    """

    name: ClassVar[str] = "few-shot"
    weights: str = "medsam2"
    insertions: int = 5
    supports: int = 10
    fewest: int = FEWEST
    spaces: Literal["auto"] | Sequence[Space] = "auto"
    consistency: bool = True
    pseudo_trust: float = 0.5
    engine: Kind = "fast"
    device: str = "auto"
    precision: str = "auto"
    memory_mb: float = 4096.0
    image_size: int = 0
    features_memory_mb: float = 4096.0
    features: str = ""
    features_mb: float = 8192.0

    def __post_init__(self) -> None:
        require(bool(self.weights), "weights must be a name in the catalogue or the path of a checkpoint")
        require(1 <= self.insertions <= 100, "insertions must lie between 1 and 100")
        require(1 <= self.supports <= 100, "supports must lie between 1 and 100")
        require(0 <= self.fewest <= 100, "fewest must lie between 0 and 100")
        if self.spaces != "auto":
            named = (self.spaces,) if isinstance(self.spaces, str) else tuple(self.spaces)
            known = set(named) <= set(SPACES) and len(set(named)) == len(named) > 0
            require(known, f"spaces must be auto or a list of {', '.join(SPACES)}")
            object.__setattr__(self, "spaces", named)
        require(0 < self.pseudo_trust <= 1, "pseudo_trust must lie between 0 and 1")
        require(self.engine in ("fast", "reference"), "engine must be fast or reference")
        require(self.device in DEVICES, f"device must be one of {', '.join(DEVICES)}")
        require(self.precision in PRECISIONS, f"precision must be one of {', '.join(PRECISIONS)}")
        require(self.memory_mb >= 64, "memory_mb must be 64 or more")
        require(self.image_size >= 0, "image_size must be 0 or more")
        require(self.features_memory_mb >= 0, "features_memory_mb must be 0 or more")
        require(self.features_mb >= 0, "features_mb must be 0 or more")

    def choose(self, target: Case, available: Sequence[Support]) -> list[Support]:
        """See :func:`.supports.choose_supports`."""
        return choose_supports(target, available, self.supports, self.fewest)

    def unavailable(self) -> str:
        """Why it cannot propose at all, with the command that mends it; empty when it can. Loads nothing."""
        try:
            path = self.checkpoint()
        except BadInputError as error:
            return str(error)
        return "" if path.is_file() else f"{path}: there is no such checkpoint"

    def most_processes(self) -> int:
        """How many processes may propose at once: one on a GPU, which each would fill anew; else as memory allows.

        :raises BadInputError: the checkpoint cannot be used.
        """
        if usable_device(self.device).type != "cpu":
            return 1
        import psutil

        from LiverSegSSLLib.propose.few_shot.budget import process_mb
        from LiverSegSSLLib.propose.few_shot.network import spec_of

        size = spec_of(self.checkpoint(), self.image_size or None).image_size
        each = process_mb(size, self.insertions, self.supports, self.memory_mb, self.features_memory_mb)
        return max(1, int(psutil.virtual_memory().available / (each * 2**20)))

    def checkpoint(self) -> Path:
        """The file of the weights.

        :raises WeightsError: they are not here; it says the command that fetches them and what runs without.
        """
        from LiverSegSSLLib.models.shelf import require_weights

        path = Path(self.weights).expanduser()
        return path if path.suffix or path.is_file() else require_weights(self.weights)

    def tracker(self) -> Tracker:
        """The network, ready; loaded once in a process.

        :raises WeightsError: the weights are not here, or of another network.
        :raises BadInputError: the file is missing or damaged, or there is no such device.
        """
        path = self.checkpoint()
        modified = path.stat().st_mtime_ns if path.is_file() else 0
        return open_tracker(
            self.engine,
            path,
            modified,
            self.image_size or None,
            self.device,
            self.precision,
            self.memory_mb,
            self.features_memory_mb,
            Path(self.features).expanduser() if self.features else None,
            self.features_mb,
        )

    def propose(self, target: Case, supports: Sequence[Support], *, seed: int, threads: int = 1) -> Proposal:
        """See :class:`LiverSegSSLLib.propose.proposer.Proposer`.

        :raises WeightsError: the weights are not here.
        """
        began = time.monotonic()
        with torch_threads(self._useful(threads)):
            found = self.segment(target, supports, seed=seed)
        spread = found.uncertainty
        measurements: dict[str, float] = {}
        parameters: dict[str, object] = {
            **{name: value for name, value in asdict(self).items() if name not in ELSEWHERE},
            "from": [support.case.id for support in found.used],
            "failed": list(found.reasons),
            "members": [{**asdict(member), "weight": member.weight} for member in found.members],
            "weights_checksum": found.identity,
            "intensity": found.limits,
        }
        if spread is not None:
            measurements = {"entropy_bits": spread.case_entropy, "disagreement": spread.case_disagreement}
            parameters["slice_disagreement"] = [round(float(value), 1) for value in spread.slice_disagreement]
        score = case_score(found.members)
        if score is not None:
            measurements["consistency"], measurements["consistency_ceiling"] = score
        return Proposal(
            target,
            self.name,
            found.probability,
            parents=tuple(support.label_id for support in found.used if support.label_id),
            parameters=parameters,
            measurements=measurements,
            seed=seed,
            failure="" if found.probability is not None else "; ".join(found.reasons) or "there is no support",
            seconds=time.monotonic() - began,
        )

    def segment(self, target: Case, supports: Sequence[Support], *, seed: int) -> Propagated:
        """What :meth:`propose` makes its proposal of, with the maps of uncertainty.

        :raises ImageError: an image cannot be read.
        :raises GeometryError: a support's mask is not on its image's grid.
        :raises WeightsError: the weights are not here.
        """
        from LiverSegSSLLib.propose.few_shot.prompts import insertion_places  # loads torch

        tracker = self.tracker()
        frames = frames_of(read_volume(target.image))
        used, labelled, reasons = read_supports(supports)
        if not frames.grey.any():
            used, reasons = [], ["there is no contrast in the image", *reasons]
        if not used:
            return Propagated(None, None, (), (), tuple(reasons), tracker.identity, frames.limits)
        places = [insertion_places(len(frames), self.insertions, seed_for(seed, target, one)) for one in used]
        spaces = self._spaces_for(target, used)
        matched = not set(spaces).isdisjoint(MATCHED)
        histogram = mean_histogram([histogram_of(one.frames.grey) for one in labelled]) if matched else None
        # Alone a space judges itself; of several each would favour what its own contrast makes look alike.
        judge = spaces[0] if len(spaces) == 1 else JUDGE
        back, judges = case_in(judge, frames, histogram), [one.in_space(judge) for one in labelled]
        ceilings = [ceiling(tracker, one) if self.consistency else 1.0 for one in judges]
        tally, members = Tally(frames.grey.shape), []
        for space in spaces:
            case = back if space == judge else case_in(space, frames, histogram)
            seen = [one.in_space(space) for one in labelled]
            found = tracker.probabilities(case, seen, places)
            for support, one, most, probability in zip(used, judges, ceilings, found, strict=True):
                came = returned(tracker, one, back, probability) if self.consistency else None
                member = Member(support.case.id, space, came, most)
                members.append(member)
                tally.add(probability, member.weight * (1.0 if support.expert else self.pseudo_trust))
        mean = native_volume(tally.mean(), frames)
        differ = native_volume(tally.disagreement(), frames)
        return Propagated(
            mean,
            uncertainty_of(mean.array, differ.array),
            tuple(members),
            tuple(used),
            tuple(reasons),
            tracker.identity,
            frames.limits,
        )

    def _useful(self, threads: int) -> int:
        """So many threads; one where the network is so small that more would wait for each other."""
        from LiverSegSSLLib.propose.few_shot.budget import LEAST_PARALLEL_SIZE

        return threads if self.tracker().image_size >= LEAST_PARALLEL_SIZE else 1

    def _spaces_for(self, target: Case, supports: Sequence[Support]) -> Sequence[Space]:
        if not isinstance(self.spaces, str):
            return self.spaces
        alike = all(_alike(target.phase, support.case.phase) for support in supports)
        return ("plain",) if alike else SPACES


@dataclass(frozen=True, eq=False)
class Propagated:
    """The mask of one case as its supports see it.

    :param probability: float32 on the case's native grid; ``None``: no support could be used, ``reasons`` say why.
    :param uncertainty: on the same grid.
    :param members: every (support, image space) with what came back.
    :param used: supports that could be used; ``reasons``: what was wrong with the others.
    :param identity: checksum of the weights.
    :param limits: intensities of the case that became black and white.
    """

    probability: Volume | None
    uncertainty: Uncertainty | None
    members: tuple[Member, ...]
    used: tuple[Support, ...]
    reasons: tuple[str, ...]
    identity: str
    limits: tuple[float, float]


def _alike(one: Phase, other: Phase) -> bool:
    return one == other or any({one, other} <= group for group in ALIKE)
