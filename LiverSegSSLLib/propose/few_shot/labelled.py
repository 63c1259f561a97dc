"""Labelled volumes: read from files, seen in an image space, and asked what comes back to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.propose.few_shot.consistency import LEAST_CEILING, returned_dice
from LiverSegSSLLib.propose.few_shot.frames import Frames, canonical_mask, frames_of
from LiverSegSSLLib.propose.few_shot.spaces import Space, support_in
from LiverSegSSLLib.types import Support
from LiverSegSSLLib.volume import read_mask, read_volume

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.few_shot.trackers import Tracker


KEPT_VOLUMES = 16
"""Labelled volumes kept in a process: the supports are the same for case after case."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A volume whose mask is known.

    :param mask: bool (slices, rows, columns), canonical frame.
    :param key: names image, mask and image space for as long as they stay the same; empty: what is remembered of it is
        of no further use.
    """

    frames: Frames
    mask: NDArray[np.bool_]
    key: str = ""
    _seen: dict[Space, Labelled] = field(default_factory=dict, repr=False)

    def in_space(self, space: Space) -> Labelled:
        """As a support in an image space; most spaces leave it as it is. Worked out once."""
        if space not in self._seen:
            seen = support_in(space, self.frames)
            same = seen is self.frames
            self._seen[space] = self if same else Labelled(seen, self.mask, f"{self.key}|{space}")
        return self._seen[space]


def read_supports(supports: Sequence[Support]) -> tuple[list[Support], list[Labelled], list[str]]:
    """Supports that can be used, what is on them, and why the others cannot.

    :raises ImageError: an image cannot be read.
    :raises GeometryError: a mask is not on its image's grid.
    """
    used, labelled, reasons = [], [], []
    for support in supports:
        stamps = (_changed(support.case.image), _changed(support.mask))
        try:
            one = _read(support.case.image, support.mask, support.liver_value, support.case.id, *stamps)
        except LabelError as error:
            reasons.append(str(error))
            continue
        used.append(support)
        labelled.append(one)
    return used, labelled, reasons


def _changed(path: Path) -> int:
    """When a file was last changed; 0: there is none, as reading it will say."""
    return path.stat().st_mtime_ns if path.is_file() else 0


@lru_cache(maxsize=KEPT_VOLUMES)
def _read(image: Path, mask: Path, liver_value: int | None, name: str, *stamps: int) -> Labelled:
    frames = frames_of(read_volume(image))
    upright = canonical_mask(read_mask(mask, frames.native, liver_value), frames, name)
    return Labelled(frames, upright, "|".join(map(str, (image, mask, liver_value, *stamps))))


def returned(tracker: Tracker, support: Labelled, case: Frames, found: NDArray[np.float32]) -> float:
    """Dice that comes back to a support from the case, both in one image space; see :mod:`.consistency`."""

    def carry(known: Frames, mask: NDArray[np.bool_], other: Frames) -> NDArray[np.float32]:
        # One insertion, in the middle: half of the support is reached forward, half backward.
        (back,) = tracker.probabilities(other, [Labelled(known, mask)], [[len(other) // 2]])
        return back

    try:
        return returned_dice(carry, support.frames, support.mask, case, found)
    except LabelError:  # what was found is smaller than a pixel of the network
        return 0.0


def ceiling(tracker: Tracker, support: Labelled) -> float:
    """Dice that a support returns to itself: the most that can be asked of a case. Worked out once for a support."""
    measured = tracker.once(
        support, lambda: returned(tracker, support, support.frames, support.mask.astype(np.float32))
    )
    return max(measured, LEAST_CEILING)
