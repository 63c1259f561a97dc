"""Memory attention for many chains at once, with the memory of prompted frames shared between them.

Every chain attends to (1) the memory of the prompted frames, which all chains of one object of one support share, (2)
the memory of the frames that it tracked last, its own, and (3) object pointers. The package concatenates the three and
projects all of them again for every frame; attention is a sum over keys, so that they may be projected apart and in any
order. Keys of (1) depend on neither the frame looked at nor the chain: all conditioning frames carry the same temporal
code (``t_pos = 0``) wherever they lie.

The first layer's attention of a slice to itself comes before any memory: it is computed once per slice of a volume,
whatever the support and the insertion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.nn.functional import scaled_dot_product_attention

from LiverSegSSLLib.propose.few_shot.rotary import Table, rotary_table, rotate

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor


@dataclass(frozen=True, eq=False)
class Shared:
    """Memory of prompted frames that several groups of chains attend to.

    :param memory: (frames, tokens, channels).
    :param keys: the same with the codes of place and time added.
    :param cache: what an attention computes from them once, by a key of its own.
    """

    memory: torch.Tensor
    keys: torch.Tensor
    cache: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Reading:
    """What chains in a row attend to.

    :param slices: the slice that each looks at.
    :param memory: (chains, frames, tokens, channels) of their own frames; ``keys`` the same with codes.
    :param pointers: (chains, tokens, channels) object pointers, cut into tokens; ``pointer_keys`` the same with codes.
    :param cache: what an attention computes from the chains' own, by a key of its own.
    """

    slices: Sequence[int]
    shared: Shared
    memory: torch.Tensor
    keys: torch.Tensor
    pointers: torch.Tensor
    pointer_keys: torch.Tensor
    cache: dict[Any, Any] = field(default_factory=dict)
    parts: dict[tuple[int, int], Reading] = field(default_factory=dict)

    @property
    def chains(self) -> int:
        """How many."""
        return len(self.slices)

    def part(self, first: int, last: int) -> Reading:
        """Of the chains ``first`` … ``last`` - 1; the same one every time, with its cache."""
        if first == 0 and last >= self.chains:
            return self
        if (first, last) not in self.parts:
            memory, keys, pointers, pointer_keys = (
                x[first:last] for x in (self.memory, self.keys, self.pointers, self.pointer_keys)
            )
            self.parts[first, last] = Reading(
                self.slices[first:last], self.shared, memory, keys, pointers, pointer_keys
            )
        return self.parts[first, last]


class CrossAttention(Protocol):
    """Attention of one layer to memory, before the output projection."""

    def __call__(self, q: torch.Tensor, reading: Reading, *, first: bool) -> torch.Tensor:
        """(chains, tokens, channels) for turned queries of the same shape.

        :param first: the queries are those of the first layer, which depend on the slice alone.
        """
        ...


class MemoryAttention:
    """The package's ``MemoryAttention`` in inference, over chains that share memories.

    :param network: its modules are used as they are.
    :param height: rows of the features.
    :param width: columns.
    :param factored: attend by :class:`~.factored.FactoredAttention`, which needs float32 and one head; ``None``: on
        the CPU in float32, where it is faster.
    """

    def __init__(self, network: TensorVideoPredictor, height: int, width: int, *, factored: bool | None = None) -> None:
        from LiverSegSSLLib.propose.few_shot.factored import FactoredAttention

        self.module = network.memory_attention
        self.layers = list(self.module.layers)
        device = network.device
        self.own = [rotary_table(layer.self_attn, height, width, device) for layer in self.layers]
        self.turns = [rotary_table(layer.cross_attn_image, height, width, device) for layer in self.layers]
        if factored is None:
            factored = device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        self.factored = factored and all(layer.cross_attn_image.num_heads == 1 for layer in self.layers)
        self.cross: list[CrossAttention] = []
        for number, (layer, table) in enumerate(zip(self.layers, self.turns, strict=True)):
            plain = PlainAttention(number, layer.cross_attn_image, table)
            self.cross.append(FactoredAttention(plain, height, width) if self.factored else plain)

    def begin(self, top: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """The first layer's attention of slices to themselves: (n, hidden, h, w) → (n, tokens, hidden)."""
        x = top.flatten(2).transpose(1, 2)
        place = position.flatten(2).transpose(1, 2)
        if self.module.pos_enc_at_input:
            x = x + 0.1 * place
        return self._attend_to_itself(0, x, place)

    def finish(self, x: torch.Tensor, position: torch.Tensor, readings: Sequence[Reading]) -> torch.Tensor:
        """All the rest: tokens (chains, tokens, hidden) as begun → features (chains, hidden, h, w) with memory.

        :param readings: cover the chains in order.
        """
        place = position.flatten(2).transpose(1, 2)
        for number, layer in enumerate(self.layers):
            x = self._attend_to_itself(number, x, place) if number else x
            asked = layer.norm2(x)
            asked = asked + place if layer.pos_enc_at_cross_attn_queries else asked
            x = x + self._attend_to_memory(number, asked, readings)
            x = x + layer.linear2(layer.activation(layer.linear1(layer.norm3(x))))
        return self.module.norm(x).transpose(1, 2).unflatten(2, position.shape[-2:])

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
        attention, table = self.layers[number].cross_attn_image, self.turns[number]
        q = _together(rotate(_heads(attention.q_proj(asked), attention), table))
        parts, start = [], 0
        for reading in readings:
            chosen = q[start : start + reading.chains]
            start += reading.chains
            parts.append(self.cross[number](chosen, reading, first=number == 0))
        return attention.out_proj(torch.cat(parts))


@dataclass(frozen=True, eq=False)
class PlainAttention:
    """Attention to memory by the fused kernels of torch; the projected keys and values of prompted frames are kept.

    :param number: of the layer.
    :param module: the package's ``RoPEAttention``.
    """

    number: int
    module: Any
    table: Table

    def __call__(self, q: torch.Tensor, reading: Reading, *, first: bool) -> torch.Tensor:
        """See :class:`CrossAttention`."""
        if self.number not in reading.shared.cache:
            reading.shared.cache[self.number] = self._project(reading.shared.keys, reading.shared.memory)
        shared = reading.shared.cache[self.number]
        own = self._project(reading.keys.flatten(0, 1), reading.memory.flatten(0, 1))
        pointers = (
            _heads(self.module.k_proj(reading.pointer_keys), self.module),
            _heads(self.module.v_proj(reading.pointers), self.module),
        )
        k, v = (
            torch.cat([_spread(every, reading.chains), _per_chain(one, reading.chains), pointer], dim=2)
            for every, one, pointer in zip(shared, own, pointers, strict=True)
        )
        return _together(scaled_dot_product_attention(_heads(q, self.module), k, v))

    def _project(self, keys: torch.Tensor, memory: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(frames, heads, tokens, channels a head) of the keys, turned, and of the values."""
        turned = rotate(_heads(self.module.k_proj(keys), self.module), self.table)
        return turned, _heads(self.module.v_proj(memory), self.module)


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
    frames, (heads, tokens, channels) = len(x) // chains, x.shape[1:]
    return x.view(chains, frames, heads, tokens, channels).transpose(1, 2).flatten(2, 3)
