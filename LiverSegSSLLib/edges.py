"""From a probability that is right in the middle to the border that the image shows: random walks.

Networks and registrations agree about the middle of the liver and err by millimetres at its border, where the image
itself is plain to see. Voxels in doubt are decided by random walks on the image: a walker steps easily between voxels
of like intensity, and the seed that it reaches first, liver or surroundings, is likely the tissue it started in
(Grady, Random walks for image segmentation, IEEE TPAMI 2006; scikit-image's implementation). Arrays are [z, y, x].

Measured with the defaults, mean Dice before and after. CHAOS T2 (six patients, two atlases): atlas proposals 0.831,
0.845; a network's prediction 0.844, 0.852. Phantom, a network's prediction: GED4 0.957, 0.952; T1 0.950, 0.954; T2
0.902, 0.931; DWI 0.936, 0.948. The walk alone (``share`` 1) with a ``step`` of 0.35 gives the network 0.858 on CHAOS
and 0.937 on the phantom's GED4; with 1.4 it is 0.846 and 0.966; and it takes the atlas's lowest case on CHAOS from
0.757 to 0.738, where half a walk leaves it at 0.756.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.components import bounding_box, largest_component
from LiverSegSSLLib.overlap import dice
from LiverSegSSLLib.volume import Volume, resample, with_spacing

FLAT_WEIGHT = 0.06
"""Of total variation denoising, slice by slice: noise and small vessels fade, organ borders stay."""

FEWEST_SEEDS = 0.5
"""Share of the rough mask that is at least taken for certain: a probability need not be sure of itself."""


@dataclass(frozen=True)
class EdgeWalk:
    """How the border is sought.

    :param step: difference between neighbours that a walker finds hard to cross (weight 1/e); 1 is the difference
        that one in ten pairs of neighbours within the liver exceeds.
    :param share: of the walk in the result, in 0 … 1; the rest is the rough probability. A rough border that is right
        against the image (a tip of the liver beside bowel of like intensity) has its say too.
    :param liver: voxels at least this probable are liver for certain.
    :param background: voxels at most this probable are not liver for certain.
    :param spacing_mm: voxels are not smaller than this while walking.
    :param least_dice: when the border found agrees less than this with the rough one, the image has no border to
        follow and the rough one stays.
    """

    step: float = 0.6
    share: float = 0.5
    liver: float = 0.97
    background: float = 0.01
    spacing_mm: float = 2.5
    least_dice: float = 0.8


DEFAULT = EdgeWalk()


def follow_edges(image: Volume, probability: Volume, how: EdgeWalk = DEFAULT) -> Volume:
    """The probability with the voxels in doubt decided by the image; float32, on the image's own grid.

    Seeds keep their probability. Without liver seeds, or where the border found is far from the rough one, the
    probability comes back as it was.

    :param probability: of liver, in [0, 1], on the grid of ``image``.
    """
    geometry = image.geometry
    spacing = tuple(max(side, how.spacing_mm) for side in geometry.spacing)
    grid = with_spacing(geometry, (spacing[0], spacing[1], spacing[2]))
    rough = resample(probability.with_array(probability.array.astype(np.float32)), grid).array
    box = bounding_box(rough > how.background, margin=2)
    if box is None or not (rough >= 0.5).any():
        return probability
    looks = resample(image.with_array(image.array.astype(np.float32)), grid).array
    walked = _walk(_flat(looks)[box], rough[box], grid.spacing_zyx, how)
    if walked is None or dice(walked >= 0.5, rough[box] >= 0.5) < how.least_dice:
        return probability
    change = np.zeros_like(rough)
    change[box] = how.share * (walked - rough[box])
    # The change is carried to the image's grid, not the probability: what did not change keeps every detail.
    moved = resample(Volume(change, grid), geometry).array
    return probability.with_array(np.clip(probability.array + moved, 0.0, 1.0).astype(np.float32))


def _walk(
    looks: NDArray[np.float32], rough: NDArray[np.float32], spacing_mm: tuple[float, ...], how: EdgeWalk
) -> NDArray[np.float32] | None:
    """The probability after walking; ``None`` without seeds of both kinds."""
    from skimage.segmentation import random_walker

    inside = rough >= 0.5
    certain = min(how.liver, float(np.quantile(rough[inside], 1 - FEWEST_SEEDS)))
    liver, background = largest_component(rough >= certain), rough <= how.background
    unknown = ~(liver | background)
    if not background.any() or not unknown.any():
        return None
    usual = _usual_difference(looks, liver)
    if usual == 0:
        return None
    data = looks / (how.step * usual)
    seeds = np.where(liver, 1, np.where(background, 2, 0))
    with warnings.catch_warnings():  # it recommends a solver that is not installed
        warnings.simplefilter("ignore")
        found = random_walker(
            data,
            seeds,
            beta=10 * float(data.std()),  # scikit-image divides by this; our unit is the liver, not the image
            mode="cg_j",
            tol=1e-2,
            spacing=np.asarray(spacing_mm) / min(spacing_mm),
            return_full_prob=True,
        )[0]
    return np.where(unknown, found, rough).astype(np.float32)


def _usual_difference(looks: NDArray[np.float32], liver: NDArray[np.bool_]) -> float:
    """How much neighbours in a slice differ within the liver: the 90th percentile. The coil's slow shading has no
    part in it, which the standard deviation has."""
    differences = [np.abs(np.diff(looks, axis=axis))[_both(liver, axis)] for axis in (1, 2)]
    together = np.concatenate(differences)
    return float(np.percentile(together, 90)) if together.size else 0.0


def _both(mask: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    size = mask.shape[axis]
    both: NDArray[np.bool_] = mask.take(range(1, size), axis) & mask.take(range(size - 1), axis)
    return both


def _flat(looks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intensities in 0 … 1 without noise; the brightest hundredth (fluid, bowel) is cut off."""
    from skimage.restoration import denoise_tv_chambolle

    top = float(np.percentile(looks, 99)) or 1.0
    scaled = np.clip(looks / top, 0, 1)
    return np.stack([denoise_tv_chambolle(plane, weight=FLAT_WEIGHT) for plane in scaled]).astype(np.float32)
