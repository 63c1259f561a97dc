"""What the small network learns from: organs on single slices, then masks tracked from prompts."""

from __future__ import annotations

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


def organ_loss(
    network: Any, heads: torch.nn.ModuleList, grey: torch.Tensor, organs: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Cross-entropy of the organs of whole slices, uint8 (n, S, S), on every level and on their sum; and accuracy.

    Dense labels teach the encoder many times faster than masks that have come through memory and decoder.
    """
    levels = network.forward_image(normalised(grey))["backbone_fpn"]
    size = levels[0].shape[-2:]
    found = [F.interpolate(head(level), size, mode="bilinear") for head, level in zip(heads, levels, strict=True)]
    wanted = F.interpolate(organs[:, None].float(), size, mode="nearest-exact")[:, 0].long()
    together = torch.stack(found).sum(0)
    loss = torch.stack([F.cross_entropy(scores, wanted) for scores in [*found, together]]).sum()
    return loss, float((together.argmax(1) == wanted).float().mean())


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
    """One batch of clips, tracked as at inference (the network stays in ``eval``), from the pool's features.

    Every frame of a run is taken for the first after the prompts: one batch instead of a chain, many times as fast.
    What it learns serves chains too, for the memory of a tracked frame is made as that of a prompted one.
    """

    def __init__(self, network: Any, guides: torch.nn.ModuleList, pool: Pool) -> None:
        self._network = network
        self._guides = guides
        self._pool = pool
        with torch.no_grad():
            size = network.image_size
            codes = network.forward_image(torch.zeros(1, 3, size, size))["vision_pos_enc"]
        self._codes = [code.flatten(2).permute(2, 0, 1) for code in codes]
        self._sizes = [tuple(code.shape[-2:]) for code in codes]

    def __call__(self, clips: Clips, rng: np.random.Generator) -> tuple[torch.Tensor, float]:
        """Loss, and the mean Dice of the slices that show the object.

        The labelled block lies before the run, or behind it when the run is tracked backward. Frame numbers only tell
        distances, and all clips of a batch share them.
        """
        count, prompts = clips.prompts.shape
        tracked = clips.run.shape[1]
        reverse = bool(rng.uniform() < 0.5)
        block = int(rng.integers(prompts, 60))
        places = np.sort(rng.choice(block, prompts, replace=False)) + int(reverse)
        number = 0 if reverse else block
        shown, wanted = clips.shown.flatten(0, 1), clips.wanted.flatten(0, 1)

        features = self._features(clips.look, clips.labelled, clips.prompts)
        out, _, _ = self._step(features, shown, {}, 0, block + 1, reverse)
        memory = out["maskmem_features"]
        coarse = F.adaptive_avg_pool2d(shown[:, None], memory.shape[-2:])
        guide = F.binary_cross_entropy_with_logits(self._guides[0](memory), coarse)

        bank = {int(place): _prompt(out, count, index, tracked) for index, place in enumerate(places)}
        features = self._features(clips.look, clips.case, clips.run)
        memories = {"cond_frame_outputs": bank, "non_cond_frame_outputs": {}}
        _, heads, fused = self._step(features, None, memories, number, block + 1, reverse)
        _, masks, quality, _, best, _, there = heads
        coarse = F.adaptive_avg_pool2d(wanted[:, None], fused.shape[-2:])
        guides = guide + F.binary_cross_entropy_with_logits(self._guides[1](fused), coarse)
        present = wanted.flatten(1).any(1)
        overlap = dice(best[present, 0] > 0, wanted[present] > 0)
        return (guides + mask_loss(masks, quality, there, wanted)) / 2, float(overlap.mean())

    def _step(
        self,
        features: list[torch.Tensor],
        prompt: torch.Tensor | None,
        memories: dict[str, dict[int, Any]],
        number: int,
        length: int,
        reverse: bool,
    ) -> tuple[dict[str, Any], Any, torch.Tensor]:
        """One frame of every clip through the package's own step: its output, the heads, the fused features."""
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
            output_dict=memories,
            num_frames=length,
            track_in_reverse=reverse,
            prev_sam_mask_logits=None,
        )
        out["obj_ptr"] = heads[5]
        network._encode_memory_in_output(rows, self._sizes, None, prompt is not None, heads[4], heads[6], out)
        return out, heads, fused

    def _features(self, look: torch.Tensor, patient: torch.Tensor, slices: torch.Tensor) -> list[torch.Tensor]:
        look, patient = look[:, None].expand_as(slices), patient[:, None].expand_as(slices)
        return [level[look, patient, slices].flatten(0, 1).float() for level in self._pool.levels]


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


def _prompt(out: dict[str, Any], clips: int, index: int, tracked: int) -> dict[str, Any]:
    """One prompt of every clip, from a batch of all prompts of all clips, once for every frame of the clip's run."""

    def pick(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.unflatten(0, (clips, -1))[:, index].repeat_interleave(tracked, dim=0)

    return {
        "maskmem_features": pick(out["maskmem_features"]),
        "maskmem_pos_enc": [pick(code) for code in out["maskmem_pos_enc"]],
        "obj_ptr": pick(out["obj_ptr"]),
    }
