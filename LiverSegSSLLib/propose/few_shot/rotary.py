"""Rotary position codes in real arithmetic: the package's complex ones (``apply_rotary_enc``) do not run on every device.

Channels 2i and 2i + 1 are the real and imaginary part of one number, which is turned by an angle that depends on the
column of the token for the first half of the channels, and on its row for the second.
"""

from __future__ import annotations

from typing import Any

import torch


def rotary_table(attention: Any, height: int, width: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine of the angle of every token and pair of channels: float32 (height · width, channels / 2).

    :param attention: a ``RoPEAttention`` of the package.
    """
    turns = attention.compute_cis(end_x=width, end_y=height)
    return turns.real.contiguous().to(device), turns.imag.contiguous().to(device)


def rotate(x: torch.Tensor, table: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Turn (…, tokens, channels), in float32 as the package does, and back to the kind of ``x``."""
    cosine, sine = table
    pairs = x.float().unflatten(-1, (-1, 2))
    real, imaginary = pairs.unbind(-1)
    turned = torch.stack([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=-1)
    return turned.flatten(-2).to(x.dtype)
