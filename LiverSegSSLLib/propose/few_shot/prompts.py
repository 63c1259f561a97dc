"""Mask prompts: which object is prompted on which slice, and where a labelled volume is inserted."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import torch

from LiverSegSSLLib.errors import LabelError

Masks = Mapping[int, Any]
"""Slice → bool (S, S) or (objects, S, S), arrays or tensors; S is the network's image size; others are resized."""


def insertion_places(slices: int, count: int, seed: int) -> tuple[int, ...]:
    """Where a labelled volume is inserted into an unlabelled one: before slice k, ascending, no place twice.

    Drawn without replacement from 0 … ``slices``, both ends allowed; the published code draws from 0 … ``slices`` - 1
    and fails where there are fewer slices than insertions (METHODS 7.1). There are at most ``slices`` + 1 places.
    """
    return tuple(sorted(random.Random(seed).sample(range(slices + 1), min(count, slices + 1))))


def prompts_of_objects(masks: Masks, size: int, *, empty: bool = False) -> list[dict[int, torch.Tensor]]:
    """For every object the slices it is prompted on, ascending, each bool (size, size).

    :param empty: also prompt with empty masks ("the object is not on this slice"). The published procedure does not.
    :raises LabelError: there are no masks, their shapes differ, or an object has no prompt.
    """
    stacks = {int(index): _stack(mask, index) for index, mask in sorted(masks.items())}
    if not stacks:
        raise LabelError("there is no labelled slice: nothing can be propagated")
    if len(counts := {len(stack) for stack in stacks.values()}) > 1:
        raise LabelError(f"the slices hold different numbers of objects: {sorted(counts)}")
    resized = {index: _resized(stack, size) for index, stack in stacks.items()}
    prompts = []
    for number in range(counts.pop()):
        chosen = {index: stack[number] for index, stack in resized.items() if empty or stack[number].any()}
        if not chosen:
            raise LabelError(f"object {number} is labelled on no slice: nothing can be propagated")
        prompts.append(chosen)
    return prompts


def _stack(mask: Any, index: int) -> torch.Tensor:
    tensor = torch.as_tensor(mask)
    tensor = tensor[None] if tensor.ndim == 2 else tensor
    if tensor.ndim != 3:
        raise LabelError(
            f"a mask must be (rows, columns) or (objects, rows, columns), not {tuple(tensor.shape)}", f"slice {index}"
        )
    return tensor != 0


def _resized(stack: torch.Tensor, size: int) -> torch.Tensor:
    """As the package resizes mask prompts (``add_new_mask``)."""
    if tuple(stack.shape[1:]) == (size, size):
        return stack
    shrunk = torch.nn.functional.interpolate(
        stack[None].float(), size=(size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return shrunk[0] >= 0.5
