"""What a person does in the Segment Editor, for the tests of the logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from LiverSegSSLPanel.scene.segmentations import set_labels
from numpy.typing import NDArray


def draw(logic: Any, case_id: str, *, slices: Sequence[int], shift: int = 2) -> NDArray[np.uint8]:
    """What a person does: the liver moved in some slices; returns the whole mask."""
    mask = logic.desk.drawn(case_id)
    array = mask.array.copy()
    for index in slices:
        array[index] = np.roll(array[index], shift, axis=1)
    set_labels(logic.desk.phase(case_id).segmentation, mask.with_array(array))
    return array


def liver_slices(mask: NDArray[Any]) -> list[int]:
    """The slices that show the liver."""
    found: list[int] = np.flatnonzero(mask.any(axis=(1, 2))).tolist()
    return found
