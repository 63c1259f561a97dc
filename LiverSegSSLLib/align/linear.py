"""Translation, rigid and affine registration through SimpleITK, from several starts.

A bad start is what makes registration of abdomens fail: every shift of a coarse lattice is judged first, then the
best ones are optimised, the simple model before the rich one, coarse before fine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.align.register import Metric, Model, Registration, Start, failed
from LiverSegSSLLib.align.sobel import sobel_space
from LiverSegSSLLib.align.working import coarser
from LiverSegSSLLib.components import bounding_box
from LiverSegSSLLib.volume import Geometry, Volume, to_sitk

if TYPE_CHECKING:
    import SimpleITK as sitk

Shift = tuple[float, float, float]
"""Along LPS x, y, z in mm."""

HISTOGRAM_BINS = 32
"""Of Mattes' joint histogram; ITK's usual number for images of this size."""

LEAST_OVERLAP = 0.4
"""Part of the fixed image's compared points that must land in the moving image, or there is nothing to judge."""

SHIFTS_MM = {
    "scanner": ((-16.0, 0.0, 16.0), (-16.0, 0.0, 16.0), tuple(float(z) for z in range(-48, 49, 8))),
    "body": ((-16.0, 0.0, 16.0), (-16.0, 0.0, 16.0), tuple(float(z) for z in range(-120, 121, 12))),
}
"""Shifts tried first along LPS x, y, z: a held breath moves the liver mostly along z, by up to a few cm; the field
of view of another patient may begin anywhere."""

NEIGHBOURS_MM = 16.5
"""Shifts nearer than this lead to the same optimum."""

STARTS = 2
"""So many of the best shifts are optimised, beside no shift; the best end wins."""

PLAUSIBLE_VOLUME = (0.4, 2.5)
"""Determinant of a believable affine map between two adults."""

COMPARED_VOXELS = 20_000
"""Of larger working images every n-th voxel is compared: more cost time and gain nothing (60,000 took a third longer
for the same Dice to 0.004 on the phantom)."""

SAMPLED_POINTS = 4000
"""Points by which overlap is judged."""


@dataclass(frozen=True)
class _Pair:
    """What is compared: working images, and the points of the fixed one that count (LPS, mm)."""

    fixed: sitk.Image
    moving: sitk.Image
    fixed_mask: sitk.Image | None
    moving_mask: sitk.Image | None
    moving_grid: Geometry
    spacing_mm: float
    points: NDArray[np.float64]


def register_linear(
    fixed: Volume,
    moving: Volume,
    model: Model,
    metric: Metric,
    init: sitk.Transform | Start,
    fixed_mask: Volume | None,
    moving_mask: Volume | None,
    spacing_mm: float,
    seed: int,
) -> Registration:
    """See :func:`LiverSegSSLLib.align.register.register`, which checks the images and catches ITK's errors."""
    import SimpleITK as sitk

    if metric == "mind":
        return failed("the MIND metric belongs to the deformable model; use mattes or sobel", model, metric)
    if fixed_mask is not None and not fixed_mask.array.any():
        return failed("the fixed mask is empty", model, metric)
    if moving_mask is not None and not moving_mask.array.any():
        return failed("the moving mask is empty", model, metric)
    coarse, fine = (_pair(fixed, moving, fixed_mask, moving_mask, n * spacing_mm, metric) for n in (2, 1))
    starts: list[sitk.Transform]
    if isinstance(init, sitk.Transform):
        starts = [init]
    else:
        offset = _centres_aligned(fixed, moving) if init == "body" else (0.0, 0.0, 0.0)
        # Not moving at all is among them: a coarse look may prefer a wrong shift to a right place.
        starts = [sitk.TranslationTransform(3, offset)]
        starts += _starts(_pair(fixed, moving, fixed_mask, moving_mask, 4 * spacing_mm, metric), metric, offset, init)
    starts = [start for start in starts if overlap(coarse.points, coarse.moving_grid, start) >= LEAST_OVERLAP]
    if not starts:
        return failed("the images do not overlap enough to be compared", model, metric)

    before = _evaluate(fine, metric, sitk.Transform(3, sitk.sitkIdentity))
    *early, last = _models_up_to(model)
    ends: list[sitk.Transform] = []
    for start in starts:
        transform = start
        for step in early or [last]:
            transform = _optimise(coarse, metric, step, transform, seed)
        ends.append(transform)
    end = max(ends, key=lambda transform: _evaluate(coarse, metric, transform))
    end = _optimise(coarse, metric, last, end, seed)
    # A start that was right already must not be lost to the optimiser's last uncertain steps.
    candidates = [
        _optimise(fine, metric, model, end, seed, accurate=True),
        *(linear_transform(matrix_of(start)) for start in starts),
    ]
    best = max(candidates, key=lambda transform: _evaluate(fine, metric, transform))
    similarity = _evaluate(fine, metric, best)
    reason = _implausible(best, fine)
    if reason or not np.isfinite(similarity):
        return failed(reason or "the images do not overlap after registration", model, metric)
    return Registration(best, similarity, True, "", model, metric, before)


