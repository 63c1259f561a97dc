"""What the network remembers of prompted frames, and of frames it has tracked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from LiverSegSSLLib.propose.few_shot.features import SliceFeatures

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor


@dataclass(frozen=True, eq=False)
class Prompted:
    """The memory of the prompted frames of one object.

    It depends on these frames and their masks alone: the package encodes a prompted frame without looking at any other
    (``is_init_cond_frame``, ``use_mask_input_as_output_without_sam``), so neither the place of insertion nor the case
    enters. Memories are bfloat16 because the package keeps them so.

    :param times: frame numbers, ascending; for a support the number of its slice.
    :param memory: bfloat16 (frames, channels, h, w).
    :param pointers: (frames, hidden) object pointers.
    :param logits: float32 (frames, S / 4, S / 4), what the package returns for these frames.
    """

    times: tuple[int, ...]
    memory: torch.Tensor
    pointers: torch.Tensor
    logits: torch.Tensor


@dataclass(frozen=True, eq=False)
class Remembered:
    """The memory of one frame that was tracked, for chains side by side: bfloat16 (chains, channels, h, w) and
    (chains, hidden). One chain stands for as many as need it."""

    memory: torch.Tensor
    pointers: torch.Tensor

    def part(self, first: int, last: int) -> Remembered:
        """Of the chains ``first`` … ``last`` - 1."""
        if self.pointers.shape[0] == 1:
            return self
        return Remembered(self.memory[first:last], self.pointers[first:last])

    def of(self, chains: int) -> Remembered:
        """One for each of so many chains."""
        if self.pointers.shape[0] == chains:
            return self
        memory = self.memory.expand(chains, -1, -1, -1) if self.memory.shape[0] else self.memory
        return Remembered(memory, self.pointers.expand(chains, -1))

    def without_memory(self) -> Remembered:
        """Only the pointers, which are looked at for longer."""
        return Remembered(self.memory[:0], self.pointers)


Tail = Mapping[int, Remembered]
"""Time → memory of the unprompted slices of a support that a pass went over before it left the support."""


@dataclass(frozen=True, eq=False)
class SupportMemory:
    """All that a labelled volume brings into any case: built once, used for every case and insertion.

    :param slices: number of slices of the labelled volume.
    :param objects: for every object its prompted frames.
    :param spare: features of the slices, kept only where the tails may depend on the case (very short volumes).
    :param tails: pointer limit → for forward and backward, for every object, its tail; filled by the engine.
    """

    slices: int
    objects: tuple[Prompted, ...]
    spare: SliceFeatures | None
    tails: dict[int, tuple[tuple[Tail, ...], tuple[Tail, ...]]]

    def as_tensors(self) -> dict[str, torch.Tensor]:
        """For a store."""
        kept = {"slices": torch.tensor(self.slices)}
        for number, level in enumerate(self.spare.levels if self.spare else ()):
            kept[f"spare {number}"] = level
        for which, one in enumerate(self.objects):
            kept[f"object {which} times"] = torch.tensor(one.times)
            for name in ("memory", "pointers", "logits"):
                kept[f"object {which} {name}"] = getattr(one, name)
        for limit, directions in self.tails.items():
            for way, tails in enumerate(directions):
                for which, tail in enumerate(tails):
                    for time, seen in tail.items():
                        kept[f"tail {limit} {way} {which} {time} memory"] = seen.memory
                        kept[f"tail {limit} {way} {which} {time} pointers"] = seen.pointers
        return kept

    @classmethod
    def from_tensors(cls, kept: Mapping[str, torch.Tensor], device: Any) -> SupportMemory:
        """The inverse of :meth:`as_tensors`, on a device; the spare features stay where they are."""
        count = sum(name.startswith("object ") and name.endswith(" times") for name in kept)
        objects = []
        for which in range(count):
            memory, pointers, logits = (
                kept[f"object {which} {name}"].to(device) for name in ("memory", "pointers", "logits")
            )
            objects.append(Prompted(tuple(kept[f"object {which} times"].tolist()), memory, pointers, logits))
        tails: dict[int, tuple[tuple[dict[int, Remembered], ...], tuple[dict[int, Remembered], ...]]] = {}
        for name in kept:
            if not (name.startswith("tail ") and name.endswith(" pointers")):
                continue
            limit, way, which, time = (int(word) for word in name.split()[1:5])
            if limit not in tails:
                tails[limit] = tuple({} for _ in range(count)), tuple({} for _ in range(count))
            memory = kept[name.removesuffix("pointers") + "memory"].to(device)
            tails[limit][way][which][time] = Remembered(memory, kept[name].to(device))
        levels = [kept[name] for name in sorted(kept) if name.startswith("spare ")]
        spare = SliceFeatures(tuple(levels)) if levels else None
        return cls(int(kept["slices"]), tuple(objects), spare, dict(tails))


def remember_prompts(
    network: TensorVideoPredictor, features: SliceFeatures, prompts: Mapping[int, torch.Tensor], batch: int, device: Any
) -> Prompted:
    """Encode prompted frames, ``batch`` at a time.

    :param prompts: slice → bool (S, S).
    """
    times = tuple(sorted(prompts))
    parts = []
    for start in range(0, len(times), batch):
        chosen = times[start : start + batch]
        *high, top = features.take(chosen, device)
        masks = torch.stack([prompts[index] for index in chosen])[:, None].to(device).float()
        low, _, _, _, _, pointers, scores = network._use_mask_as_output(top, high or None, masks)
        low = fill_holes(network, low)
        # The package goes through the low resolution here too, so edges are those of the logits it shows.
        full = torch.nn.functional.interpolate(
            low, size=(network.image_size, network.image_size), mode="bilinear", align_corners=False
        )
        memory = encode_memory(network, top, full, scores, prompted=True)
        parts.append((memory, pointers, low[:, 0].float()))
    memory, pointers, logits = (torch.cat(part) for part in zip(*parts, strict=True))
    return Prompted(times, memory, pointers, logits)


def encode_memory(
    network: TensorVideoPredictor, top: torch.Tensor, masks: torch.Tensor, scores: torch.Tensor, *, prompted: bool
) -> torch.Tensor:
    """Memory of frames whose masks are known, bfloat16 (n, channels, h, w).

    :param top: (n, hidden, h, w) features.
    :param masks: (n, 1, S, S) logits.
    :param scores: (n, 1) logits that the object is there.
    """
    memory, _ = network._encode_new_memory(
        current_vision_feats=[top.flatten(2).permute(2, 0, 1)],
        feat_sizes=[tuple(top.shape[-2:])],
        pred_masks_high_res=masks,
        object_score_logits=scores,
        is_mask_from_pts=prompted,
    )
    kept: torch.Tensor = memory.to(torch.bfloat16)
    return kept


def fill_holes(network: TensorVideoPredictor, low: torch.Tensor) -> torch.Tensor:
    """The package's clean-up of the logits it returns, (n, 1, S / 4, S / 4); off where its extension is missing."""
    if network.fill_hole_area <= 0:
        return low
    from sam2.utils.misc import fill_holes_in_mask_scores

    filled: torch.Tensor = fill_holes_in_mask_scores(low, network.fill_hole_area)
    return filled
