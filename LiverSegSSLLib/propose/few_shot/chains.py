"""Tracking many chains side by side.

A chain is one pass through slices in one order: an insertion of one support, in one direction, for one object. Chains
of a group share the prompted frames, the direction and the times, and differ in the slices that they look at; groups
run at their own pace, and a new one starts when others have ended and left room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from LiverSegSSLLib.propose.few_shot.attention import MemoryAttention
from LiverSegSSLLib.propose.few_shot.bank import Bank
from LiverSegSSLLib.propose.few_shot.memory import Remembered, encode_memory, fill_holes
from LiverSegSSLLib.propose.few_shot.out_of_memory import does_not_fit, free_memory, is_out_of_memory

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.features import SliceFeatures
    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor


BEGINNINGS = 128
"""Slices whose start of memory attention is kept at least."""


@dataclass(eq=False)
class Group:
    """Chains that share prompted frames, direction and times.

    :param bank: what they remember of the prompted frames.
    :param forward: the direction.
    :param limit: most pointers, see :func:`~.bank.pointer_limit`.
    :param times: the time of every step.
    :param slices: for every chain the slices it looks at, one a step; no chain is longer than the one before it.
    :param past: time → memory of the frames tracked so far; what a support left behind to begin with.
    :param name: whatever tells the caller which group this is.
    :param keep: leave ``past`` as it is at the end, for whoever takes over.
    :param offset: number of the first chain, of a group that was split.
    """

    bank: Bank
    forward: bool
    limit: int
    times: Sequence[int]
    slices: Sequence[Sequence[int]]
    past: dict[int, Remembered]
    name: Any
    keep: bool = False
    offset: int = 0
    step: int = 0

    @property
    def chains(self) -> int:
        """How many have not ended."""
        return sum(len(chain) > self.step for chain in self.slices)

    @property
    def looked_at(self) -> list[int]:
        """The slice that each chain that has not ended looks at."""
        return [chain[self.step] for chain in self.slices[: self.chains]]


@dataclass(frozen=True, eq=False)
class Piece:
    """Some chains of a group: ``first`` … ``last`` - 1."""

    group: Group
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    def past(self) -> dict[int, Remembered]:
        """What these chains remember of the frames they tracked."""
        if len(self) == self.group.chains:
            return self.group.past
        return {time: seen.part(self.first, self.last) for time, seen in self.group.past.items()}

    def halves(self) -> tuple[Piece, Piece]:
        """Two of about the same size."""
        middle = (self.first + self.last) // 2
        return Piece(self.group, self.first, middle), Piece(self.group, middle, self.last)


Found = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Of chains: logits (n, S / 4, S / 4), memory (n, channels, h, w), pointers (n, hidden)."""


