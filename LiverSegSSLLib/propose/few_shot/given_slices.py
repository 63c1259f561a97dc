"""Slices that a person has drawn, carried through their own volume by a SAM 2 network.

The network's side of :func:`LiverSegSSLLib.propose.slices.propagate`: given slices are mask prompts, the others are
tracked forward from the first and backward from the last. Features of slices come from the engine's store, so that a
second correction of a case takes the time of the propagation alone. The volume is turned to the canonical frame before
it becomes frames: along the body axis its features are those that few-shot propagation has made already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.propose.few_shot.frames import LPS, Frames, probability_of, published_grey
from LiverSegSSLLib.volume import Volume, axes_of, orient

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.engine import Engine
    from LiverSegSSLLib.propose.few_shot.few_shot import FewShot


def slice_tracker(settings: FewShot) -> tuple[SliceTracker | None, str]:
    """The tracker that few-shot propagation with these settings would use, ready.

    :returns: the tracker and nothing; or ``None`` and why there is none, with the command that mends it. Then
        :func:`LiverSegSSLLib.propose.slices.propagate` does without.
    :raises BadInputError: the weights are here, and damaged or of another network.
    """
    from LiverSegSSLLib.propose.few_shot.trackers import FastTracker

    if reason := settings.unavailable():
        return None, reason
    tracker = replace(settings, engine="fast").tracker()
    assert isinstance(tracker, FastTracker)
    return SliceTracker(tracker.engine), ""


class SliceTracker:
    """A :class:`LiverSegSSLLib.propose.slices.Tracker` that asks a network.

    :param engine: holds the network and the features of slices.
    """

    name = "SAM 2"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def track(self, volume: Volume, given: Mapping[int, NDArray[Any]], axis: int) -> dict[int, NDArray[np.float32]]:
        """See :class:`LiverSegSSLLib.propose.slices.Tracker`. A given slice without an object says that it ends."""
        values = sorted({int(value) for mask in given.values() for value in np.unique(mask) if value})
        if not values:
            return {}
        turned = _Turned(volume, axis)
        frames = turned.frames()
        objects = [turned.masks(given, value) for value in values]
        prompts = {place: np.stack([masks[place] for masks in objects]) for place in objects[0]}
        logits = self._engine.track(self._engine.encode(frames), prompts)
        return {
            value: turned.back(probability_of(logits[:, number], frames).cpu().numpy())
            for number, value in enumerate(values)
        }


_PAIRS = ("LR", "PA", "SI")
"""Directions of the canonical axes x, y, z and their opposites."""


class _Turned:
    """A volume as frames: canonical orientation, the axis of the given slices first."""

    def __init__(self, volume: Volume, axis: int) -> None:
        self._volume, self._axis = volume, axis
        self._upright = orient(volume, LPS)
        runs_to = axes_of(volume.geometry)[2 - axis]
        self._first = 2 - next(place for place, pair in enumerate(_PAIRS) if runs_to in pair)
        self._last = volume.array.shape[axis] - 1
        self._flipped = runs_to not in LPS

    def frames(self) -> Frames:
        """The volume's slices, scaled as published."""
        array = np.nan_to_num(self._upright.array.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        grey, limits = published_grey(array)
        planes = np.ascontiguousarray(np.moveaxis(grey, self._first, 0))
        return Frames(planes, self._upright.geometry, self._volume.geometry, limits=limits)

    def masks(self, given: Mapping[int, NDArray[Any]], value: int) -> dict[int, NDArray[np.bool_]]:
        """Frame → mask of one object, for every given slice, ascending; also where the object is not."""
        whole = np.zeros(self._volume.array.shape, np.uint8)
        slices = np.moveaxis(whole, self._axis, 0)
        for index, mask in given.items():
            slices[index] = mask == value
        planes = np.moveaxis(orient(self._volume.with_array(whole), LPS).array, self._first, 0) != 0
        places = (self._last - index if self._flipped else index for index in given)
        return {place: planes[place] for place in sorted(places)}

    def back(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """From frames to the volume's own array."""
        upright = self._upright.with_array(np.ascontiguousarray(np.moveaxis(planes, 0, self._first)))
        return np.ascontiguousarray(orient(upright, axes_of(self._volume.geometry)).array)
