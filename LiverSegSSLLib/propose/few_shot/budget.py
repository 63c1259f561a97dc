"""How many chains fit side by side into a given memory.

Estimates, from the sizes of what is alive at once; where they are too hopeful, the batch is halved on the way
(:mod:`.chains`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.memory import SupportMemory
    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor

FEATURES_SHARE = 0.5
"""Of the memory, at most, for the features of the case; where they need more they stay on the CPU and are streamed."""


SIZE, CHAIN_MB, SLICE_MB = 512, 100.0, 4.5
"""At 512 pixels a side a chain of MedSAM2's size takes so much, the features of a slice so much (both grow with the
pixels)."""

PROCESS_MB, VOLUME_MB = 700.0, 60.0
"""Python, torch and the network; a labelled volume in two image spaces (24 MB each with 320 × 260 × 72 voxels)."""

SLICES = 75
"""Of a volume, for estimates."""

LEAST_PARALLEL_SIZE = 256
"""Pixels a side from which a second thread costs no processor time: the same work on two threads took 20 % more of it
at 128 pixels (11 % with MedSAM2's channels), with MedSAM2's channels 2 % at 256 and nothing at 512."""


def process_mb(
    size: int, insertions: int, supports: int, memory_mb: float = math.inf, features_memory_mb: float = math.inf
) -> float:
    """What one process that proposes takes, at most about.

    :param size: pixels a side of the network.
    :param memory_mb: bound of tracking; ``features_memory_mb``: bound of the kept features, of the supports in two
        image spaces and of the case in five.
    """
    share = (size / SIZE) ** 2
    tracking = 2 * insertions * supports * CHAIN_MB * share
    features = (2 * supports + 5) * SLICES * SLICE_MB * share
    return PROCESS_MB + supports * VOLUME_MB + min(memory_mb, tracking) + min(features_memory_mb, features)


def chain_bytes(network: TensorVideoPredictor, frames: int, insertions: float, *, factored: bool) -> float:
    """What one more chain takes at a step, at most about.

    :param frames: prompted frames of its object.
    :param insertions: chains, on average, that share what is computed from them.
    :param factored: how memory is attended to; else keys and values of the whole memory are laid out for each chain.
    """
    import torch

    tokens, hidden, channels = network.sam_image_embedding_size**2, network.hidden_dim, network.mem_dim
    layers = network.memory_attention.layers
    wide = layers[0].linear1.out_features
    # Memory attention: tokens at several stages and the widest of its hidden layers; the mask decoder: its two upscaled
    # embeddings and four masks; the memory encoder: masks at full size, at three scales.
    step = 4.0 * (tokens * (16 * hidden + wide) + 12 * network.image_size**2)
    own = tokens * channels * network.num_maskmem
    if factored:
        sides = 2 * network.sam_image_embedding_size
        return step + 4.0 * (3 * own + sides * (channels + 1) * tokens + 4 * tokens * frames * channels / insertions)
    every = tokens * (frames + network.num_maskmem) * hidden
    width = 4.0 if not torch.is_autocast_enabled(network.device.type) else 2.0
    return step + width * (2 * every + 2 * len(layers) * tokens * frames * hidden / insertions)


def chains_in(
    network: TensorVideoPredictor,
    memory_mb: float,
    supports: Sequence[SupportMemory],
    insertions: float,
    *,
    factored: bool,
) -> int:
    """How many chains may run side by side, at least one."""
    frames = max((len(one.times) for support in supports for one in support.objects), default=1)
    return max(1, int(memory_mb * 2**20 // chain_bytes(network, frames, max(1.0, insertions), factored=factored)))