@dataclass(eq=False)
class Runner:
    """Runs groups over the slices of one volume.

    :param batch: most chains side by side; halved when memory runs out.
    """

    network: TensorVideoPredictor
    attention: MemoryAttention
    features: SliceFeatures
    position: torch.Tensor
    batch: int
    _beginnings: dict[int, torch.Tensor] = field(default_factory=dict, init=False)

    def run(
        self,
        groups: Sequence[Group],
        emit: Callable[[Group, torch.Tensor], None],
        tick: Callable[[int], None],
    ) -> None:
        """Track all groups to their ends.

        :param emit: takes a group and the logits of its chains at its present step, float32 (n, S / 4, S / 4), CPU.
        :param tick: told how many frames have just been tracked; what it raises ends the run.
        """
        waiting, active = deque(_split(groups, self.batch)), deque[Group]()
        while waiting or active:
            while waiting and (not active or _total(active) + waiting[0].chains <= self.batch):
                active.append(waiting.popleft())
            pieces = [Piece(group, 0, group.chains) for group in active]
            logits, memories, pointers = zip(*self._compute(pieces), strict=True)
            # One transfer a step: each waits until the device has done all that it was given.
            at_hand = torch.cat(logits).cpu().split([len(piece) for piece in pieces])
            for group, shown, memory, pointer in zip(active, at_hand, memories, pointers, strict=True):
                emit(group, shown)
                group.past[group.times[group.step]] = Remembered(memory, pointer)
                group.step += 1
                _forget(group, self.network.num_maskmem)
            tick(sum(map(len, pieces)))
            active = deque(group for group in active if group.chains)

    def _compute(self, pieces: list[Piece]) -> list[Found]:
        """One step of every piece, in as few batches as memory allows."""
        results: list[Found | None] = [None] * len(pieces)
        for chosen in _batches(pieces, self.batch):
            found = self._attempt([piece for _, piece in chosen])
            for (number, _), one in zip(chosen, found, strict=True):
                earlier = results[number]
                results[number] = one if earlier is None else _joined(earlier, one)
        return [result for result in results if result is not None]

    def _attempt(self, pieces: list[Piece]) -> list[Found]:
        """One step of pieces as one batch; where memory runs out, as two of half the size."""
        try:
            return self._step(pieces)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error)
        # Outside the handler, so that the failed batch is not kept alive by its traceback.
        free_memory(self.network.device)
        total = sum(map(len, pieces))
        if total == 1:
            raise does_not_fit(self.network.device, reason)
        self.batch = max(1, total // 2)
        if len(pieces) == 1:
            first, second = (self._attempt([half])[0] for half in pieces[0].halves())
            return [_joined(first, second)]
        middle = len(pieces) // 2
        return [*self._attempt(pieces[:middle]), *self._attempt(pieces[middle:])]

    def _step(self, pieces: list[Piece]) -> list[Found]:
        network, size = self.network, self.network.image_size // 4
        slices, readings = [], []
        for piece in pieces:
            group = piece.group
            chosen = group.looked_at[piece.first : piece.last]
            past, time = piece.past(), group.times[group.step]
            readings.append(group.bank.reading(time, group.forward, past, group.limit, chosen))
            slices += chosen
        *high, top = self.features.take(slices, network.device)
        seen = self.attention.finish(self._begun(slices, top), self.position, readings)
        heads = network._forward_sam_heads(
            backbone_features=seen,
            high_res_features=high or None,
            multimask_output=network._use_multimask(is_init_cond_frame=False, point_inputs=None),
        )
        _, _, _, low, full, pointers, scores = heads
        memory = encode_memory(network, top, full, scores, prompted=False)
        logits = fill_holes(network, low).float().reshape(-1, size, size)
        sizes = [len(piece) for piece in pieces]
        return list(zip(logits.split(sizes), memory.split(sizes), pointers.split(sizes), strict=True))

    def _begun(self, slices: list[int], top: torch.Tensor) -> torch.Tensor:
        """Memory attention up to where memory comes in, computed once per slice."""
        new = {index: place for place, index in enumerate(slices) if index not in self._beginnings}
        if new:
            begun = self.attention.begin(top[list(new.values())], self.position)
            self._beginnings.update(zip(new, begun, strict=True))
        chosen = torch.stack([self._beginnings[index] for index in slices])
        if len(self._beginnings) > 2 * BEGINNINGS:
            for index in list(self._beginnings)[:BEGINNINGS]:
                del self._beginnings[index]
        return chosen


def _joined(one: Found, other: Found) -> Found:
    first, second, third = (torch.cat(pair) for pair in zip(one, other, strict=True))
    return first, second, third


def _total(groups: Sequence[Group] | deque[Group]) -> int:
    return sum(group.chains for group in groups)


def _split(groups: Sequence[Group], batch: int) -> Iterator[Group]:
    """Groups of at most ``batch`` chains."""
    for group in groups:
        if len(group.slices) <= batch:
            yield group
            continue
        for start in range(0, len(group.slices), batch):
            part = group.slices[start : start + batch]
            past = {time: seen.part(start, start + len(part)) for time, seen in group.past.items()}
            yield replace(group, slices=part, past=past, offset=group.offset + start)


def _batches(pieces: list[Piece], batch: int) -> Iterator[list[tuple[int, Piece]]]:
    """Pieces with their numbers, in lists of at most ``batch`` chains."""
    current: list[tuple[int, Piece]] = []
    room = batch
    for number, piece in enumerate(pieces):
        first = piece.first
        while first < piece.last:
            last = min(piece.last, first + room)
            current.append((number, Piece(piece.group, first, last)))
            room -= last - first
            first = last
            if room == 0:
                yield current
                current, room = [], batch
    if current:
        yield current


def _forget(group: Group, memories: int) -> None:
    """Drop what no later step can look at, and the places of chains that have ended."""
    sign = 1 if group.forward else -1
    if not group.chains:
        if not group.keep:
            group.past = {}
        return
    now, chains = group.times[group.step], group.chains
    kept = {}
    for time, seen in group.past.items():
        distance = (now - time) * sign
        if 0 < distance < max(group.limit, memories):
            part = seen.part(0, chains)
            kept[time] = part if distance < memories else part.without_memory()
    group.past = kept
