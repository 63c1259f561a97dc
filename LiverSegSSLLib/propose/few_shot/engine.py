"""The engine: the published procedure (:mod:`.reference`) with nothing computed twice, and the same results.

What is shared, and why that changes nothing (D slices of the case, L of a support, inserted before slice k):

- **Features of a slice.** The image encoder sees one slice alone: each is encoded once, ever (:mod:`.features`). The
  published code encodes a prompted slice four times per insertion and every other slice at least once.
- **Memory of prompted slices.** A prompted slice is encoded without memory of any other, so that its memory and object
  pointer depend on the support alone (:mod:`.memory`): built once per support instead of twice per insertion.
- **Unprompted slices of a support.** The forward pass starts at the first prompt and the backward pass at the last;
  what either sees before it leaves the support is the support alone, at distances in time that k does not change.
  These slices are tracked once per support, and every insertion takes over the memory that they leave (its *tail*).
- **Keys of the prompted memory.** All prompted frames are attended to (``max_cond_frames_in_attn`` is -1) and carry the
  same code of time (``t_pos = 0``) wherever they lie, so that the R insertions of a support, its two directions and all
  its steps attend to the same spatial memory (:mod:`.attention`).
- **Batches.** Objects, supports, insertions and directions do not see each other (``non_overlap_masks`` is off, every
  object has its own memory): their chains run side by side (:mod:`.chains`).

What is *not* shared, because it does differ: object pointers of prompted frames are coded by their distance in time,
signed by the direction (``reverse``), over min(``max_obj_ptrs_in_encoder``, D + L) - 1; only those in the past of the
direction count; the ``num_maskmem - 1`` memories and up to ``max_obj_ptrs_in_encoder - 1`` pointers of the frames
before belong to one chain (:mod:`.bank`). Distances do not depend on k, so that chains of one support and direction
that have made the same number of steps share these codes.

Sums are formed in another order than in the package, so that results agree to rounding, not bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.propose.few_shot.attention import MemoryAttention
from LiverSegSSLLib.propose.few_shot.bank import Bank, pointer_limit, require_known_settings
from LiverSegSSLLib.propose.few_shot.budget import FEATURES_SHARE, chains_in
from LiverSegSSLLib.propose.few_shot.chains import Group, Runner
from LiverSegSSLLib.propose.few_shot.features import (
    FeatureStore,
    Keys,
    Pixels,
    SliceFeatures,
    checksum,
    encode,
    fill_keys,
)
from LiverSegSSLLib.propose.few_shot.memory import Prompted, SupportMemory, Tail, remember_prompts
from LiverSegSSLLib.propose.few_shot.out_of_memory import halving
from LiverSegSSLLib.propose.few_shot.prompts import Masks, prompts_of_objects
from LiverSegSSLLib.propose.few_shot.schedule import insertion_groups, pass_groups

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor

ENCODED_TOGETHER = 16
"""Slices that the image encoder and the memory encoder take at once, at most; more gain nothing."""

DEFAULT_MEMORY_MB = 4096.0
"""Memory that tracking may take unless said otherwise."""


def nothing(_: int) -> None:
    """Takes progress and does nothing with it."""


class Engine:
    """Propagates masks through volumes with one network.

    :param network: from :func:`~.network.load_network`; it is moved to the device.
    :param device: ``cpu``, ``cuda`` or ``mps``; ``None``: where the network is.
    :param precision: ``float32``, or ``bfloat16`` (autocast, as published); ``None``: bfloat16 on CUDA, else float32.
    :param store: keeps features of slices; ``None``: 1 GB in memory, nothing on disk.
    :param memory_mb: memory that tracking may take besides the network and the features; decides how many chains run
        side by side. Where memory runs out all the same, the batch is halved and the work goes on.
    :param batch: chains side by side instead of an estimate from ``memory_mb``.
    :param factored: how memory is attended to, see :class:`~.attention.MemoryAttention`.
    :raises BadInputError: the network has settings that no published configuration has.
    """

    def __init__(
        self,
        network: TensorVideoPredictor,
        *,
        device: Any = None,
        precision: torch.dtype | None = None,
        store: FeatureStore | None = None,
        memory_mb: float = DEFAULT_MEMORY_MB,
        batch: int | None = None,
        factored: bool | None = None,
    ) -> None:
        require_known_settings(network)
        self.network = network.to(device) if device is not None else network
        self.device = self.network.device
        fitting = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        self.precision = fitting if precision is None else precision
        self.store = FeatureStore() if store is None else store
        self.memory_mb, self.batch = memory_mb, batch
        self._keys: WeakKeyDictionary[Pixels, Keys] = WeakKeyDictionary()
        weights = (value for _, value in sorted(self.network.state_dict().items()))
        self.identity = checksum([self.network.spec, self.precision, *weights])
        side = network.sam_image_embedding_size
        with self._inference():
            self.attention = MemoryAttention(self.network, side, side, factored=factored)
            self.place = self._position(self.network.memory_encoder.position_encoding, self.network.mem_dim, side)
            self.position = self._position(
                self.network.image_encoder.neck.position_encoding, self.network.hidden_dim, side
            )

    @property
    def image_size(self) -> int:
        """Pixels a side of slices and mask prompts."""
        return int(self.network.image_size)

    def encode(self, images: Pixels) -> SliceFeatures:
        """Features of every slice of a volume, from the store where it has them. The volume must not be changed later:
        its slices are told apart once, for as long as the object lives."""

        def work(batch: int) -> SliceFeatures:
            keys, size, identity = self._keys_of(images), self.image_size, self.identity
            return encode(images, self._run_encoder, self.store, size=size, batch=batch, identity=identity, keys=keys)

        with self._inference():
            return halving(work, min(self._batch(), ENCODED_TOGETHER), self.device)

    def support_of(self, images: Pixels, masks: Masks, *, empty: bool = False) -> SupportMemory:
        """What a labelled volume brings into any case, from the store where it has it: a hundredth of the features.

        See :meth:`support`.
        """
        prompts = prompts_of_objects(masks, self.image_size, empty=empty)
        slices = fill_keys(images, self._keys_of(images), size=self.image_size, identity=self.identity)
        given = (part for chosen in prompts for index, mask in chosen.items() for part in (index, mask))
        key = checksum([self.identity, "support", *slices, *given])
        if (kept := self.store.get(key)) is not None:
            return SupportMemory.from_tensors(kept, self.device)
        memory = self.support(self.encode(images), masks, empty=empty)
        self.store.put(key, memory.as_tensors())
        return memory

    def support(self, features: SliceFeatures, masks: Masks, *, empty: bool = False) -> SupportMemory:
        """What a labelled volume brings into any case.

        :param masks: slice → mask, bool (S, S) or (objects, S, S).
        :param empty: also prompt with empty masks; the published procedure does not.
        :raises LabelError: an object is labelled on no slice.
        """
        objects = self._remember(features, prompts_of_objects(masks, self.image_size, empty=empty))
        # Only a video shorter than the pointer limit makes the tails depend on its length.
        short = len(features) + 1 < self.network.max_obj_ptrs_in_encoder
        memory = SupportMemory(len(features), objects, features if short else None, {})
        if not short:
            self._tails(memory, features, pointer_limit(self.network, len(features) + 1))
        return memory

    def propagate(
        self,
        features: SliceFeatures,
        supports: Sequence[SupportMemory],
        places: Sequence[Sequence[int]],
        tick: Callable[[int], None] = nothing,
    ) -> list[torch.Tensor]:
        """Logits of a case for every support and insertion.

        :param features: of the D slices of the case.
        :param places: for every support its insertion places, each 0 … D.
        :param tick: told how many frames have just been tracked; may raise :class:`~LiverSegSSLLib.errors.Cancelled`.
        :returns: for every support float32 (insertions, D, objects, S / 4, S / 4), on the CPU.
        :raises BadInputError: a place lies outside, or there is none for a support.
        """
        slices, size = len(features), self.image_size // 4
        if len(places) != len(supports):
            raise BadInputError(f"there are {len(supports)} supports and insertion places for {len(places)}")
        for chosen in places:
            if wrong := [place for place in chosen if not 0 <= place <= slices]:
                raise BadInputError(f"cannot insert before slice {wrong[0]} of a volume of {slices}")
        # Not in inference mode: the caller may change what is returned.
        results = [
            torch.empty(len(chosen), slices, len(support.objects), size, size)
            for support, chosen in zip(supports, places, strict=True)
        ]
        groups: list[Group] = []
        for number, (support, chosen) in enumerate(zip(supports, places, strict=True)):
            limit = pointer_limit(self.network, support.slices + slices)
            tails = support.tails.get(limit) or self._tails(support, support.spare, limit)
            groups += insertion_groups(number, support, self._banks(support.objects), tails, limit, chosen, slices)
        # The longest first, so that a few stragglers do not run alone at the end.
        groups.sort(key=lambda group: -len(group.times))

        def emit(group: Group, logits: torch.Tensor) -> None:
            number, which, order = group.name
            chosen = order[group.offset : group.offset + len(logits)]
            results[number][chosen, group.looked_at, which] = logits

        self._run(features, groups, emit, tick, self._batch(supports, sum(map(len, places)) / max(1, len(places))))
        return results

    def track(
        self, features: SliceFeatures, masks: Masks, tick: Callable[[int], None] = nothing, *, empty: bool = True
    ) -> torch.Tensor:
        """Logits of a volume from masks on some of its own slices.

        Forward from the first given slice and backward from the last; slices reached from both sides get the mean of
        both logits, as in the published code.

        :param masks: slice → mask, bool (S, S) or (objects, S, S).
        :param empty: an empty mask says that the object is not there; ``False``: it says nothing.
        :returns: float32 (D, objects, S / 4, S / 4), on the CPU; given slices as the package returns them.
        :raises LabelError: an object is labelled on no slice.
        """
        prompts = prompts_of_objects(masks, self.image_size, empty=empty)
        slices, size = len(features), self.image_size // 4
        if wrong := [index for chosen in prompts for index in chosen if not 0 <= index < slices]:
            raise BadInputError(f"there is no slice {wrong[0]} in a volume of {slices}")
        total = torch.zeros(slices, len(prompts), size, size)
        passes = torch.zeros(slices, len(prompts), 1, 1)
        objects = self._remember(features, prompts)
        limit = pointer_limit(self.network, slices)
        groups = list(pass_groups(self._banks(objects), slices, limit, keep=False))

        def emit(group: Group, logits: torch.Tensor) -> None:
            _, which = group.name
            (index,) = group.looked_at
            total[index, which] += logits[0]
            passes[index, which] += 1

        self._run(features, groups, emit, tick, self._batch())
        for which, prompted in enumerate(objects):
            given = list(prompted.times)
            total[given, which] = prompted.logits.cpu()
            passes[given, which] = 1
        return total / passes

    def _keys_of(self, images: Pixels) -> Keys:
        return self._keys.setdefault(images, [None] * len(images))

    def _tails(
        self, support: SupportMemory, features: SliceFeatures | None, limit: int
    ) -> tuple[tuple[Tail, ...], tuple[Tail, ...]]:
        """Track the unprompted slices of a support, and keep what they leave behind."""
        assert features is not None
        groups = list(pass_groups(self._banks(support.objects), support.slices, limit, keep=True))
        tails: tuple[list[Tail], list[Tail]] = ([{} for _ in support.objects], [{} for _ in support.objects])
        self._run(features, groups, lambda *_: None, nothing, self._batch([support]))
        for group in groups:
            forward, which = group.name
            tails[0 if forward else 1][which] = group.past
        support.tails[limit] = (tuple(tails[0]), tuple(tails[1]))
        return support.tails[limit]

    def _banks(self, objects: Sequence[Prompted]) -> list[Bank]:
        return [Bank(self.network, prompted, self.place, {}) for prompted in objects]

    def _remember(self, features: SliceFeatures, prompts: Sequence[Mapping[int, torch.Tensor]]) -> tuple[Prompted, ...]:
        def work(batch: int) -> tuple[Prompted, ...]:
            return tuple(remember_prompts(self.network, features, chosen, batch, self.device) for chosen in prompts)

        with self._inference():
            return halving(work, min(self._batch(), ENCODED_TOGETHER), self.device)

    def _run(
        self,
        features: SliceFeatures,
        groups: Sequence[Group],
        emit: Callable[[Group, torch.Tensor], None],
        tick: Callable[[int], None],
        batch: int,
    ) -> None:
        # A gather on the device instead of a transfer a step, unless the volume is too large for it.
        if features.bytes <= FEATURES_SHARE * self.memory_mb * 2**20:
            features = features.to(self.device)
        with self._inference():
            Runner(self.network, self.attention, features, self.position, batch).run(groups, emit, tick)

    def _batch(self, supports: Sequence[SupportMemory] = (), insertions: float = 1.0) -> int:
        """Chains side by side."""
        if self.batch:
            return self.batch
        with self._inference():
            factored = self.attention.factored
            return chains_in(self.network, self.memory_mb, supports, insertions, factored=factored)

    def _run_encoder(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        levels = self.network.forward_image(pixels.to(self.device))["backbone_fpn"]
        return list(levels[-self.network.num_feature_levels :])

    def _position(self, code: Any, channels: int, side: int) -> torch.Tensor:
        """(1, channels, side, side)."""
        position: torch.Tensor = code(torch.zeros(1, channels, side, side, device=self.device))
        return position

    @contextmanager
    def _inference(self) -> Iterator[None]:
        low = self.precision != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, dtype=self.precision, enabled=low):
            yield
