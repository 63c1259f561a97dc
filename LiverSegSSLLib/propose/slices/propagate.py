"""From a few given slices to the whole volume: one call for the review panel, a script and the shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import BadInputError, LabelError
from LiverSegSSLLib.propose.slices.correction import Carried, carried
from LiverSegSSLLib.propose.slices.distance import Spacing
from LiverSegSSLLib.propose.slices.objects import object_values, together
from LiverSegSSLLib.propose.slices.tracked import tracked
from LiverSegSSLLib.propose.slices.words import describe
from LiverSegSSLLib.volume import Volume, require_same_grid

FADE_MM = 30.0
"""How far beyond the outermost given slices a correction reaches: about ten slices of GED4, four of T2."""

MOST_OBJECTS = 255


class Tracker(Protocol):
    """A network that carries given slices through a volume, for example SAM 2."""

    @property
    def name(self) -> str:
        """What to call it in the result."""
        ...

    def track(self, volume: Volume, given: Mapping[int, NDArray[Any]], axis: int) -> Mapping[int, NDArray[np.float32]]:
        """Probability of every object in every voxel.

        :param given: label values in the slices ``array.take(index, axis)``; a missing object is not in that slice.
        :returns: by label value, each ``[z, y, x]`` on the volume's grid, in [0, 1].
        """
        ...


@dataclass(frozen=True, eq=False)
class Propagated:
    """``labels``: label values ``[z, y, x]`` on the volume's grid; the given slices are exactly as given.

    ``method``: ``interpolation`` (no earlier label), ``correction`` (of an earlier label), or the tracker's name.
    ``note``: what was done, in words for the user. ``given``, ``changed``: slice indices along ``axis``; ``changed``
    are those, other than the given, in which something differs from the earlier label (or is there, without one).
    ``probability``: of each object, from a tracker; empty without.
    """

    labels: Volume
    axis: int
    method: str
    note: str
    given: tuple[int, ...]
    changed: tuple[int, ...]
    probability: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)


def propagate(
    volume: Volume,
    given: Mapping[int, NDArray[Any]],
    *,
    axis: int = 0,
    previous: Volume | None = None,
    tracker: Tracker | None = None,
    fade_mm: float = FADE_MM,
) -> Propagated:
    """Carry a few drawn or corrected slices through a volume.

    Without ``previous``, each object is interpolated between the given slices that show it; up to a given slice that
    does not, it closes; beyond the outermost given slices nothing is invented. With ``previous``, the given slices are
    corrections of it: how they moved outlines is interpolated between them and fades out beyond (see
    :mod:`~LiverSegSSLLib.propose.slices.correction`). With a ``tracker``, the network decides between the given slices
    (everywhere, without ``previous``) and gives way to ``previous`` beyond.

    :param volume: the image; without a tracker only its grid matters.
    :param given: slice index along ``axis`` → label values of that whole slice (0 is background). At least one.
    :param axis: of the array: 0 for slices ``array[k]`` (axial, if z is the body's), 1 for ``array[:, k]``, 2 for
        ``array[:, :, k]``.
    :param previous: the earlier label of the whole volume, on the same grid.
    :param fade_mm: how far beyond the outermost given slices a correction reaches.
    :raises BadInputError: an axis, index or distance that cannot be.
    :raises LabelError: a mask of another shape, or that holds something else than whole numbers ≥ 0.
    :raises GeometryError: ``previous`` lies on another grid.
    """
    if axis not in (0, 1, 2):
        raise BadInputError(f"there is no axis {axis}", "propagate", "0, 1 or 2 of the array [z, y, x]")
    if not fade_mm > 0:
        raise BadInputError(f"cannot fade out over {fade_mm} mm", "propagate", "give a distance above 0")
    drawn = _checked(volume, given, axis)
    if previous is not None:
        require_same_grid(previous.geometry, volume.geometry, "the earlier label")
    before = _labels(previous.array, "the earlier label") if previous is not None else None
    spacing, step_mm = _spacing(volume, axis)
    blank = np.zeros(volume.array.shape, np.uint8)
    old = np.ascontiguousarray(np.moveaxis(blank if before is None else before, axis, 0))
    values = object_values(list(drawn.values()), None if before is None else old)
    if len(values) > MOST_OBJECTS:
        raise LabelError(f"there are {len(values)} objects", "propagate", f"at most {MOST_OBJECTS} at once")
    outcome: dict[int, Carried] = {}
    probability: Mapping[int, NDArray[np.float32]] = {}
    if tracker is not None:
        probability = tracker.track(volume, drawn, axis)
    for value in values:
        mine = {index: mask == value for index, mask in drawn.items()}
        was = old == value
        if tracker is None:
            outcome[value] = carried(was, mine, spacing, step_mm, fade_mm)
        else:
            seen = np.moveaxis(probability[value], axis, 0) if value in probability else np.zeros(old.shape, np.float32)
            reach = fade_mm if before is not None else None
            outcome[value] = Carried(tracked(seen, was, mine, spacing, step_mm, reach))
    highest = max(values, default=1)
    labels = np.zeros(old.shape, np.min_scalar_type(max(highest, 1)))
    together({value: result.masks for value, result in outcome.items()}, labels, spacing)
    for index, mask in drawn.items():
        labels[index] = mask
    differs = np.flatnonzero((labels != old).any(axis=(1, 2))).tolist()
    changed = tuple(index for index in differs if index not in drawn)
    method = tracker.name if tracker is not None else "correction" if before is not None else "interpolation"
    return Propagated(
        labels=volume.with_array(np.ascontiguousarray(np.moveaxis(labels, 0, axis))),
        axis=axis,
        method=method,
        note=describe(method, tuple(drawn), changed, outcome.values(), before is not None, fade_mm),
        given=tuple(drawn),
        changed=changed,
        probability=probability,
    )


def _checked(volume: Volume, given: Mapping[int, NDArray[Any]], axis: int) -> dict[int, NDArray[Any]]:
    """The given slices, sorted, with whole numbers."""
    if not given:
        raise BadInputError("no slice is given", "propagate", "draw or correct at least one slice")
    count = volume.array.shape[axis]
    shape = tuple(size for other, size in enumerate(volume.array.shape) if other != axis)
    drawn = {}
    for index in sorted(given):
        where = f"slice {index}"
        if not 0 <= index < count:
            raise BadInputError(f"is outside: the volume has slices 0 to {count - 1} along axis {axis}", where)
        mask = np.asarray(given[index])
        if mask.shape != shape:
            raise LabelError(f"the mask has shape {mask.shape}, the slice {shape}", where)
        drawn[int(index)] = _labels(mask, where)
    return drawn


def _labels(array: NDArray[Any], where: str) -> NDArray[Any]:
    """Label values as unsigned numbers.

    :raises LabelError: something else than whole numbers ≥ 0.
    """
    if array.dtype == bool:
        return array.astype(np.uint8)
    remedy = "0 is background, every object a whole number"
    if array.dtype.kind not in "iuf":
        raise LabelError(f"label values cannot be {array.dtype}", where, remedy)
    lowest, highest = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not (lowest >= 0 and np.isfinite(highest) and (array.dtype.kind in "iu" or (array == np.rint(array)).all())):
        raise LabelError("label values are not whole numbers from 0", where, remedy)
    return array.astype(np.min_scalar_type(int(highest)))


def _spacing(volume: Volume, axis: int) -> tuple[Spacing, float]:
    """(rows, columns) of the slices along an axis, and the way from slice to slice, mm."""
    spacing = volume.geometry.spacing_zyx
    rows, columns = (spacing[other] for other in range(3) if other != axis)
    return (rows, columns), spacing[axis]
