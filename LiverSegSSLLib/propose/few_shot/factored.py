"""Attention to memory in the memory's own 64 channels instead of the 256 of queries and keys: a quarter of the work.

With m a memory of key ℓ, its code p, and R the rotation of a place, the package computes

    s = (R_q W_q x + …)ᵀ R_ℓ (W_k (m + p) + b) / √C        and        Σ softmax(s) (W_v m + c).

**Values.** The weights of a softmax sum to 1, so that the second sum is W_v (Σ softmax(s) m) + c: sums run over the
memories themselves, and are projected once per query instead of once per key.

**Keys.** s = gᵀ (m + p, 1) with g = (W_k, b)ᵀ R_ℓᵀ q. As it stands there would be one g per query *and* place of a key.
But rotary codes are axial: the first half of the channels turns with the column x of the key, the second with its row
y, so that g = g_x + g_y, where g_x depends on the query and the column alone. They are (width + height) small products
per query; their sum over all places is formed block by block and stays in the cache. All frames of the memory share
the place, hence g: with T frames the scores of one place are a (T × 65)(65 × queries) product.

**Softmax.** exp(s) is summed as it is wherever Cauchy–Schwarz says that |s| ≤ 60, which float32 holds with all digits;
elsewhere s is shifted by the bound less 60. Where that could lose a sum (all scores far below the bound), the plain
attention is taken instead.

The first layer's queries depend on the slice alone (see :mod:`.attention`), and so does what they take from the
prompted frames: computed once per slice, for all insertions of a support and both directions.

Measured on one busy core (AVX2), 1024 queries, 30 frames of 1024 tokens, processor time: 0.25 s, and 0.47 s by torch's
fused kernel with the keys and values projected beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from LiverSegSSLLib.propose.few_shot.attention import PlainAttention, Reading
from LiverSegSSLLib.propose.few_shot.rotary import rotate

SAFE = 60.0
"""exp(60) · 10⁵ keys is 10³¹, exp(-60) is 10⁻²⁶: both far inside float32."""

LOST = 1e-30
"""Sums of shifted exponentials below this may have lost digits."""

BLOCK = 2**20
"""Numbers in a block (4 MB). From 2¹⁶ on, and from 64 queries on, times lie within 15 % of each other."""

QUERIES = 128
"""Queries in a block."""

TOGETHER = 4096
"""Queries whose g_x and g_y are held at once: 70 MB where a slice has 1024 tokens."""

FIRST_MB = 256.0
"""Most that the first layer's part may take for one support and object."""


@dataclass(frozen=True, eq=False)
class Part:
    """What queries took from some keys: sums of exp(s - shift) · (m, 1).

    :param sums: (channels + 1, queries).
    :param shift: (queries); ``None``: 0.
    """

    sums: torch.Tensor
    shift: torch.Tensor | None

    def plus(self, other: Part) -> Part:
        """From both."""
        if self.shift is None and other.shift is None:
            return Part(self.sums + other.sums, None)
        mine, theirs = (self.sums.new_zeros(()) if part.shift is None else part.shift for part in (self, other))
        shift = torch.maximum(mine, theirs)
        return Part(self.sums * (mine - shift).exp() + other.sums * (theirs - shift).exp(), shift)

    def of(self, first: int, last: int) -> Part:
        """Of some queries, apart from the rest."""
        shift = None if self.shift is None else self.shift[first:last].clone()
        return Part(self.sums[:, first:last].clone(), shift)


