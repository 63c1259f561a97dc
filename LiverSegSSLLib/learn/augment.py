"""Augmentation for networks that must not rely on one contrast: MRI sequences order the tissues differently."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.helpers.scalar_type import sample_scalar
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform, ImageOnlyTransform
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import DownsampleSegForDSTransform
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform

from LiverSegSSLLib.learn.options import Augmentation

_KNOTS = 6
_FIELD_KNOTS = 4


class IntensityCurve(ImageOnlyTransform):
    """A random piecewise linear curve over the intensities; mean and standard deviation stay.

    A rising curve changes the contrast and keeps the order of the tissues. With probability ``p_unordered`` the
    curve may rise and fall, so that dark and bright tissues change places as they do between sequences (compare
    the non-linear transform of Zhou et al., Models Genesis, MedIA 2021).

    :param strength: share of the curve; the rest is the image as it was.
    """

    def __init__(self, p_unordered: float, strength: float = 1.0) -> None:
        super().__init__()
        self.p_unordered = p_unordered
        self.strength = strength

    def get_parameters(self, **data_dict: Any) -> dict[str, Any]:
        """Heights of the curve at equally spaced knots, in [0, 1]."""
        if np.random.uniform() < self.p_unordered:
            heights = np.random.uniform(0, 1, _KNOTS)
        else:
            steps = np.random.dirichlet(np.ones(_KNOTS - 1))
            heights = np.concatenate([[0.0], np.cumsum(steps)])
        return {"heights": torch.from_numpy(heights).float()}

    def _apply_to_image(self, img: torch.Tensor, **params: Any) -> torch.Tensor:
        heights = params["heights"]
        for channel in img:
            # The brightest and darkest voxels are vessels and noise: the knots span the bulk.
            sample = channel.flatten()[:: max(1, channel.numel() // 20_000)]
            low, high = torch.quantile(sample, torch.tensor([0.01, 0.99]))
            if high - low < 1e-6:
                continue
            position = ((channel - low) / (high - low)).clamp_(0, 1) * (len(heights) - 1)
            left = position.floor().clamp_(max=len(heights) - 2)
            index = left.long()
            curve = torch.lerp(heights[index], heights[index + 1], position - left)
            mean, deviation = channel.mean(), channel.std()
            curve = (curve - curve.mean()) / curve.std().clamp(min=1e-6) * deviation + mean
            channel.lerp_(curve, self.strength)
        return img


class Inversion(ImageOnlyTransform):
    """Bright becomes dark and dark bright, around the mean."""

    def _apply_to_image(self, img: torch.Tensor, **params: Any) -> torch.Tensor:
        mean = img.mean(dim=(1, 2, 3), keepdim=True)
        return img.mul_(-1).add_(2 * mean)


class BiasField(ImageOnlyTransform):
    """A smooth multiplicative field, as surface coils leave it: exp of an interpolated coarse random grid."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def get_parameters(self, **data_dict: Any) -> dict[str, Any]:
        """The coarse grid."""
        knots = np.random.normal(0, self.strength, (1, 1, *[_FIELD_KNOTS] * 3))
        return {"knots": torch.from_numpy(knots).float()}

    def _apply_to_image(self, img: torch.Tensor, **params: Any) -> torch.Tensor:
        field = torch.nn.functional.interpolate(
            params["knots"], size=img.shape[1:], mode="trilinear", align_corners=True
        )[0]
        # z-scored images have negative background: the field acts on the signal above it.
        floor = img.amin(dim=(1, 2, 3), keepdim=True)
        return (img - floor).mul_(field.exp_()).add_(floor)


class AdditiveNoise(ImageOnlyTransform):
    """White noise; its standard deviation is drawn from a range, in units of the image's."""

    def __init__(self, deviation: tuple[float, float]) -> None:
        super().__init__()
        self.deviation = deviation

    def _apply_to_image(self, img: torch.Tensor, **params: Any) -> torch.Tensor:
        sigma = float(sample_scalar(self.deviation)) * float(img.std())
        return img.add_(torch.randn_like(img), alpha=sigma)


class _Angle:
    """Draws an angle in radians; slices are thick, so it is smaller out of the slice plane by a factor."""

    def __init__(self, range_deg: tuple[float, float], out_of_plane: float) -> None:
        self.range_deg = range_deg
        self.out_of_plane = out_of_plane

    def __call__(self, image: Any, dim: int) -> float:
        return math.radians(np.random.uniform(*self.range_deg)) * (1.0 if dim == 0 else self.out_of_plane)


def training_transforms(
    options: Augmentation, patch_size: tuple[int, ...], scales: list[list[float]] | None
) -> BasicTransform:
    """The transforms of a training patch (z, y, x), cut to ``patch_size``.

    :param scales: of the deep supervision outputs; ``None``: one output.
    """
    flat = max(patch_size) / patch_size[0] > 3
    transforms: list[BasicTransform] = [
        SpatialTransform(
            patch_size,
            patch_center_dist_from_border=0,
            random_crop=False,
            p_elastic_deform=options.p_elastic,
            elastic_deform_scale=options.elastic_scale,
            elastic_deform_magnitude=options.elastic_voxels,
            p_synchronize_def_scale_across_axes=0.5,
            p_rotation=options.p_rotation,
            rotation=_Angle(options.rotation_deg, 0.3 if flat else 0.6),
            p_scaling=options.p_scaling,
            scaling=options.scaling,
            p_synchronize_scaling_across_axes=0.5,
            bg_style_seg_sampling=False,
            border_mode_seg="constant",
            padding_value_seg=-1,
        ),
        RandomTransform(IntensityCurve(options.p_unordered, options.remap_strength), options.p_remap),
        RandomTransform(Inversion(), options.p_invert),
        RandomTransform(GammaTransform(options.gamma, 0.3, False, 1, 1), options.p_gamma),
        RandomTransform(MultiplicativeBrightnessTransform(options.brightness, False, 1), options.p_brightness),
        RandomTransform(BiasField(options.bias_strength), options.p_bias_field),
        RandomTransform(GaussianBlurTransform(options.blur_sigma, p_per_channel=1, benchmark=False), options.p_blur),
        RandomTransform(
            SimulateLowResolutionTransform((0.5, 1), False, True, None, p_per_channel=1), options.p_low_resolution
        ),
        RandomTransform(AdditiveNoise(options.noise_sd), options.p_noise),
    ]
    if options.mirror_axes:
        transforms.append(MirrorTransform(allowed_axes=options.mirror_axes))
    transforms.append(RemoveLabelTansform(-1, 0))
    if scales is not None:
        transforms.append(DownsampleSegForDSTransform(ds_scales=scales))
    return ComposeTransforms(transforms)
