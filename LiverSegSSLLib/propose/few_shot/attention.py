"""Memory attention for many chains at once, with the memory of prompted frames shared between them.

Every chain attends to (1) the memory of the prompted frames, which all chains of one object of one support share, (2)
the memory of the frames that it tracked last, its own, and (3) object pointers. The package concatenates the three and
projects all of them again for every frame; attention is a sum over keys, so that they may be projected apart and in any
order. Keys of (1) depend on neither the frame looked at nor the chain: all conditioning frames carry the same temporal
code (``t_pos = 0``) wherever they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from LiverSegSSLLib.propose.few_shot.rotary import rotary_table, rotate

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor


@dataclass(frozen=True, eq=False)
class Shared:
    """Memory of prompted frames that several groups of chains attend to.

    :param memory: (frames, tokens, channels).
    :param keys: the same with the codes of place and time added.
    :param cache: what an attention computes from them once, by its own key.
    """

    memory: torch.Tensor
    keys: torch.Tensor
    cache: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Reading:
    """What ``chains`` chains in a row attend to.

    :param memory: (chains, frames, tokens, channels) of their own frames; ``keys`` the same with codes.
    :param pointers: (chains, tokens, channels) object pointers, split into tokens; ``pointer_keys`` the same with codes.
    """

    chains: int
    shared: Shared
    memory: torch.Tensor
    keys: torch.Tensor
    pointers: torch.Tensor
    pointer_keys: torch.Tensor


class MemoryAttention:
    """The package's ``MemoryAttention`` in inference, over chains that share memories.

    :param network: its modules are used as they are.
    :param height: rows of the features.
    :param width: columns.
    """

    def __init__(self, network: TensorVideoPredictor, height: int, width: int) -> None:
        self.module = network.memory_attention
        self.layers = list(self.module.layers)
        device = network.device
        self.own = [rotary_table(layer.self_attn, height, width, device) for layer in self.layers]
        self.cross = [rotary_table(layer.cross_attn_image, height, width, device) for layer in self.layers]

    def __call__(self, top: torch.Tensor, position: torch.Tensor, readings: Sequence[Reading]) -> torch.Tensor:
        """Features (chains, hidden, h, w) conditioned on memory, same shape; readings cover the chains in order."""
        x = top.flatten(2).transpose(1, 2)
        place = position.flatten(2).transpose(1, 2)
        if self.module.pos_enc_at_input:
            x = x + 0.1 * place
        for number, layer in enumerate(self.layers):
            x = self._attend_to_itself(number, x, place)
            asked = layer.norm2(x)
            asked = asked + place if layer.pos_enc_at_cross_attn_queries else asked
            x = x + self._attend_to_memory(number, asked, readings)
            x = x + layer.linear2(layer.activation(layer.linear1(layer.norm3(x))))
        return self.module.norm(x).transpose(1, 2).reshape(top.shape)

    def _attend_to_itself(self, number: int, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        layer, table = self.layers[number], self.own[number]
        attention = layer.self_attn
        normal = layer.norm1(x)
        looked = normal + place if layer.pos_enc_at_attn else normal
        q = rotate(_heads(attention.q_proj(looked), attention), table)
        k = rotate(_heads(attention.k_proj(looked), attention), table)
        v = _heads(attention.v_proj(normal), attention)
        return x + attention.out_proj(_together(scaled_dot_product_attention(q, k, v)))

    def _attend_to_memory(self, number: int, asked: torch.Tensor, readings: Sequence[Reading]) -> torch.Tensor:
        attention, table = self.layers[number].cross_attn_image, self.cross[number]
        q = rotate(_heads(attention.q_proj(asked), attention), table)
        parts, start = [], 0
        for reading in readings:
            chosen = q[start : start + reading.chains]
            start += reading.chains
            shared_k, shared_v = self._project_shared(number, reading.shared)
            own_k, own_v = self._project(number, reading.keys.flatten(0, 1), reading.memory.flatten(0, 1))
            k = torch.cat([_spread(shared_k, reading.chains), _per_chain(own_k, reading.chains)], dim=2)
            v = torch.cat([_spread(shared_v, reading.chains), _per_chain(own_v, reading.chains)], dim=2)
            pointer_k = _heads(attention.k_proj(reading.pointer_keys), attention)
            pointer_v = _heads(attention.v_proj(reading.pointers), attention)
            k, v = torch.cat([k, pointer_k], dim=2), torch.cat([v, pointer_v], dim=2)
            parts.append(scaled_dot_product_attention(chosen, k, v))
        return attention.out_proj(_together(torch.cat(parts)))

    def _project(self, number: int, keys: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(frames, heads, tokens, channels a head) of the keys, turned, and of the values."""
        attention = self.layers[number].cross_attn_image
        k = rotate(_heads(attention.k_proj(keys), attention), self.cross[number])
        return k, _heads(attention.v_proj(memory), attention)

    def _project_shared(self, number: int, shared: Shared) -> tuple[torch.Tensor, torch.Tensor]:
        if number not in shared.cache:
            shared.cache[number] = self._project(number, shared.keys, shared.memory)
        return shared.cache[number]  # type: ignore[no-any-return]


def _heads(x: torch.Tensor, attention: Any) -> torch.Tensor:
    """(n, tokens, channels) → (n, heads, tokens, channels a head)."""
    return x.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)


def _together(x: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`_heads`."""
    return x.transpose(1, 2).flatten(2)


def _spread(x: torch.Tensor, chains: int) -> torch.Tensor:
    """(frames, heads, tokens, c) → (chains, heads, frames · tokens, c), the same for every chain."""
    return x.transpose(0, 1).flatten(1, 2)[None].expand(chains, -1, -1, -1)


def _per_chain(x: torch.Tensor, chains: int) -> torch.Tensor:
    """(chains · frames, heads, tokens, c) → (chains, heads, frames · tokens, c)."""
    return x.unflatten(0, (chains, -1)).transpose(1, 2).flatten(2, 3)
