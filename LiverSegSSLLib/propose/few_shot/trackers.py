"""Labelled volumes in, probability of another volume out: by the fast engine, or by the published procedure.

Loaded once in a process and kept: cases come one after another, the network and the supports stay the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import BadInputError, LabelError
from LiverSegSSLLib.propose.few_shot.frames import Frames, probability_of, prompts_of
from LiverSegSSLLib.propose.few_shot.labelled import Labelled

if TYPE_CHECKING:
    import torch

    from LiverSegSSLLib.propose.few_shot.engine import Engine
    from LiverSegSSLLib.propose.few_shot.memory import SupportMemory
    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor

Kind = Literal["fast", "reference"]

KEPT_SUPPORTS = 64
"""Memories of supports kept in a process: ten supports in two image spaces, for three vendors."""


class Tracker(Protocol):
    """Propagates masks from labelled volumes to another."""

    identity: str
    """Checksum of the weights and the precision."""
    image_size: int
    """Pixels a side that the network sees."""

    def probabilities(
        self, case: Frames, labelled: Sequence[Labelled], places: Sequence[Sequence[int]]
    ) -> Iterator[NDArray[np.float32]]:
        """For each labelled volume the probability of the case, float32 (slices, rows, columns), canonical frame.

        The mean over its insertions ``places`` of probabilities, as published.

        :raises LabelError: a mask is so small that nothing of it is left at the network's size.
        """
        ...

    def once(self, labelled: Labelled, work: Callable[[], float]) -> float:
        """The ceiling of a labelled volume (:func:`~.labelled.ceiling`), worked out if it is not known yet."""
        ...


class FastTracker:
    """By :class:`~.engine.Engine`."""

    def __init__(self, engine: Engine) -> None:
        self.identity = engine.identity
        self.image_size = engine.image_size
        self.engine = engine
        self._supports: OrderedDict[str, SupportMemory] = OrderedDict()
        self._ceilings: dict[str, float] = {}

    def probabilities(
        self, case: Frames, labelled: Sequence[Labelled], places: Sequence[Sequence[int]]
    ) -> Iterator[NDArray[np.float32]]:
        """See :class:`Tracker`. All labelled volumes run side by side."""
        memories = [self._memory(one) for one in labelled]
        results = self.engine.propagate(self.engine.encode(case), memories, places)
        for logits in results:
            yield _mean_probability(logits[:, :, 0].to(self.engine.device), case)

    def once(self, labelled: Labelled, work: Callable[[], float]) -> float:
        """See :class:`Tracker`. Kept in the process, and with the features for later ones."""
        if labelled.key in self._ceilings:
            return self._ceilings[labelled.key]
        import torch

        from LiverSegSSLLib.propose.few_shot.features import checksum

        key = checksum([self.identity, "ceiling", labelled.frames.grey, labelled.mask])
        if (kept := self.engine.store.get(key)) is None:
            kept = {"ceiling": torch.tensor(work(), dtype=torch.float64)}
            self.engine.store.put(key, kept)
        value = float(kept["ceiling"])
        if labelled.key:
            self._ceilings[labelled.key] = value
        return value

    def _memory(self, labelled: Labelled) -> SupportMemory:
        if labelled.key in self._supports:
            self._supports.move_to_end(labelled.key)
            return self._supports[labelled.key]
        prompts = _prompts(labelled, self.engine.image_size)
        memory = self.engine.support_of(labelled.frames, prompts)
        if labelled.key:
            self._supports[labelled.key] = memory
            while len(self._supports) > KEPT_SUPPORTS:
                self._supports.popitem(last=False)
        return memory


class ReferenceTracker:
    """By :func:`~.reference.propagate_reference`: the published procedure as it stands, slow, to compare with."""

    def __init__(self, network: TensorVideoPredictor) -> None:
        from LiverSegSSLLib.propose.few_shot.features import checksum

        self.identity = checksum([network.spec, *(value for _, value in sorted(network.state_dict().items()))])
        self.image_size = int(network.image_size)
        self._network = network
        self._ceilings: dict[str, float] = {}

    def probabilities(
        self, case: Frames, labelled: Sequence[Labelled], places: Sequence[Sequence[int]]
    ) -> Iterator[NDArray[np.float32]]:
        """See :class:`Tracker`."""
        import torch

        from LiverSegSSLLib.propose.few_shot.reference import propagate_reference

        size, device = self.image_size, self._network.device
        video = torch.from_numpy(case.pixels(size)).to(device)
        for one, chosen in zip(labelled, places, strict=True):
            support = torch.from_numpy(one.frames.pixels(size)).to(device)
            logits = propagate_reference(self._network, video, support, _prompts(one, size), chosen)
            yield _mean_probability(logits[:, :, 0], case)

    def once(self, labelled: Labelled, work: Callable[[], float]) -> float:
        """See :class:`Tracker`."""
        if not labelled.key:
            return work()
        if labelled.key not in self._ceilings:
            self._ceilings[labelled.key] = work()
        return self._ceilings[labelled.key]


@lru_cache(maxsize=1)
def open_tracker(
    kind: Kind,
    checkpoint: Path,
    _modified_ns: int,
    image_size: int | None,
    device: str,
    precision: str,
    memory_mb: float,
    features_memory_mb: float,
    features: Path | None,
    features_mb: float,
) -> Tracker:
    """The tracker with these weights; the same one as long as it is asked for the same.

    :param device: ``auto``, ``cuda``, ``mps`` or ``cpu``.
    :param precision: ``auto`` (bfloat16 on CUDA as published, else float32), ``float32`` or ``bfloat16``.
    :param features_memory_mb: features of slices kept in memory.
    :param features: folder for them on disk, at most ``features_mb``; ``None``: in memory only.
    :raises WeightsError: the checkpoint is of another network.
    :raises BadInputError: it is missing or damaged, or there is no such device.
    """
    import torch

    from LiverSegSSLLib.propose.few_shot.network import load_network

    network = load_network(checkpoint, image_size=image_size, device=usable_device(device))
    if kind == "reference":
        return ReferenceTracker(network)
    from LiverSegSSLLib.propose.few_shot.engine import Engine
    from LiverSegSSLLib.propose.few_shot.features import FeatureStore

    return FastTracker(
        Engine(
            network,
            precision=None if precision == "auto" else getattr(torch, precision),
            store=FeatureStore(features_memory_mb, features, features_mb),
            memory_mb=memory_mb,
        )
    )


def usable_device(wanted: str) -> Any:
    """The device to compute on.

    :raises BadInputError: this computer has none of that kind.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, usable in there.items() if usable))
    if not there[wanted]:
        raise BadInputError("there is no usable GPU", f"device {wanted}", "use device cpu, or repair the driver")
    return torch.device(wanted)


def _prompts(labelled: Labelled, size: int) -> dict[int, NDArray[np.bool_]]:
    prompts = prompts_of(labelled.mask, size)
    if not prompts:
        raise LabelError("the mask is smaller than a pixel of the network", remedy="label the whole organ")
    return prompts


def _mean_probability(logits: torch.Tensor, case: Frames) -> NDArray[np.float32]:
    """Mean over the first axis, one insertion at a time: memory of one volume at its own size."""
    total = probability_of(logits[0], case)
    for one in logits[1:]:
        total += probability_of(one, case)
    mean: NDArray[np.float32] = (total / len(logits)).cpu().numpy()
    return mean
