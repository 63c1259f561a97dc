"""A teacher: a network that follows another's weights slowly and is never trained itself."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def ema_decay(step: int, most: float = 0.99) -> float:
    """α = min(1 − 1/(step + 1), most): the first step takes the student's weights whole, later ones less and less.

    :param step: from 0.
    """
    return min(1.0 - 1.0 / (step + 1), most)


class Teacher:
    """A frozen copy of a network; one output, of full resolution.

    :param network: with nnU-Net's switch ``decoder.deep_supervision``.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network)
        self.network.decoder.deep_supervision = False  # type: ignore[union-attr]
        self.network.requires_grad_(False)

    def __call__(self, image: Tensor) -> Tensor:
        """Logits (n, classes, z, y, x) of images (n, channels, z, y, x); no gradient."""
        with torch.no_grad():
            logits: Tensor = self.network(image)
        return logits

    def update(self, network: nn.Module, decay: float) -> None:
        """weights ← decay · weights + (1 − decay) · the network's. Buffers are left (instance norm has none)."""
        with torch.no_grad():
            for own, other in zip(self.network.parameters(), network.parameters(), strict=True):
                own.lerp_(other, 1.0 - decay)
