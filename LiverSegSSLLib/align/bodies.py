"""Laying one patient over another: body outlines first, then an affine map by MIND, from several starts along the axis.

Fields of view begin anywhere and patients differ in size, so that the overlap of the images says little. What helps:
the outlines of both bodies give scale and place within the slices; along the body every shift is tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.align.body_mask import body_array
from LiverSegSSLLib.align.fields import index_grid, pooled, sample
from LiverSegSSLLib.align.linear import crop
from LiverSegSSLLib.align.mind import CHANNELS, mind_ssc
from LiverSegSSLLib.align.working import isotropic
from LiverSegSSLLib.volume import Geometry, Volume

if TYPE_CHECKING:
    import torch

COARSE = 4
"""Voxels of the working grid that become one where whole bodies are compared (12 mm at 3 mm)."""

MARGIN_MM = 12.0
"""Air that is kept around the body."""

REACH_MM = 168.0
"""How far apart along the body the fields of view may begin."""

STEP_MM = 6.0
"""Between two shifts that are tried."""

STARTS = 3
"""So many of the best shifts are refined; the best end wins."""

LEAST_COVER = 0.35
"""Part of the fixed body that the moving one must cover, or there is nothing to judge."""

ITERATIONS = 60
"""Of Adam; the coarse problem has 12 unknowns."""

RATE = 0.02
"""Adam's step: 2 % of scale, or of the body's size, an iteration."""

COVER_WEIGHT = 0.02
"""What a fully uncovered body costs, in mean squares of MIND; keeps the search from shrinking its overlap."""

CHANGE_WEIGHT = 0.02
"""What a change of the linear part costs."""


@dataclass(frozen=True, eq=False)
class Body:
    """One image made ready for comparison: on an upright isotropic grid, with descriptors of what is where.

    ``image`` (z, y, x) is scaled to 0 … 1; ``coarse`` (12, z, y, x) and ``coarse_body`` (1, z, y, x) are pooled by
    :data:`COARSE`; ``box_zyx`` is the body's typical extent in the slices, ((y0, y1), (x0, x1)) in voxels.
    """

    grid: Geometry
    image: torch.Tensor
    body: NDArray[np.bool_]
    coarse: torch.Tensor
    coarse_body: torch.Tensor
    box: NDArray[np.float64]


def prepare_body(volume: Volume, spacing_mm: float) -> Body | None:
    """Make an image ready; ``None`` when there is no body in it."""
    import torch

    working = isotropic(volume, spacing_mm)
    body = body_array(working.array)
    if _typical_box(body) is None:
        return None
    inside = working.with_array(body.astype(np.uint8))
    working, body = crop(working, inside, MARGIN_MM), crop(inside, inside, MARGIN_MM).array > 0
    box = _typical_box(body)
    if box is None:
        return None
    top = max(float(np.percentile(working.array[body], 98)), 1e-6)
    # The root lifts dark tissue: in fat-suppressed T2, fluid is ten times brighter than liver.
    image = torch.from_numpy(np.sqrt(np.clip(working.array / top, 0, 1)).astype(np.float32))
    features = pooled(mind_ssc(image), COARSE)
    covered = pooled(torch.from_numpy(body.astype(np.float32))[None], COARSE)
    return Body(working.geometry, image, body, features, covered, box)


def align_bodies(fixed: Body, moving: Body) -> tuple[NDArray[np.float64] | None, float]:
    """The affine map from fixed to moving voxel indices (4 × 4, order z, y, x) and its loss (lower is better).

    ``None`` when no shift lays enough of the bodies over each other.
    """
    import torch

    target = torch.cat([moving.coarse * moving.coarse_body, moving.coarse_body])
    index = index_grid(fixed.coarse.shape[1:])
    centre = torch.tensor(fixed.coarse.shape[1:], dtype=torch.float32) / 2
    size = float(centre.mean())
    best: tuple[float, torch.Tensor] | None = None
    for start in _starts(fixed, moving, target, index):
        linear, place = start[:3, :3], start[:3, :3] @ centre + start[:3, 3]
        change = torch.zeros(3, 4, requires_grad=True)
        optimiser = torch.optim.Adam([change], lr=RATE)
        for _ in range(ITERATIONS):
            matrix = torch.eye(4)
            matrix[:3, :3] = linear + change[:, :3]
            matrix[:3, 3] = place + change[:, 3] * size - matrix[:3, :3] @ centre
            difference, cover = _compare(fixed, target, matrix, index)
            penalty = COVER_WEIGHT * (1 - cover) + CHANGE_WEIGHT * (change[:, :3] ** 2).sum()
            loss = difference + penalty
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if best is None or float(loss.detach()) < best[0]:
            best = float(loss.detach()), matrix.detach()
    if best is None or not np.isfinite(best[0]):
        return None, float("inf")
    return _on_fine_grid(best[1].double().numpy()), best[0]


def _typical_box(body: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Median over slices of the body's extent, [[y0, y1], [x0, x1]] in voxels; ``None`` without a body."""
    boxes = []
    least = 0.02 * body.shape[1] * body.shape[2]
    for plane in body:
        if plane.sum() > least:
            y, x = np.nonzero(plane)
            boxes.append([np.percentile(y, (1, 99)), np.percentile(x, (1, 99))])
    return np.median(np.array(boxes), axis=0) if boxes else None


def _starts(fixed: Body, moving: Body, target: torch.Tensor, index: torch.Tensor) -> list[torch.Tensor]:
    """The best shifts along the body (local minima of the difference), as coarse index maps, best first."""
    import torch

    scale = (moving.box[:, 1] - moving.box[:, 0]) / (fixed.box[:, 1] - fixed.box[:, 0])
    offset = moving.box.mean(axis=1) - scale * fixed.box.mean(axis=1)
    step = STEP_MM / (fixed.grid.spacing[2] * COARSE)
    reach = int(REACH_MM / STEP_MM)
    tried: list[tuple[float, torch.Tensor]] = []
    for number in range(-reach, reach + 1):
        matrix = torch.eye(4)
        matrix[0, 3] = number * step
        for axis in (0, 1):
            matrix[axis + 1, axis + 1] = float(scale[axis])
            matrix[axis + 1, 3] = float(offset[axis]) / COARSE
        difference, cover = _compare(fixed, target, matrix, index)
        tried.append((float(difference) if cover > LEAST_COVER else np.inf, matrix))
    values = [value for value, _ in tried]
    lowest = [
        number
        for number, value in enumerate(values)
        if np.isfinite(value) and value == min(values[max(number - 1, 0) : number + 2])
    ]
    return [tried[number][1] for number in sorted(lowest, key=lambda number: values[number])[:STARTS]]


def _compare(
    fixed: Body, target: torch.Tensor, matrix: torch.Tensor, index: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean square of MIND's difference where both bodies are, and the part of the fixed body that is covered."""
    carried = sample(target, index @ matrix[:3, :3].T + matrix[:3, 3])
    weight = carried[CHANNELS]
    difference = ((carried[:CHANNELS] / weight.clamp(min=1e-3) - fixed.coarse) ** 2).mean(0)
    both = weight * fixed.coarse_body[0]
    return (difference * both).sum() / both.sum().clamp(min=1.0), both.sum() / fixed.coarse_body.sum()


def _on_fine_grid(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map of pooled indices as one of the indices that were pooled: coarse = (fine + ½) / COARSE − ½."""
    to_coarse = np.diag([1 / COARSE] * 3 + [1.0])
    to_coarse[:3, 3] = 0.5 / COARSE - 0.5
    return np.linalg.inv(to_coarse) @ matrix @ to_coarse
