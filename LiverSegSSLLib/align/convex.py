"""Large deformations without a good start: coupled convex optimisation, then Adam (ConvexAdam).

H. Siebert, C. Großbröhmer, L. Hansen, M. P. Heinrich, "ConvexAdam: self-configuring dual-optimisation-based 3D
multitask medical image registration", IEEE TMI 2024; after M. P. Heinrich et al., IPMI 2014. Every displacement of a
lattice is judged everywhere at once, so that the search cannot stop at the nearest edge; smoothness and likeness are
then agreed upon in turns. Tensors are (channels, z, y, x), displacements (3, z, y, x) in voxels, order (z, y, x).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from LiverSegSSLLib.align.fields import index_grid, sample

if TYPE_CHECKING:
    import torch

COUPLINGS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""How firmly each turn ties the displacement to its smooth neighbourhood; the published values."""

CONSISTENCY_TURNS = 15
"""Fixed-point turns that make forward and backward displacement each other's inverse."""


def convex_displacement(fixed: torch.Tensor, moving: torch.Tensor, reach: int) -> torch.Tensor:
    """Displacement of up to ``reach`` voxels an axis that carries ``moving`` features onto ``fixed`` ones.

    Found in both directions and made inverse consistent.
    """
    there = _agree(_costs(fixed, moving, reach), reach)
    back = _agree(_costs(moving, fixed, reach), reach)
    return _consistent(there, back)


def refine_displacement(
    fixed: torch.Tensor, moving: torch.Tensor, start: torch.Tensor, stiffness: float, iterations: int
) -> tuple[torch.Tensor, float]:
    """Improve a displacement by gradient descent; returns it and the mean square of the features' difference.

    :param stiffness: weight of the squared differences between neighbouring displacements.
    """
    import torch

    index = index_grid(fixed.shape[1:])
    free = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([free], lr=1.0)
    likeness = torch.zeros(())
    for _ in range(iterations):
        displacement = _smooth3(free)
        bending = sum((displacement.diff(dim=axis) ** 2).mean() for axis in (1, 2, 3))
        carried = sample(moving, index + displacement.permute(1, 2, 3, 0), "border")
        likeness = ((carried - fixed) ** 2).mean()
        optimiser.zero_grad()
        (likeness * fixed.shape[0] + stiffness * bending).backward()
        optimiser.step()
    return _smooth3(free).detach(), float(likeness.detach())


def mean_square(fixed: torch.Tensor, moving: torch.Tensor, displacement: torch.Tensor) -> float:
    """Mean square of the features' difference under a displacement."""
    carried = sample(moving, index_grid(fixed.shape[1:]) + displacement.permute(1, 2, 3, 0), "border")
    return float(((carried - fixed) ** 2).mean())


def _costs(fixed: torch.Tensor, moving: torch.Tensor, reach: int) -> torch.Tensor:
    """Squared difference of the features for every displacement, smoothed: ((2 reach + 1)³, z, y, x)."""
    import torch
    import torch.nn.functional as functional

    depth, height, width = fixed.shape[1:]
    side = 2 * reach + 1
    padded = functional.pad(moving[None], (reach,) * 6, mode="replicate")[0]
    costs = torch.empty(side**3, depth, height, width)
    number = 0
    for z in range(side):
        for y in range(side):
            for x in range(side):
                shifted = padded[:, z : z + depth, y : y + height, x : x + width]
                costs[number] = ((shifted - fixed) ** 2).sum(0)
                number += 1
    for _ in range(2):
        costs = functional.avg_pool3d(costs[None], 3, 1, 1, count_include_pad=False)[0]
    return costs


def _agree(costs: torch.Tensor, reach: int) -> torch.Tensor:
    """The smooth displacement of least cost: likeness and smoothness in turns."""
    import torch

    side = 2 * reach + 1
    lattice = index_grid((side, side, side)).reshape(-1, 3) - reach
    shape = costs.shape[1:]

    def chosen(numbers: torch.Tensor) -> torch.Tensor:
        return _smooth(lattice[numbers.reshape(-1)].T.reshape(3, *shape))

    smooth = chosen(costs.argmin(0))
    numbers = torch.empty(shape, dtype=torch.long)
    for coupling in COUPLINGS:
        for z in range(shape[0]):
            apart = ((lattice[:, :, None, None] - smooth[:, z][None]) ** 2).sum(1)
            numbers[z] = (costs[:, z] + coupling * apart).argmin(0)
        smooth = chosen(numbers)
    return smooth


def _consistent(there: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """Half of each displacement and half of the other's inverse, until they agree."""
    index = index_grid(there.shape[1:])
    for _ in range(CONSISTENCY_TURNS):
        there, back = (
            0.5 * (there - sample(back, index + there.permute(1, 2, 3, 0), "border")),
            0.5 * (back - sample(there, index + back.permute(1, 2, 3, 0), "border")),
        )
    return there


def _smooth(displacement: torch.Tensor) -> torch.Tensor:
    import torch.nn.functional as functional

    return functional.avg_pool3d(functional.pad(displacement[None], (1,) * 6, mode="replicate"), 3, 1)[0]


def _smooth3(displacement: torch.Tensor) -> torch.Tensor:
    """Three box filters: nearly a cubic B-spline. Zeros beyond the border hold the displacement's edge still."""
    import torch.nn.functional as functional

    result = displacement[None]
    for _ in range(3):
        result = functional.avg_pool3d(result, 3, 1, 1)
    return result[0]
