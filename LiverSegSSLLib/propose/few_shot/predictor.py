"""The package's video predictor, taking slices from memory instead of a folder of JPEG files."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch

from LiverSegSSLLib.propose.few_shot.hydra_state import hydra_untouched
from LiverSegSSLLib.propose.few_shot.network import NetworkSpec

with hydra_untouched():
    from sam2.sam2_video_predictor import SAM2VideoPredictor


class TensorVideoPredictor(SAM2VideoPredictor):
    """``SAM2VideoPredictor`` whose videos are tensors, and which also tracks in float32 an object without a past."""

    spec: NetworkSpec

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.memory_attention.register_forward_pre_hook(_memory_in_float, with_kwargs=True)

    @torch.inference_mode()
    def init_state(self, images: torch.Tensor, height: int | None = None, width: int | None = None) -> dict[str, Any]:
        """A state of the package for a video in memory.

        :param images: float (frames, 3, S, S), scaled and normalised as the network expects; S is its image size.
        :param height: rows of the masks that come back; ``None``: S / 4, the network's own logits, not resized.
        :param width: columns, likewise.
        """
        size = self.image_size
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size):
            raise ValueError(f"the video must have the shape (frames, 3, {size}, {size}), not {tuple(images.shape)}")
        device = self.device
        return {
            "images": images,
            "num_frames": len(images),
            "offload_video_to_cpu": True,
            "offload_state_to_cpu": False,
            "video_height": size // 4 if height is None else height,
            "video_width": size // 4 if width is None else width,
            "device": device,
            "storage_device": device,
            "point_inputs_per_obj": {},
            "mask_inputs_per_obj": {},
            "cached_features": {},
            "constants": {},
            "obj_id_to_idx": OrderedDict(),
            "obj_idx_to_id": OrderedDict(),
            "obj_ids": [],
            "output_dict_per_obj": {},
            "temp_output_dict_per_obj": {},
            "frames_tracked_per_obj": {},
        }


def _memory_in_float(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Memories are kept in bfloat16 and become float32 when they are joined with object pointers. An object that is
    prompted only later has no pointers yet, and the package then fails on bfloat16 unless autocast is on."""
    return args, {**kwargs, "memory": kwargs["memory"].float()}
