"""nnU-Net's plans, changed: another geometry, the geometry of another model, another network in the same geometry."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import RecipeError, TrainingError
from LiverSegSSLLib.learn.dataset import READER
from LiverSegSSLLib.learn.options import Network
from LiverSegSSLLib.learn.plans import CONFIGURATION, PLANS
from LiverSegSSLLib.plan_names import STUNET, require_known_names
from LiverSegSSLLib.spelling import advice

CHANGEABLE = ("spacing", "patch_size", "batch_size")
"""What ``configuration`` may change of a geometry that nnU-Net plans."""

_SMALLEST = 4  # voxels along an axis at the bottom of a network (nnU-Net's UNet_featuremap_min_edge_length)


def with_geometry(plans: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Planned geometry with another patch or batch; ``spacing`` has been given to the planner.

    :param given: ``patch_size`` (z, y, x, in the common orientation) and ``batch_size``, either or none.
    :raises RecipeError: another key, or sides that the network cannot halve as planned.
    """
    for key in given:
        if key not in CHANGEABLE:
            raise RecipeError(f"has no {key!r} to change: nnU-Net plans it", "configuration", advice(key, CHANGEABLE))
    planned = plans["configurations"][CONFIGURATION]
    changed = dict(planned)
    if "batch_size" in given:
        changed["batch_size"] = int(given["batch_size"])
    if "patch_size" in given:
        patch = [int(given["patch_size"][axis]) for axis in plans["transpose_forward"]]
        architecture = planned["architecture"]
        if architecture["network_class_name"] == STUNET:
            strides = fitted_strides(_halvings(planned["spacing"], patch), len(architecture["arch_kwargs"]["strides"]))
            architecture = {**architecture, "arch_kwargs": {**architecture["arch_kwargs"], "strides": strides}}
        require_divisible(patch, architecture["arch_kwargs"]["strides"])
        changed |= {"patch_size": patch, "architecture": architecture}
    return {**plans, "configurations": {**plans["configurations"], CONFIGURATION: changed}}


def with_network(plans: dict[str, Any], network: Network) -> dict[str, Any]:
    """The plans with STU-Net in place of the planned network; geometry and batch stay.

    STU-Net has as many stages as it has. A plan with more is cut: the last reductions are left out; one with fewer is
    filled with stages that do not reduce (so do the authors). The strides in the plans are those of the network, so
    nnU-Net computes the sizes of its outputs from them.

    :raises RecipeError: the network leaves a single voxel of the patch.
    """
    configuration = plans["configurations"][CONFIGURATION]
    strides = fitted_strides(configuration["architecture"]["arch_kwargs"]["strides"], len(network.features_per_stage))
    require_divisible(configuration["patch_size"], strides)
    architecture = {
        "network_class_name": STUNET,
        "arch_kwargs": {
            "features_per_stage": list(network.features_per_stage),
            "blocks_per_stage": list(network.blocks_per_stage),
            "strides": strides,
        },
        "_kw_requires_import": [],
    }
    changed = {**configuration, "architecture": architecture}
    return {**plans, "configurations": {**plans["configurations"], CONFIGURATION: changed}}


def moved_plans(place: Path, dataset: str) -> dict[str, Any]:
    """The plans of another dataset for this one (what ``nnUNetv2_move_plans_between_datasets`` does).

    :param place: a ``plans.json``, or a folder that holds one.
    :raises TrainingError: there is none, or it has no 3-D configuration.
    :raises BadInputError: they name what nnU-Net would not.
    """
    file = place / "plans.json" if place.is_dir() else place
    try:
        plans: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        configuration = plans["configurations"][CONFIGURATION]
        configuration["architecture"]["arch_kwargs"]["strides"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        remedy = f"give a model folder, or plans of nnU-Net 2.4 or later with {CONFIGURATION}"
        raise TrainingError("holds no plans that can be used", place, remedy) from None
    require_known_names(plans, file)
    moved = {**configuration, "data_identifier": f"{PLANS}_{CONFIGURATION}"}
    return {
        **plans,
        "dataset_name": dataset,
        "plans_name": PLANS,
        "image_reader_writer": READER,
        "configurations": {CONFIGURATION: moved},
    }


def fitted_strides(strides: Sequence[Sequence[int]], stages: int) -> list[list[int]]:
    """The strides of a plan cut, or filled with [1, 1, 1], to a number of stages."""
    kept = [[int(step) for step in stride] for stride in strides[:stages]]
    return kept + [[1, 1, 1] for _ in range(stages - len(kept))]


def require_divisible(patch: Sequence[int], strides: Sequence[Sequence[int]]) -> None:
    """Raise unless each side of a patch can be reduced by the strides, and more than one voxel is left.

    :raises RecipeError: it cannot.
    """
    steps = [math.prod(stride[axis] for stride in strides) for axis in range(len(patch))]
    if any(side % step for side, step in zip(patch, steps, strict=True)):
        better = [max(1, round(side / step)) * step for side, step in zip(patch, steps, strict=True)]
        what = f"the patch {list(map(int, patch))} cannot be divided by {steps}"
        raise RecipeError(what, "configuration.patch_size", f"use for example {better}")
    # Instance norm needs more than one voxel at the bottom.
    if math.prod(side // step for side, step in zip(patch, steps, strict=True)) < 2:
        what = f"the patch {list(map(int, patch))} leaves one voxel at the bottom of the network"
        raise RecipeError(what, "configuration.patch_size", "use a larger patch")


def _halvings(spacing: Sequence[float], patch: Sequence[int]) -> list[list[int]]:
    """The strides that nnU-Net would plan for a patch: axes of like spacing are halved together."""
    from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

    strides = get_pool_and_conv_props(list(map(float, spacing)), list(patch), _SMALLEST, 999999)[1]
    return [[int(step) for step in stride] for stride in strides]
