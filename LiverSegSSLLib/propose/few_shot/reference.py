"""The published procedure as it stands, through the package's own predictor: the measure of correctness.

For a case u of D slices and a labelled volume x of L slices inserted before slice k, the video is
``u_0 … u_{k-1}, x_0 … x_{L-1}, u_k … u_{D-1}``. The labelled slices that show the object are mask prompts; one state
propagates forward from the first prompt, another backward from the last. All prompts lie inside the inserted block, so
that every slice of the case is reached from exactly one side: before k backward, from k on forward (METHODS 7.1, after
SSL-MedSAM2, Medical Image Computing and Computer-Assisted Intervention 2025 workshops). Every insertion runs the whole
video through the image encoder again; :mod:`.engine` gives the same without that.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch

from LiverSegSSLLib.propose.few_shot.prompts import Masks, prompts_of_objects


class VideoPredictor(Protocol):
    """The part of the package's predictor that the procedure uses, with videos as tensors."""

    image_size: int

    def init_state(self, images: torch.Tensor, height: int | None = None, width: int | None = None) -> Any: ...

    def add_new_mask(self, inference_state: Any, frame_idx: int, obj_id: int, mask: torch.Tensor) -> Any: ...

    def propagate_in_video(
        self, inference_state: Any, start_frame_idx: int | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[int, Any, torch.Tensor]]: ...


def propagate_reference(
    network: VideoPredictor,
    case: torch.Tensor,
    support: torch.Tensor,
    masks: Masks,
    places: Sequence[int],
    *,
    height: int | None = None,
    width: int | None = None,
    empty: bool = False,
) -> torch.Tensor:
    """Logits of every slice of a case for every insertion of one labelled volume.

    :param case: float (D, 3, S, S), the slices as the network expects them; S is its image size.
    :param support: float (L, 3, S, S).
    :param masks: slice of the support → mask of its objects.
    :param places: insertion places, each 0 … D.
    :param height: rows of the result; ``None``: S / 4, the network's own.
    :param width: columns, likewise.
    :param empty: also prompt with empty masks.
    :returns: float32 (insertions, D, objects, height, width), in the order of ``places``.
    :raises LabelError: an object is labelled on no slice.
    """
    prompts = prompts_of_objects(masks, network.image_size, empty=empty)
    first = min(min(chosen) for chosen in prompts)
    last = max(max(chosen) for chosen in prompts)
    results = []
    for place in places:
        video = torch.cat([case[:place], support, case[place:]])
        shifted = [{place + index: mask for index, mask in chosen.items()} for chosen in prompts]
        found: dict[int, torch.Tensor] = {}
        for start, reverse in ((place + first, False), (place + last, True)):
            for frame, logits in _one_direction(network, video, shifted, start, reverse, (height, width)):
                if frame < place or frame >= place + len(support):
                    found[frame if frame < place else frame - len(support)] = logits
        results.append(torch.stack([found[index] for index in range(len(case))]))
    return torch.stack(results)


def track_reference(network: VideoPredictor, case: torch.Tensor, masks: Masks, *, empty: bool = True) -> torch.Tensor:
    """Logits of every slice of a case from masks on some of its own: float32 (D, objects, S / 4, S / 4).

    Slices reached from both sides get the mean of both logits, as in the published code.
    """
    prompts = prompts_of_objects(masks, network.image_size, empty=empty)
    first = min(min(chosen) for chosen in prompts)
    last = max(max(chosen) for chosen in prompts)
    found: dict[int, list[torch.Tensor]] = {index: [] for index in range(len(case))}
    for start, reverse in ((first, False), (last, True)):
        for frame, logits in _one_direction(network, case, prompts, start, reverse, (None, None)):
            found[frame].append(logits)
    return torch.stack([torch.stack(found[index]).mean(0) for index in range(len(case))])


def mean_probability(logits: torch.Tensor) -> torch.Tensor:
    """The mean over the first axis (insertions × supports) of the sigmoid, as published."""
    return torch.sigmoid(logits.float()).mean(0)


def _one_direction(
    network: VideoPredictor,
    video: torch.Tensor,
    prompts: Sequence[Mapping[int, torch.Tensor]],
    start: int,
    reverse: bool,
    size: tuple[int | None, int | None],
) -> list[tuple[int, torch.Tensor]]:
    """Frame and logits (objects, height, width) of every frame that a pass reaches, in a state of its own."""
    state = network.init_state(video, *size)
    for number, chosen in enumerate(prompts):
        for frame, mask in chosen.items():
            network.add_new_mask(state, frame, number, mask)
    # The package draws a progress bar on the error stream for every pass.
    with contextlib.redirect_stderr(io.StringIO()):
        passes = network.propagate_in_video(state, start, reverse=reverse)
        return [(frame, logits[:, 0].float().cpu()) for frame, _, logits in passes]