@dataclass(frozen=True, eq=False)
class Keys:
    """Memories as the products want them.

    :param keys: (…, height, width, frames, channels + 1): memory and codes, and 1.
    :param values: the same shape: memory, and 1.
    """

    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries as the products want them.

    :param gx: (width, channels + 1, queries).
    :param gy: (height, channels + 1, queries).
    :param norms: (queries) lengths, over √C.
    """

    gx: torch.Tensor
    gy: torch.Tensor
    norms: torch.Tensor

    def shifted(self, longest: float) -> tuple[torch.Tensor, torch.Tensor | None]:
        """``gx`` such that scores come out shifted, and the shift, for keys of at most this length."""
        shift = _shift(self.norms, longest)
        if shift is None:
            return self.gx, None
        lowered = self.gx.clone()
        lowered[:, -1] -= shift
        return lowered, shift

    def of(self, chains: Sequence[int], tokens: int) -> Asked:
        """Of some chains, in this order."""
        if len(chains) * tokens == len(self.norms):
            return self
        gx, gy, norms = (
            x.unflatten(-1, (-1, tokens))[..., chains, :].flatten(-2) for x in (self.gx, self.gy, self.norms)
        )
        return Asked(gx, gy, norms)


class FactoredAttention:
    """See the module. Float32, one head.

    :param plain: the same layer; taken where sums could lose digits.
    :param height: rows of the features.
    :param width: columns.
    """

    def __init__(self, plain: PlainAttention, height: int, width: int) -> None:
        self.plain, self.height, self.width = plain, height, width
        module = plain.module
        both = torch.cat([module.k_proj.weight, module.k_proj.bias[:, None]], dim=1).float()
        self.gram = both.T @ both
        both = both / math.sqrt(len(both))
        half = len(both) // 2
        cosine, sine = plain.table
        columns = (cosine[:width, None, : half // 2], sine[:width, None, : half // 2])
        rows = (cosine[::width, None, half // 2 :], sine[::width, None, half // 2 :])
        self.half = half
        self.by_column = rotate(both[:half].T.expand(width, -1, -1), columns).flatten(0, 1)
        self.by_row = rotate(both[half:].T.expand(height, -1, -1), rows).flatten(0, 1)
        self.unturned = both.T.contiguous()

    def __call__(self, q: torch.Tensor, reading: Reading, *, first: bool) -> torch.Tensor:
        """See :class:`~.attention.CrossAttention`."""
        few = max(1, TOGETHER // q.shape[1])
        parts = [
            self._take(q[start : start + few], reading.part(start, start + few), first=first)
            for start in range(0, len(q), few)
        ]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _take(self, q: torch.Tensor, reading: Reading, *, first: bool) -> torch.Tensor:
        """Of some chains."""
        chains, tokens, _ = q.shape
        queries = q.reshape(chains * tokens, -1).T
        asked = Asked(
            (self.by_column @ queries[: self.half]).view(self.width, -1, chains * tokens),
            (self.by_row @ queries[self.half :]).view(self.height, -1, chains * tokens),
            queries.norm(dim=0) / math.sqrt(len(queries)),
        )
        shared = self._arranged(reading.shared.cache, reading.shared.keys, reading.shared.memory)
        longest = self._longest(reading.shared.cache, shared.keys)
        part = self._first(asked, shared, longest, reading) if first else self._over_places(asked, shared, longest)
        if reading.memory.shape[1]:
            own = self._arranged(reading.cache, reading.keys, reading.memory)
            part = part.plus(self._own(asked, own, self._longest(reading.cache, own.keys), chains))
        if reading.pointers.shape[1]:
            part = part.plus(self._pointers(queries, asked.norms, reading))
        weights = part.sums[-1]
        if part.shift is not None and bool((weights < LOST).any()):
            return self.plain(q, reading, first=first)
        mean = (part.sums[:-1] / weights).T
        taken: torch.Tensor = self.plain.module.v_proj(mean)
        return taken.view(chains, tokens, -1)

    def _over_places(self, asked: Asked, keys: Keys, longest: float) -> Part:
        """What all queries take from keys that they share."""
        height, width, frames, channels = keys.keys.shape
        gx, shift = asked.shifted(longest)
        total = gx.shape[-1]
        sums = gx.new_empty(channels, total)
        step = min(total, QUERIES)
        rows = max(1, min(height, BLOCK // (width * max(frames, channels) * step)))
        scores = gx.new_empty(rows * width * frames * step)
        factors = gx.new_empty(rows * width * channels * step)
        for start in range(0, total, step):
            end = min(start + step, total)
            one, some = gx[:, :, start:end].contiguous(), asked.gy[:, :, start:end].contiguous()
            taken = gx.new_zeros(channels, end - start)
            for top in range(0, height, rows):
                bottom = min(top + rows, height)
                places = (bottom - top) * width
                g = factors[: places * channels * (end - start)].view(bottom - top, width, channels, end - start)
                torch.add(one, some[top:bottom, None], out=g)
                s = scores[: places * frames * (end - start)].view(places, frames, end - start)
                torch.bmm(keys.keys[top:bottom].flatten(0, 1), g.flatten(0, 1), out=s)
                s.exp_()
                taken.addmm_(keys.values[top:bottom].flatten(0, 2).T, s.flatten(0, 1))
            sums[:, start:end] = taken
        return Part(sums, shift)

    def _own(self, asked: Asked, keys: Keys, longest: float, chains: int) -> Part:
        """What the queries of each chain take from the frames that it tracked."""
        channels = keys.keys.shape[-1]
        gx, shift = asked.shifted(longest)
        one = gx.view(self.width, channels, chains, -1).permute(2, 0, 1, 3)
        some = asked.gy.view(self.height, channels, chains, -1).permute(2, 0, 1, 3)
        tokens = one.shape[-1]
        sums = gx.new_zeros(chains, channels, tokens)
        rows = max(1, min(self.height, BLOCK // (self.width * channels * tokens)))
        together = max(1, min(chains, BLOCK // (rows * self.width * channels * tokens)))
        # One buffer: fresh ones of this size would be given back to the system, and zeroed by it, every time.
        factors = gx.new_empty(together * rows * self.width * channels * tokens)
        for start in range(0, chains, together):
            few = slice(start, min(start + together, chains))
            for top in range(0, self.height, rows):
                some_rows = slice(top, min(top + rows, self.height))
                block, values = keys.keys[few, some_rows], keys.values[few, some_rows]
                shape = (*block.shape[:3], channels, tokens)
                g = factors[: math.prod(shape)].view(shape)
                torch.add(one[few, None], some[few, some_rows, None], out=g)
                s = torch.bmm(block.flatten(0, 2), g.flatten(0, 2)).exp_().view(block.shape[0], -1, tokens)
                sums[few].baddbmm_(values.flatten(1, 3).transpose(1, 2), s)
        return Part(sums.transpose(0, 1).flatten(1), shift)

    def _pointers(self, queries: torch.Tensor, norms: torch.Tensor, reading: Reading) -> Part:
        """What the queries of each chain take from object pointers, which have no place and are not turned."""
        if "pointers" not in reading.cache:
            reading.cache["pointers"] = Keys(_with_one(reading.pointer_keys), _with_one(reading.pointers))
        keys: Keys = reading.cache["pointers"]
        g = self.unturned @ queries
        shift = _shift(norms, self._norm(keys.keys))
        if shift is not None:
            g[-1] -= shift
        g = g.view(len(g), reading.chains, -1).transpose(0, 1)
        sums = keys.values.transpose(1, 2) @ (keys.keys @ g).exp_()
        return Part(sums.transpose(0, 1).flatten(1), shift)

    def _first(self, asked: Asked, keys: Keys, longest: float, reading: Reading) -> Part:
        """The first layer: what a slice takes from shared keys is kept for the other chains that come by."""
        tokens = self.height * self.width
        kept: dict[int, Part] = reading.shared.cache.setdefault("first", {})
        places: dict[int, int] = {}
        for number, index in enumerate(reading.slices):
            if index not in kept:
                places.setdefault(index, number)
        if places:
            fresh = self._over_places(asked.of(list(places.values()), tokens), keys, longest)
            for number, index in enumerate(places):
                kept[index] = fresh.of(number * tokens, (number + 1) * tokens)
        parts = [kept[index] for index in reading.slices]
        if len(kept) * tokens * (keys.keys.shape[-1] + 1) * 4 > FIRST_MB * 2**20:
            kept.clear()
        sums = torch.cat([part.sums for part in parts], dim=1)
        if all(part.shift is None for part in parts):
            return Part(sums, None)
        shifts = [sums.new_zeros(tokens) if part.shift is None else part.shift for part in parts]
        return Part(sums, torch.cat(shifts))

    def _arranged(self, cache: dict[Any, Any], keys: torch.Tensor, memory: torch.Tensor) -> Keys:
        """(…, frames, tokens, channels) → (…, height, width, frames, channels + 1); the same for all layers."""
        if "arranged" not in cache:
            by_place = (x.transpose(-3, -2).unflatten(-3, (self.height, self.width)) for x in (keys, memory))
            cache["arranged"] = Keys(*map(_with_one, by_place))
        arranged: Keys = cache["arranged"]
        return arranged

    def _longest(self, cache: dict[Any, Any], keys: torch.Tensor) -> float:
        """The norm of the longest projected key."""
        name = "longest", self.plain.number
        if name not in cache:
            cache[name] = self._norm(keys)
        longest: float = cache[name]
        return longest

    def _norm(self, keys: torch.Tensor) -> float:
        """The largest of |W_k (m + p) + b|."""
        squares = ((keys @ self.gram) * keys).sum(-1)
        return math.sqrt(max(0.0, float(squares.max())))


def _with_one(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x.new_ones(*x.shape[:-1], 1)], dim=-1)


def _shift(norms: torch.Tensor, longest: float) -> torch.Tensor | None:
    """By how much scores are to be lowered; ``None``: by nothing."""
    if float(norms.max()) * longest <= SAFE:
        return None
    return (norms * longest - SAFE).clamp_min(0.0)
