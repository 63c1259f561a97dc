"""Deformable registration: an affine map between the bodies, then a displacement field (see ``convex``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from LiverSegSSLLib.align.bodies import Body, align_bodies, prepare_body
from LiverSegSSLLib.align.convex import convex_displacement, mean_square, refine_displacement
from LiverSegSSLLib.align.fields import (
    displacement_transform,
    index_grid,
    index_matrix,
    lps_matrix,
    pooled,
    sample,
    torch_threads,
)
from LiverSegSSLLib.align.linear import linear_transform, matrix_of
from LiverSegSSLLib.align.mind import mind_ssc
from LiverSegSSLLib.align.register import Metric, Registration, Start, failed
from LiverSegSSLLib.align.sobel import TOP, sobel_space
from LiverSegSSLLib.volume import Volume

if TYPE_CHECKING:
    import SimpleITK as sitk
    import torch

CONVEX_POOLING = 4
"""Voxels of the working grid between two control points of the convex stage (12 mm at 3 mm)."""

CONVEX_REACH = 4
"""Largest displacement of the convex stage in control points: 48 mm."""

ADAM_POOLING = 2
"""Voxels of the working grid between two control points of the second stage."""

STIFFNESS = 1.25
"""Weight of smoothness in the second stage; ConvexAdam's default."""

ITERATIONS = 40
"""Of the second stage; ConvexAdam's 80 gave the same masks on real MRI in 1.5 times the time."""


def register_deformable(
    fixed: Volume,
    moving: Volume,
    metric: Metric,
    *,
    init: sitk.Transform | Start,
    spacing_mm: float,
    threads: int,
) -> Registration:
    """See :func:`LiverSegSSLLib.align.register.register`, which checks the images and catches torch's errors."""
    with torch_threads(threads):
        bodies = [prepare_body(volume, spacing_mm) for volume in (fixed, moving)]
        if bodies[0] is None or bodies[1] is None:
            return failed(f"there is no body in the {'moving' if bodies[0] else 'fixed'} image", "deformable", metric)
        return register_bodies(bodies[0], bodies[1], metric, init)


def register_bodies(
    fixed: Body, moving: Body, metric: Metric = "mind", init: sitk.Transform | Start = "body"
) -> Registration:
    """Deformable registration of two prepared images.

    The transform maps LPS points of the fixed image to the moving one: the displacement, then the linear map. The
    similarity is minus the mean square of the features' difference. Every step is free of chance, and of sums whose
    order could depend on the number of threads.
    """
    return register_in_stages(fixed, moving, metric, init)[-1]


def register_in_stages(
    fixed: Body, moving: Body, metric: Metric = "mind", init: sitk.Transform | Start = "body"
) -> list[Registration]:
    """As :func:`register_bodies`, and the convex stage's own result before the last one.

    The two err differently: the convex stage is stiff and looks far, the last one is supple and looks near. Masks
    carried by both vote better than either (see ``docs/proposals.md``). One entry only when it failed.
    """
    if metric == "mattes":
        return [failed("mutual information has no value at a voxel; use mind or sobel", "deformable", metric)]
    if init == "body":
        matrix, _ = align_bodies(fixed, moving)
        if matrix is None:
            return [failed("the two bodies could not be laid over each other", "deformable", metric)]
    else:
        if not isinstance(init, str) and not init.IsLinear():
            return [failed("a deformable registration begins from a linear transform", "deformable", metric)]
        matrix = index_matrix(fixed.grid, moving.grid, np.eye(4) if isinstance(init, str) else matrix_of(init))

    carried = _carried(moving, matrix, fixed.image.shape)
    ours, theirs = _features(fixed.image, metric), _features(carried, metric)
    coarse = convex_displacement(pooled(ours, CONVEX_POOLING), pooled(theirs, CONVEX_POOLING), CONVEX_REACH)
    ours, theirs = pooled(ours, ADAM_POOLING), pooled(theirs, ADAM_POOLING)
    start = _spread(coarse * (CONVEX_POOLING / ADAM_POOLING), ours.shape[1:])
    before = mean_square(ours, theirs, 0 * start)
    stages = [(start, mean_square(ours, theirs, start))]
    stages.append(refine_displacement(ours, theirs, start, STIFFNESS, ITERATIONS))
    if not np.isfinite(stages[-1][1]):
        return [failed("the deformation diverged", "deformable", metric)]
    linear = linear_transform(lps_matrix(fixed.grid, moving.grid, matrix))
    result = []
    for displacement, difference in stages:
        whole = _spread(displacement * ADAM_POOLING, fixed.image.shape)
        transform = _chained(linear, displacement_transform(whole, fixed.grid))
        result.append(Registration(transform, -difference, True, "", "deformable", metric, -before))
    return result


def _chained(linear: sitk.Transform, displacement: sitk.Transform) -> sitk.CompositeTransform:
    """The displacement, then the linear map."""
    import SimpleITK as sitk

    transform = sitk.CompositeTransform(3)
    transform.AddTransform(linear)
    transform.AddTransform(displacement)  # the last one added acts first
    return transform


def _carried(moving: Body, matrix: np.ndarray, shape: torch.Size) -> torch.Tensor:
    """The moving image on the fixed grid by the linear map; beyond its field of view the nearest voxel."""
    import torch

    linear = torch.from_numpy(matrix).float()
    index = index_grid(shape) @ linear[:3, :3].T + linear[:3, 3]
    return sample(moving.image[None], index, "border")[0]


def _features(image: torch.Tensor, metric: Metric) -> torch.Tensor:
    """What is compared, (channels, z, y, x), about 0 … 1."""
    import torch

    if metric == "mind":
        return mind_ssc(image)
    from LiverSegSSLLib.volume import Geometry

    depth, height, width = image.shape
    edges = sobel_space(Volume(image.numpy(), Geometry((width, height, depth), (1.0, 1.0, 1.0)))).array
    return torch.from_numpy(edges / np.float32(TOP))[None]


def _spread(displacement: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """A displacement on a finer grid (values as they are)."""
    import torch.nn.functional as functional

    return functional.interpolate(displacement[None], size=tuple(shape), mode="trilinear")[0]
