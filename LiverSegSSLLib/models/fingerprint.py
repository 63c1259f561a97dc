"""What a checkpoint is, from the names and shapes in it: which loader reads it and which size of network it holds.

A light check: it tells a wrong file from a right one without building a network. The loaders check every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import WeightsError

PATCH_EMBEDDING = "image_encoder.trunk.patch_embed.proj.weight"
"""SAM 2's first convolution, (channels, 3, 7, 7)."""

BLOCKS = "image_encoder.trunk.blocks."

SAM2_ONLY_21 = "no_obj_embed_spatial"
"""A parameter that the SAM 2.1 configurations switch on and those of 2.0 do not have."""

SAM2_SIZES = {(96, 12): "tiny", (96, 16): "small", (112, 24): "base-plus", (144, 48): "large"}
"""Channels of the patch embedding and number of blocks of the Hiera trunk (the package's configurations)."""

STUNET_FIRST = "conv_blocks_context.0.0.conv1.weight"
"""STU-Net's first convolution, (channels, inputs, z, y, x)."""

STUNET_SIZES = {16: "small", 32: "base", 64: "large", 96: "huge"}
"""Channels of the first stage (METHODS 4.1)."""


@dataclass(frozen=True)
class Fingerprint:
    """``loader``: ``sam2`` or ``stunet``. ``variant``: as ``sam2.1-tiny``; unpublished sizes end in numbers."""

    loader: str
    variant: str


def fingerprint(path: Path) -> Fingerprint:
    """What the checkpoint in a file is. Reads names and shapes; nothing in the file is run.

    :raises BadInputError: it cannot be read as tensors and plain values.
    :raises WeightsError: it is a checkpoint, but of something else.
    """
    # On "meta" no tensor is filled: 0.9 GB of weights cost no memory.
    checkpoint = load_checkpoint(path, device="meta")
    for key, recognise in (("model", _sam2), ("state_dict", _stunet)):
        tensors = checkpoint.get(key)
        if isinstance(tensors, Mapping) and (found := recognise(tensors)) is not None:
            return found
    names = ", ".join(sorted(str(name) for name in checkpoint)[:4])
    raise WeightsError(
        f"holds neither SAM 2 nor STU-Net weights (it holds {names or 'nothing'})",
        path.name,
        "use a file of the catalogue: `liversegssl models list`",
    )


def _sam2(tensors: Mapping[str, Any]) -> Fingerprint | None:
    embedding = tensors.get(PATCH_EMBEDDING)
    if embedding is None:
        return None
    channels = int(embedding.shape[0])
    blocks = len({name[len(BLOCKS) :].split(".")[0] for name in tensors if name.startswith(BLOCKS)})
    size = SAM2_SIZES.get((channels, blocks), f"{channels}x{blocks}")
    return Fingerprint("sam2", f"sam2.{1 if SAM2_ONLY_21 in tensors else 0}-{size}")


def _stunet(tensors: Mapping[str, Any]) -> Fingerprint | None:
    first = tensors.get(STUNET_FIRST)
    if first is None:
        return None
    channels = int(first.shape[0])
    return Fingerprint("stunet", f"stunet-{STUNET_SIZES.get(channels, str(channels))}")