def overlap(points: NDArray[np.float64], moving: Geometry, transform: sitk.Transform) -> float:
    """Part of the points (n, 3; LPS, mm) that the transform puts inside the moving grid."""
    moved = transform_points(transform, points)
    index = homogeneous(moved) @ np.linalg.inv(moving.index_to_lps()).T
    inside = (index[:, :3] >= -0.5) & (index[:, :3] <= np.asarray(moving.size) - 0.5)
    return float(inside.all(axis=1).mean()) if len(points) else 0.0


def transform_points(transform: sitk.Transform, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 3; LPS, mm) moved by any transform."""
    if transform.IsLinear() and len(points) > 4:
        return (homogeneous(points) @ matrix_of(transform).T)[:, :3]
    return np.array([transform.TransformPoint(point) for point in points.tolist()]).reshape(-1, 3)


def homogeneous(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 3) with a 1 appended to each, for 4 × 4 matrices."""
    return np.c_[points, np.ones(len(points))]


def linear_transform(matrix: NDArray[np.float64]) -> sitk.AffineTransform:
    """A 4 × 4 matrix on LPS points as a transform."""
    import SimpleITK as sitk

    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def matrix_of(transform: sitk.Transform) -> NDArray[np.float64]:
    """The 4 × 4 matrix of a linear transform, read off from where it puts four points."""
    corners = transform_points(transform, np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    matrix = np.eye(4)
    matrix[:3, 3] = corners[0]
    matrix[:3, :3] = (corners[1:] - corners[0]).T
    return matrix


def points_of(mask: Volume, most: int = SAMPLED_POINTS) -> NDArray[np.float64]:
    """LPS positions (n, 3) of at most ``most`` of the non-zero voxels, taken evenly in array order."""
    flat = np.flatnonzero(mask.array)
    chosen = flat[:: max(1, len(flat) // most)]
    zyx = np.array(np.unravel_index(chosen, mask.array.shape), float)
    return (homogeneous(zyx[::-1].T) @ mask.geometry.index_to_lps().T)[:, :3]


def crop(volume: Volume, around: Volume, margin_mm: float = 15.0) -> Volume:
    """The part of an image around the non-zero voxels of a mask on the same grid."""
    margin = int(np.ceil(margin_mm / min(volume.geometry.spacing)))
    box = bounding_box(around.array, margin)
    if box is None:
        return volume
    first = np.array([box[2].start, box[1].start, box[0].start, 1.0])
    origin = (volume.geometry.index_to_lps() @ first)[:3]
    array = volume.array[box]
    geometry = Geometry(
        (array.shape[2], array.shape[1], array.shape[0]),
        volume.geometry.spacing,
        (float(origin[0]), float(origin[1]), float(origin[2])),
        volume.geometry.direction,
    )
    return Volume(array, geometry)


def _pair(
    fixed: Volume,
    moving: Volume,
    fixed_mask: Volume | None,
    moving_mask: Volume | None,
    spacing_mm: float,
    metric: Metric,
) -> _Pair:
    if fixed_mask is not None:
        fixed, fixed_mask = crop(fixed, fixed_mask), crop(fixed_mask, fixed_mask)
    images = [coarser(volume, spacing_mm) for volume in (fixed, moving)]
    if metric == "sobel":
        images = [sobel_space(volume) for volume in images]
    everywhere = Volume(np.ones(images[0].array.shape, np.uint8), images[0].geometry)
    counted = fixed_mask if fixed_mask is not None else everywhere
    masks = [
        None if mask is None else to_sitk(mask.with_array((mask.array > 0).astype(np.uint8)))
        for mask in (fixed_mask, moving_mask)
    ]
    working = [to_sitk(volume) for volume in images]
    points = points_of(counted)
    return _Pair(working[0], working[1], masks[0], masks[1], images[1].geometry, spacing_mm, points)


def _method(pair: _Pair, metric: Metric, seed: int = 0) -> sitk.ImageRegistrationMethod:
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    if metric == "mattes":
        method.SetMetricAsMattesMutualInformation(HISTOGRAM_BINS)
    else:
        method.SetMetricAsMeanSquares()
    compared = pair.fixed.GetNumberOfPixels()
    if compared > COMPARED_VOXELS:
        method.SetMetricSamplingStrategy(method.REGULAR)
        method.SetMetricSamplingPercentage(COMPARED_VOXELS / compared, seed + 1)  # 0 would let ITK take the clock
    method.SetInterpolator(sitk.sitkLinear)
    for mask, setter in ((pair.fixed_mask, method.SetMetricFixedMask), (pair.moving_mask, method.SetMetricMovingMask)):
        if mask is not None:
            setter(mask)
    return method


def _evaluate(pair: _Pair, metric: Metric, transform: sitk.Transform) -> float:
    """Similarity under a transform; minus infinity where the images hardly overlap."""
    if overlap(pair.points, pair.moving_grid, transform) < LEAST_OVERLAP:
        return float("-inf")
    method = _method(pair, metric)
    # A value needs no gradient images, whose filters are two thirds of the time (22.8 against 6.6 s for 5 transfers).
    method.MetricUseFixedImageGradientFilterOff()
    method.MetricUseMovingImageGradientFilterOff()
    method.SetInitialTransform(transform)
    try:
        return -float(method.MetricEvaluate(pair.fixed, pair.moving))
    except RuntimeError:  # every point fell outside a mask
        return float("-inf")


def _starts(
    pair: _Pair, metric: Metric, offset: tuple[float, float, float], lattice: str
) -> list[sitk.TranslationTransform]:
    """The best shifts of the lattice, best first, no two of them neighbours.

    Along z first, then in the plane around the best of those: a third of the whole lattice's evaluations.
    """
    import SimpleITK as sitk

    xs, ys, zs = SHIFTS_MM[lattice]
    tried: list[tuple[float, float, Shift]] = []

    def judge(shift: Shift) -> None:
        moved = (offset[0] + shift[0], offset[1] + shift[1], offset[2] + shift[2])
        similarity = _evaluate(pair, metric, sitk.TranslationTransform(3, moved))
        # Of equal shifts the shortest first, so that a featureless image stays where it is.
        tried.append((-similarity, sum(map(abs, shift)), moved))

    for z in zs:
        judge((0.0, 0.0, z))
    for _, _, (_, _, z) in _apart(tried):
        for x, y in ((x, y) for x in xs for y in ys if x or y):
            judge((x, y, z - offset[2]))
    return [sitk.TranslationTransform(3, shift) for _, _, shift in _apart(tried)]


def _apart(tried: list[tuple[float, float, Shift]]) -> list[tuple[float, float, Shift]]:
    """The best few that are no neighbours of each other."""
    chosen: list[tuple[float, float, Shift]] = []
    for one in sorted(tried):
        far = all(max(abs(a - b) for a, b in zip(one[2], other[2], strict=True)) > NEIGHBOURS_MM for other in chosen)
        if np.isfinite(one[0]) and far and len(chosen) < STARTS:
            chosen.append(one)
    return chosen


def _centres_aligned(fixed: Volume, moving: Volume) -> tuple[float, float, float]:
    """The shift that lays the centre of the moving body over that of the fixed one."""
    from LiverSegSSLLib.align.body_mask import body_mask

    centres = []
    for volume in (fixed, moving):
        points = points_of(body_mask(coarser(volume, 6.0)))
        centres.append(points.mean(axis=0) if len(points) else volume.geometry.corners_lps().mean(axis=0))
    shift = centres[1] - centres[0]
    return float(shift[0]), float(shift[1]), float(shift[2])


def _models_up_to(model: Model) -> Sequence[Model]:
    order: tuple[Model, ...] = ("translation", "rigid", "affine")
    return order[: order.index(model) + 1]


def _optimise(
    pair: _Pair, metric: Metric, model: Model, start: sitk.Transform, seed: int, accurate: bool = False
) -> sitk.AffineTransform:
    """Improve a linear transform by one of the model's kind; returns the whole as one affine transform."""
    import SimpleITK as sitk

    centre = pair.points.mean(axis=0).tolist()
    change: sitk.Transform
    if model == "translation":
        change = sitk.TranslationTransform(3)
    elif model == "rigid":
        change = sitk.Euler3DTransform()
        change.SetCenter(centre)
    else:
        change = sitk.AffineTransform(3)
        change.SetCenter(centre)
    method = _method(pair, metric, seed)
    # Steps are lengths in mm, since the scales make every parameter move the image by as much.
    if accurate or model == "affine":
        method.SetOptimizerAsGradientDescentLineSearch(
            learningRate=1.0, numberOfIterations=60, convergenceMinimumValue=1e-5, convergenceWindowSize=8
        )
    else:
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=pair.spacing_mm, minStep=0.02, numberOfIterations=100, relaxationFactor=0.6
        )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetMovingInitialTransform(start)
    method.SetInitialTransform(change, inPlace=True)
    try:
        method.Execute(pair.fixed, pair.moving)
    except RuntimeError:  # ITK gives up where no step improves the metric, or where a step loses the overlap
        return linear_transform(matrix_of(start))
    found = matrix_of(start) @ matrix_of(change)
    better = _evaluate(pair, metric, linear_transform(found)) >= _evaluate(pair, metric, start)
    return linear_transform(found if better else matrix_of(start))


def _implausible(transform: sitk.AffineTransform, pair: _Pair) -> str:
    matrix = matrix_of(transform)
    volume = float(np.linalg.det(matrix[:3, :3]))
    if not np.isfinite(matrix).all() or not PLAUSIBLE_VOLUME[0] <= volume <= PLAUSIBLE_VOLUME[1]:
        return f"the registration ended in an impossible transform (volume × {volume:.2g})"
    if overlap(pair.points, pair.moving_grid, transform) < LEAST_OVERLAP:
        return "the images do not overlap after registration"
    return ""
