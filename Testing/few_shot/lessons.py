"""What the small network learns from: organs on single slices, then masks tracked from prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from Testing.few_shot.clips import Clips, Pool, normalised

ORGAN_VALUES = 17
"""Values that the phantom's organ maps use, background among them."""


def organ_heads(network: Any) -> torch.nn.ModuleList:
    """Read organs from each level of the image encoder's features; thrown away afterwards."""
    hidden = network.hidden_dim
    return torch.nn.ModuleList(torch.nn.Conv2d(count, ORGAN_VALUES, 1) for count in (hidden // 8, hidden // 4, hidden))


def organ_loss(network: Any, heads: torch.nn.ModuleList, grey: torch.Tensor, organs: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the organs of whole slices, uint8 (n, S, S), on every level and on their sum.

    Dense labels teach the encoder many times faster than masks that have come through memory and decoder.
    """
    levels = network.forward_image(normalised(grey))["backbone_fpn"]
    size = levels[0].shape[-2:]
    found = [F.interpolate(head(level), size, mode="bilinear") for head, level in zip(heads, levels, strict=True)]
    wanted = F.interpolate(organs[:, None].float(), size, mode="nearest-exact")[:, 0].long()
    return torch.stack([F.cross_entropy(scores, wanted) for scores in [*found, sum(found)]]).sum()


def with_features(network: Any, pool: Pool, batch: int = 32) -> Pool:
    """The pool with the features of all its slices, in half precision, from the encoder as it is."""
    parts: list[list[torch.Tensor]] = []
    with torch.no_grad():
        for chosen in pool.grey.flatten(0, 2).split(batch):
            parts.append([level.half() for level in network.forward_image(normalised(chosen))["backbone_fpn"]])
    shape = pool.grey.shape[:3]
    levels = tuple(torch.cat(level).unflatten(0, shape) for level in zip(*parts, strict=True))
    return Pool(pool.grey, pool.organs, levels)


def guides_of(network: Any) -> torch.nn.ModuleList:
    """Read the mask from a memory, and from features that have seen memories; thrown away afterwards.

    The way from a prompt through two attentions and a decoder to the loss is long: without these two short cuts hardly
    anything is learnt in the first thousand steps.
    """
    return torch.nn.ModuleList(torch.nn.Conv2d(count, 1, 1) for count in (network.mem_dim, network.hidden_dim))


class Lesson:
    """One batch of clips, tracked as at inference (the network stays in ``eval``).

    :param live: run the image encoder with gradients, instead of taking the pool's features.
    """

    def __init__(self, network: Any, guides: torch.nn.ModuleList, pool: Pool, live: bool) -> None:
        self._network = network
        self._guides = guides
        self._pool = pool
        self._live = live
        with torch.no_grad():
            size = network.image_size
            codes = network.forward_image(torch.zeros(1, 3, size, size))["vision_pos_enc"]
        self._codes = [code.flatten(2).permute(2, 0, 1) for code in codes]
        self._sizes = [tuple(code.shape[-2:]) for code in codes]

    def chains(self, clips: Clips, rng: np.random.Generator) -> tuple[torch.Tensor, float]:
        """Loss and mean Dice of runs tracked frame after frame, each remembering those before."""
        bank, labelled, numbers, length, reverse = self._prompted(clips, clips.run.shape[1], rng)
        losses, overlaps = [labelled], []
        for step in range(clips.run.shape[1]):
            features = self._features(clips.look, clips.case, clips.run[:, step])
            out, loss, overlap = self._tracked(
                features, clips.wanted[:, step], bank, numbers[step], length, reverse
            )  # fmt: skip
            bank["non_cond_frame_outputs"][numbers[step]] = out
            losses.append(loss)
            overlaps.append(overlap)
        return torch.stack(losses).mean(), float(torch.cat(overlaps).mean())

    def firsts(self, clips: Clips, rng: np.random.Generator) -> tuple[torch.Tensor, float]:
        """Likewise, but every frame of a run is the first after the prompts: one batch, many times as fast."""
        bank, labelled, numbers, length, reverse = self._prompted(clips, 1, rng)
        tracked = clips.run.shape[1]
        wide = {number: _repeated(out, tracked) for number, out in bank["cond_frame_outputs"].items()}
        features = self._features(
            clips.look.repeat_interleave(tracked), clips.case.repeat_interleave(tracked), clips.run.flatten()
        )
        bank = {"cond_frame_outputs": wide, "non_cond_frame_outputs": {}}
        wanted = clips.wanted.flatten(0, 1)
        _, loss, overlap = self._tracked(features, wanted, bank, numbers[0], length, reverse, remember=False)
        return torch.stack([labelled, loss]).mean(), float(overlap.mean())

    def _prompted(
        self, clips: Clips, tracked: int, rng: np.random.Generator
    ) -> tuple[dict[str, dict[int, Any]], torch.Tensor, list[int], int, bool]:
        """Memories of the prompts, their loss, and the frame numbers of the run in a video of some length.

        The labelled block lies before the run, or behind it when the run is tracked backward. Numbers only tell
        distances, and all clips of a batch share them.
        """
        count, prompts = clips.prompts.shape
        reverse = bool(rng.uniform() < 0.5)
        block = int(rng.integers(prompts, 60))
        places = np.sort(rng.choice(block, prompts, replace=False)) + (tracked if reverse else 0)
        numbers = list(range(tracked - 1, -1, -1)) if reverse else list(range(block, block + tracked))
        features = self._features(
            clips.look.repeat_interleave(prompts), clips.labelled.repeat_interleave(prompts), clips.prompts.flatten()
        )
        shown = clips.shown.flatten(0, 1)
        out, _ = self._step(features, shown, {}, 0, block + tracked, reverse, remember=True)
        memory = out["maskmem_features"]
        coarse = F.adaptive_avg_pool2d(shown[:, None], memory.shape[-2:])
        loss = F.binary_cross_entropy_with_logits(self._guides[0](memory), coarse)
        bank = {int(place): _taken(out, count, index) for index, place in enumerate(places)}
        return {"cond_frame_outputs": bank, "non_cond_frame_outputs": {}}, loss, numbers, block + tracked, reverse

    def _tracked(
        self, features: list[torch.Tensor], wanted: torch.Tensor, bank: dict[str, dict[int, Any]], number: int,
        length: int, reverse: bool, remember: bool = True,
    ) -> tuple[dict[str, Any], torch.Tensor, torch.Tensor]:  # fmt: skip
        out, (heads, fused) = self._step(features, None, bank, number, length, reverse, remember)
        _, masks, quality, _, best, _, there = heads
        coarse = F.adaptive_avg_pool2d(wanted[:, None], fused.shape[-2:])
        guide = F.binary_cross_entropy_with_logits(self._guides[1](fused), coarse)
        present = wanted.flatten(1).any(1)
        overlap = dice(best[present, 0] > 0, wanted[present] > 0)
        return out, mask_loss(masks, quality, there, wanted) + guide, overlap

    def _step(
        self, features: list[torch.Tensor], prompt: torch.Tensor | None, bank: dict[str, dict[int, Any]], number: int,
        length: int, reverse: bool, remember: bool,
    ) -> tuple[dict[str, Any], tuple[Any, torch.Tensor]]:  # fmt: skip
        network = self._network
        rows = [level.flatten(2).permute(2, 0, 1) for level in features]
        out, heads, _, fused = network._track_step(
            frame_idx=number,
            is_init_cond_frame=prompt is not None,
            current_vision_feats=rows,
            current_vision_pos_embeds=[code.expand(-1, rows[0].shape[1], -1) for code in self._codes],
            feat_sizes=self._sizes,
            point_inputs=None,
            mask_inputs=None if prompt is None else prompt[:, None],
            output_dict=bank,
            num_frames=length,
            track_in_reverse=reverse,
            prev_sam_mask_logits=None,
        )
        out["obj_ptr"] = heads[5]
        network._encode_memory_in_output(rows, self._sizes, None, remember, heads[4], heads[6], out)
        return out, (heads, fused)

    def _features(self, look: torch.Tensor, patient: torch.Tensor, slices: torch.Tensor) -> list[torch.Tensor]:
        if self._live:
            pixels = normalised(self._pool.grey[look, patient, slices])
            return list(self._network.forward_image(pixels)["backbone_fpn"])
        return [level[look, patient, slices].float() for level in self._pool.levels]


def mask_loss(masks: torch.Tensor, quality: torch.Tensor, there: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy and soft Dice of every mask that the decoder offers, its estimate of their IoU, and presence.

    :param masks: (n, offers, S, S) logits.
    :param quality: (n, offers).
    :param there: (n, 1) logits that the object is on the slice.
    :param truth: (n, S, S), 0 or 1.
    """
    logits = masks.clamp(-20.0, 20.0)
    wanted = truth[:, None].expand_as(logits)
    present = truth.flatten(1).any(1).float()[:, None]
    entropy = F.binary_cross_entropy_with_logits(logits, wanted)
    chance = logits.sigmoid()
    overlap = 1 - (2 * (chance * wanted).sum((2, 3)) + 1) / (chance.sum((2, 3)) + wanted.sum((2, 3)) + 1)
    found = masks > 0
    iou = (found & (wanted > 0)).sum((2, 3)) / (found | (wanted > 0)).sum((2, 3)).clamp(min=1)
    presence = F.binary_cross_entropy_with_logits(there, present)
    return 4 * entropy + (present * overlap).mean() + 0.1 * (quality - iou).abs().mean() + 0.1 * presence


def dice(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Of every slice, bool (n, S, S)."""
    return 2 * (one & two).sum((1, 2)) / (one.sum((1, 2)) + two.sum((1, 2))).clamp(min=1)


def _taken(out: dict[str, Any], clips: int, index: int) -> dict[str, Any]:
    """One prompt of every clip, from a batch of all prompts of all clips."""

    def pick(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.unflatten(0, (clips, -1))[:, index]

    return {
        "maskmem_features": pick(out["maskmem_features"]),
        "maskmem_pos_enc": [pick(code) for code in out["maskmem_pos_enc"]],
        "obj_ptr": pick(out["obj_ptr"]),
    }


def _repeated(out: dict[str, Any], times: int) -> dict[str, Any]:
    def more(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.repeat_interleave(times, dim=0)

    codes: Sequence[torch.Tensor] = out["maskmem_pos_enc"]
    return {
        "maskmem_features": more(out["maskmem_features"]),
        "maskmem_pos_enc": [more(code) for code in codes],
        "obj_ptr": more(out["obj_ptr"]),
    }
