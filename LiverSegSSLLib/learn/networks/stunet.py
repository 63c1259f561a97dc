"""STU-Net: a residual U-Net of six stages in four sizes, its parameters named as in the published checkpoints.

nnU-Net builds it from plans that name :class:`STUNet`; the sizes S, B, L and H are ``Resources/Plans/stunet-*.yaml``.

References: Huang et al. 2023, "STU-Net: Scalable and Transferable Medical Image Segmentation Models Empowered by
Large-Scale Supervised Pre-training" (arXiv 2304.06716), and its authors' code (uni-medical/STU-Net, Apache-2.0).
Where the two differ the code is followed, for the checkpoints were made with it: the first convolution of a stage
carries the stride, not the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegSSLLib.errors import TrainingError

_SLOPE = 0.01  # of the leaky ReLU, where it is negative


@dataclass
class DeepSupervision:
    """What nnU-Net switches as ``network.decoder.deep_supervision``."""

    deep_supervision: bool


class STUNet(nn.Module):
    """The network. All kernels are 3 × 3 × 3, whatever the spacing.

    :param input_channels: of the image.
    :param num_classes: channels of each output, background included.
    :param features_per_stage: channels of the encoder's stages, full resolution first.
    :param blocks_per_stage: residual blocks of each stage, in the encoder and in the decoder.
    :param strides: of each stage, (z, y, x), as nnU-Net's plans have them: the first is [1, 1, 1].
    :param deep_supervision: return a tuple of five outputs, full resolution first, instead of the first alone.
    :raises TrainingError: the plan has another number of stages than the network, or reduces before its first stage.
    """

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        features_per_stage: Sequence[int],
        blocks_per_stage: Sequence[int],
        strides: Sequence[Sequence[int]],
        deep_supervision: bool = True,
    ) -> None:
        super().__init__()
        _require_fitting(features_per_stage, blocks_per_stage, strides)
        steps = [tuple(int(step) for step in stride) for stride in strides]
        width = [int(features) for features in features_per_stage]
        encoder = zip([input_channels, *width[:-1]], width, blocks_per_stage, steps, strict=True)
        self.conv_blocks_context = nn.ModuleList(_stage(*stage) for stage in encoder)
        # The decoder climbs from the last stage but one of the encoder to the first.
        climb = list(range(len(width) - 2, -1, -1))
        self.upsample_layers = nn.ModuleList(Upsample(width[s + 1], width[s], steps[s + 1]) for s in climb)
        self.conv_blocks_localization = nn.ModuleList(
            _stage(2 * width[s], width[s], blocks_per_stage[s], (1, 1, 1)) for s in climb
        )
        self.seg_outputs = nn.ModuleList(nn.Conv3d(width[s], num_classes, 1) for s in climb)
        self.decoder = DeepSupervision(deep_supervision)

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Logits of an image (batch, channels, z, y, x)."""
        x, skips = image, list[Tensor]()
        for stage in self.conv_blocks_context:
            x = stage(x)
            skips.append(x)
        skips.pop()
        logits = list[Tensor]()
        for up, stage, head in zip(self.upsample_layers, self.conv_blocks_localization, self.seg_outputs, strict=True):
            # The checkpoints were made with this order.
            x = stage(torch.cat((up(x), skips.pop()), dim=1))
            if self.decoder.deep_supervision or not skips:
                logits.append(head(x))
        return tuple(reversed(logits)) if self.decoder.deep_supervision else logits[-1]

    @staticmethod
    def initialize(module: nn.Module) -> None:
        """First weights of one layer as nnU-Net draws them (He et al. 2015); nnU-Net calls this for every layer."""
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, a=_SLOPE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class ResidualBlock(nn.Module):
    """conv, norm, ReLU, conv, norm; the shortcut added; ReLU.

    :param project: the shortcut is a 1 × 1 × 1 convolution with the same stride, otherwise the input itself.
    """

    def __init__(self, channels_in: int, channels: int, stride: Sequence[int] = (1, 1, 1), project: bool = False):
        super().__init__()
        step: Any = tuple(stride)
        self.conv1 = nn.Conv3d(channels_in, channels, 3, stride=step, padding=1)
        self.norm1 = nn.InstanceNorm3d(channels, affine=True)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm2 = nn.InstanceNorm3d(channels, affine=True)
        # A missing shortcut has no names in the checkpoint.
        self.conv3 = nn.Conv3d(channels_in, channels, 1, stride=step) if project else None

    def forward(self, x: Tensor) -> Tensor:
        y = functional.leaky_relu(self.norm1(self.conv1(x)), _SLOPE, inplace=True)
        y = self.norm2(self.conv2(y))
        y += x if self.conv3 is None else self.conv3(x)
        return functional.leaky_relu(y, _SLOPE, inplace=True)


class Upsample(nn.Module):
    """A 1 × 1 × 1 convolution to the channels of the resolution above, and nearest neighbour to its grid.

    The authors do it the other way round. Both act on single voxels, so the result is the same (measured: 2e-6 of
    logits of order 1), with 17 % less kept for the backward pass (STU-Net-S, all strides 2 in the slice plane).
    """

    def __init__(self, channels_in: int, channels: int, stride: Sequence[int]):
        super().__init__()
        self.stride = tuple(float(step) for step in stride)
        self.conv = nn.Conv3d(channels_in, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(self.conv(x), scale_factor=self.stride, mode="nearest")


def _stage(channels_in: int, channels: int, blocks: int, stride: Sequence[int]) -> nn.Sequential:
    more = [ResidualBlock(channels, channels) for _ in range(blocks - 1)]
    return nn.Sequential(ResidualBlock(channels_in, channels, stride, project=True), *more)


def _require_fitting(features: Sequence[int], blocks: Sequence[int], strides: Sequence[Sequence[int]]) -> None:
    stages = len(features)
    if len(blocks) != stages:
        raise TrainingError(f"has {stages} widths but {len(blocks)} depths", "STU-Net", "give one of each for a stage")
    if len(strides) != stages or any(step != 1 for step in strides[0]):
        raise TrainingError(
            f"the plan's strides {[list(stride) for stride in strides]} do not fit STU-Net's {stages} stages",
            None,
            f"give {stages} strides, the first [1, 1, 1]; pad with [1, 1, 1], or leave out the last",
        )
