"""Which memories and object pointers a frame attends to, and with which codes of time.

The rules are the package's (``SAM2Base._prepare_memory_conditioned_features``). All of them depend on differences of
times only, so a chain may count time from the support's first slice whatever the place of insertion:

- prompted frames: all, or the ``max_cond_frames_in_attn`` nearest; their memories all carry the code of ``t_pos = 0``;
- memories of the ``num_maskmem - 1`` frames before, in the direction of tracking, coded by their distance; a prompted
  frame that was not selected counts among them;
- pointers of the selected prompted frames that lie in the past (``only_obj_ptrs_in_the_past_for_eval``), and of up to
  ``max_obj_ptrs_in_encoder - 1`` frames before, coded by distance over the limit. The limit is the number of frames of
  the video where that is smaller: the only way in which the length of the case enters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.propose.few_shot.attention import Reading, Shared
from LiverSegSSLLib.propose.few_shot.memory import Prompted, Remembered

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.predictor import TensorVideoPredictor


def pointer_limit(network: TensorVideoPredictor, frames: int) -> int:
    """The most pointers of tracked frames, and one, for a video of so many frames."""
    return min(frames, int(network.max_obj_ptrs_in_encoder))


def require_known_settings(network: TensorVideoPredictor) -> None:
    """The engine knows the settings that all published configurations share.

    :raises BadInputError: the network has another.
    """
    strange = {
        "memory_temporal_stride_for_eval": network.memory_temporal_stride_for_eval != 1,
        "num_maskmem": network.num_maskmem < 1,
        "non_overlap_masks": network.non_overlap_masks,
        "non_overlap_masks_for_mem_enc": network.non_overlap_masks_for_mem_enc,
        "use_mask_input_as_output_without_sam": not network.use_mask_input_as_output_without_sam,
        "use_obj_ptrs_in_encoder": not network.use_obj_ptrs_in_encoder,
        "pos_enc_at_cross_attn_keys": not network.memory_attention.layers[0].pos_enc_at_cross_attn_keys,
    }
    if wrong := sorted(name for name, is_strange in strange.items() if is_strange):
        raise BadInputError(f"the engine cannot run this network: {wrong[0]} is set as in no published one", "network")


@dataclass(frozen=True, eq=False)
class Bank:
    """The memory of one object's prompted frames, as chains attend to it.

    :param prompted: what is remembered.
    :param place: (1, channels, h, w) position code of a memory.
    """

    network: TensorVideoPredictor
    prompted: Prompted
    place: torch.Tensor
    selections: dict[tuple[int, ...], Shared]

    def reading(
        self, time: int, forward: bool, past: Mapping[int, Remembered], limit: int, slices: Sequence[int]
    ) -> Reading:
        """What chains attend to at a time.

        :param forward: the direction of tracking.
        :param past: time → memory of frames that were tracked.
        :param limit: see :func:`pointer_limit`.
        :param slices: the slice that each chain looks at.
        """
        chains, network, times = len(slices), self.network, self.prompted.times
        sign = 1 if forward else -1
        selected = self._selected(time)
        others = {} if len(selected) == len(times) else {times[i]: i for i in range(len(times)) if i not in selected}

        def before(distance: int) -> Remembered | None:
            earlier = time - sign * distance
            if earlier in past:
                return past[earlier]
            return self._prompt(others[earlier]) if earlier in others else None

        memories, codes = [], []
        for t_pos in range(1, network.num_maskmem):
            if (found := before(network.num_maskmem - t_pos)) is not None:
                memories.append(found.of(chains).memory)
                codes.append(network.maskmem_tpos_enc[network.num_maskmem - t_pos - 1].flatten())
        distances = [(time - times[index]) * sign for index in selected]
        pasts = [place for place, distance in enumerate(distances) if distance >= 0 or not self._only_past]
        given = self.prompted.pointers[[selected[place] for place in pasts]]
        distances = [distances[place] if self._signed else abs(distances[place]) for place in pasts]
        tracked = []
        for distance in range(1, limit):
            if (found := before(distance)) is not None:
                tracked.append(found.of(chains).pointers)
                distances.append(distance)
        pointers = torch.cat([given.expand(chains, -1, -1), *(one[:, None] for one in tracked)], dim=1)
        memory, keys = self._own(memories, codes, chains)
        tokens, token_keys = self._tokens(pointers, distances, limit)
        return Reading(slices, self._shared(selected), memory, keys, tokens, token_keys)

    @property
    def _only_past(self) -> bool:
        return bool(self.network.only_obj_ptrs_in_the_past_for_eval)

    @property
    def _signed(self) -> bool:
        return bool(self.network.use_signed_tpos_enc_to_obj_ptrs)

    def _selected(self, time: int) -> tuple[int, ...]:
        frames = {when: index for index, when in enumerate(self.prompted.times)}
        most = self.network.max_cond_frames_in_attn
        if most == -1 or len(frames) <= most:
            return tuple(frames.values())
        from sam2.modeling.sam2_utils import select_closest_cond_frames

        chosen, _ = select_closest_cond_frames(time, frames, most)
        return tuple(sorted(chosen.values()))

    def _prompt(self, index: int) -> Remembered:
        one = slice(index, index + 1)
        return Remembered(self.prompted.memory[one], self.prompted.pointers[one])

    def _shared(self, selected: tuple[int, ...]) -> Shared:
        if selected not in self.selections:
            if len(selected) < len(self.prompted.times):
                self.selections.clear()  # A limit makes the selection wander; the last one is enough.
            memory = self.prompted.memory[list(selected)].flatten(2).transpose(1, 2).float()
            code = self.network.maskmem_tpos_enc[self.network.num_maskmem - 1].flatten()
            self.selections[selected] = Shared(memory, memory + self._place() + code)
        return self.selections[selected]

    def _own(
        self, memories: list[torch.Tensor], codes: list[torch.Tensor], chains: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not memories:
            _, tokens, channels = self._place().shape
            nothing = self.place.new_zeros((chains, 0, tokens, channels), dtype=torch.float32)
            return nothing, nothing
        memory = torch.stack(memories, dim=1).flatten(3).transpose(2, 3).float()
        return memory, memory + self._place() + torch.stack(codes)[:, None]

    def _tokens(self, pointers: torch.Tensor, distances: list[int], limit: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pointers (chains, n, hidden) cut into tokens as wide as a memory, without and with their codes of time."""
        from sam2.modeling.sam2_utils import get_1d_sine_pe

        network, channels = self.network, self.network.mem_dim
        pieces = network.hidden_dim // channels
        tokens = pointers.unflatten(2, (pieces, channels)).flatten(1, 2)
        if not network.add_tpos_enc_to_obj_ptrs or not distances:
            return tokens, tokens
        width = network.hidden_dim if network.proj_tpos_enc_in_obj_ptrs else channels
        when = torch.tensor(distances, device=tokens.device) / (limit - 1)
        code = network.obj_ptr_tpos_proj(get_1d_sine_pe(when, dim=width))
        return tokens, tokens + code.repeat_interleave(pieces, dim=0)

    def _place(self) -> torch.Tensor:
        """(1, tokens, channels)."""
        return self.place.flatten(2).transpose(1, 2)
