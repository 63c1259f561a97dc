"""nnU-Net's plans as data: from a preset, or from nnU-Net's own planner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from LiverSegSSLLib.learn.dataset import READER
from LiverSegSSLLib.learn.methods import SECOND_NETWORK
from LiverSegSSLLib.learn.options import OPTIONS_KEY, Preset

CONFIGURATION = "3d_fullres"
"""The nnU-Net configuration that is trained and used."""

PLANS = "LiverSegPlans"
"""The name of the plans file."""


def plans_from_preset(preset: Preset, dataset: str, fingerprint: dict[str, Any], cases: int) -> dict[str, Any]:
    """Plans of a preset that brings its own geometry and network.

    :param fingerprint: ``spacings`` and ``shapes_after_crop`` of the cases, (z, y, x), in the common orientation.
    :param cases: number of training cases.
    """
    given = preset.configuration
    spacing = [float(value) for value in given["spacing"]]
    shapes = [
        np.asarray(shape) * np.asarray(own) / spacing
        for shape, own in zip(fingerprint["shapes_after_crop"], fingerprint["spacings"], strict=True)
    ]
    median_shape = [float(value) for value in np.median(shapes, axis=0)]
    patch = [int(value) for value in given["patch_size"]]
    if given.get("fit_patch"):
        patch = fitted_patch(patch, np.max(shapes, axis=0), given["strides"])
    resample = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": f"{PLANS}_{CONFIGURATION}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": int(given["batch_size"]),
        "patch_size": patch,
        "median_image_size_in_voxels": median_shape,
        "spacing": spacing,
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": resample,
        "resampling_fn_seg_kwargs": {**resample, "is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**resample, "order": 1},
        "architecture": plain_unet(given),
        "batch_dice": bool(given.get("batch_dice", True)),
    }
    return {
        "dataset_name": dataset,
        "plans_name": PLANS,
        "original_median_spacing_after_transp": [float(v) for v in np.median(fingerprint["spacings"], axis=0)],
        "original_median_shape_after_transp": [int(v) for v in np.median(fingerprint["shapes_after_crop"], axis=0)],
        "image_reader_writer": READER,
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {CONFIGURATION: configuration},
        "experiment_planner_used": f"LiverSegSSL {preset.name}",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": fingerprint["foreground_intensity_properties_per_channel"],
    }


def with_options(plans: dict[str, Any], preset: Preset) -> dict[str, Any]:
    """The plans with the training options and the inference defaults under their own key."""
    options = preset.training.model_dump(mode="json")
    inference = dict(preset.inference)
    if preset.training.cps.predict_with == "both":
        inference["networks"] = [SECOND_NETWORK]
    return {**plans, OPTIONS_KEY: {"preset": preset.name, "training": options, "inference": inference}}


def plain_unet(given: dict[str, Any]) -> dict[str, Any]:
    """nnU-Net's ``architecture`` entry of a PlainConvUNet."""
    features = [int(value) for value in given["features_per_stage"]]
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": len(features),
            "features_per_stage": features,
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": given["kernel_sizes"],
            "strides": given["strides"],
            "n_conv_per_stage": given["n_conv_per_stage"],
            "n_conv_per_stage_decoder": given["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def fitted_patch(patch: Sequence[int], largest: Sequence[float], strides: Sequence[Sequence[int]]) -> list[int]:
    """The patch, cut where every image is smaller; each side stays divisible by the product of its strides.

    :param largest: largest image side, in voxels of the network's grid.
    """
    fitted = []
    for axis, side in enumerate(patch):
        step = math.prod(int(stride[axis]) for stride in strides)
        # Instance norm needs more than one voxel at the bottom.
        need = max(2, math.ceil(float(largest[axis]) / step - 1e-6)) * step
        fitted.append(min(int(side), need))
    return fitted
