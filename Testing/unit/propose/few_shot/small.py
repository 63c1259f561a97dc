"""Small SAM 2 networks and volumes for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch

from LiverSegSSLLib.propose.few_shot.engine import Engine
from LiverSegSSLLib.propose.few_shot.features import Stack
from LiverSegSSLLib.propose.few_shot.network import build_network, small_spec
from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor

SIDE = 64
"""Pixels a side: 4 × 4 features, the least that the architecture has."""


def lively_network(seed: int = 0, image_size: int = SIDE, **channels: Any) -> TensorVideoPredictor:
    """Random weights, made so that memory matters: with freshly drawn ones logits hardly depend on it.

    Leaving out a code of time, a pointer or a memory changes logits of this network by 0.2 and more (measured).
    """
    network = build_network(small_spec(image_size, **channels), seed=seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if "memory_attention" in name and value.ndim == 2:
                value.mul_(2.5)
            elif name.endswith("gamma"):
                value.fill_(0.5)
            elif name == "maskmem_tpos_enc":
                value.mul_(20)
            elif "output_hypernetworks_mlps" in name and ".layers.2" in name:
                value.mul_(60)
            elif name.startswith("obj_ptr_proj") and value.ndim == 2:
                value.mul_(2)
            elif name.startswith("memory_encoder.out_proj"):
                value.mul_(5)
        head = network.sam_mask_decoder.pred_obj_score_head.layers[-1]
        head.weight.mul_(10)
        head.bias.fill_(3.0)
    return network


@lru_cache(maxsize=4)
def shared_network(seed: int = 0) -> TensorVideoPredictor:
    """The same for tests that do not change it."""
    return lively_network(seed)


def noise(slices: int, seed: int, size: int = SIDE) -> torch.Tensor:
    """Slices of noise, (slices, 3, size, size)."""
    return torch.randn(slices, 3, size, size, generator=torch.Generator().manual_seed(seed))


def blob(seed: int, size: int = SIDE) -> torch.Tensor:
    """A filled rectangle somewhere, bool (size, size)."""
    generator = torch.Generator().manual_seed(seed)
    top, left = (int(x) for x in torch.randint(0, size // 2, (2,), generator=generator))
    height, width = (int(x) for x in torch.randint(size // 8, size // 2, (2,), generator=generator))
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[top : top + height, left : left + width] = True
    return mask


def masks_of(labelled: Iterable[int], objects: int, seed: int) -> dict[int, torch.Tensor]:
    """{slice: masks}: the first object on all of the slices, the others on all but the first of several."""
    stacks = {}
    for number, index in enumerate(sorted(labelled)):
        parts = [blob(seed + 10 * number + which) for which in range(objects)]
        if number == 0 and len(list(labelled)) > 1:
            parts[1:] = [torch.zeros_like(part) for part in parts[1:]]
        stacks[index] = torch.stack(parts)
    return stacks


def fast(
    engine: Engine,
    case: torch.Tensor,
    supports: Sequence[tuple[torch.Tensor, dict[int, torch.Tensor]]],
    places: Sequence[Sequence[int]],
) -> list[torch.Tensor]:
    """Logits by the engine, from slices and masks."""
    memories = [engine.support(engine.encode(Stack(images)), masks) for images, masks in supports]
    return engine.propagate(engine.encode(Stack(case)), memories, places)
