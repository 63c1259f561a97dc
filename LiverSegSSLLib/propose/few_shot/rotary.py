"""Rotary position codes in real arithmetic; the package's complex ones do not run on every device.

Channels 2i and 2i + 1 are the real and imaginary part of one number, which is turned by an angle that depends on the
column of the token for the first half of the channels, and on its row for the second (``apply_rotary_enc``).
"""

from __future__ import annotations

from typing import Any

import torch

Table = tuple[torch.Tensor, torch.Tensor]
"""Cosine and sine of the angle of every token and pair of channels: float32 (tokens, pairs)."""


def rotary_table(attention: Any, height: int, width: int, device: Any) -> Table:
    """The angles of a ``RoPEAttention`` of the package, tokens row by row."""
    turns = attention.compute_cis(end_x=width, end_y=height)
    return turns.real.contiguous().to(device), turns.imag.contiguous().to(device)


def rotate(x: torch.Tensor, table: Table) -> torch.Tensor:
    """Turn (…, tokens, channels), in float32 as the package does, and back to the kind of ``x``."""
    cosine, sine = table
    real, imaginary = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=-1)
    return turned.flatten(-2).to(x.dtype)
