"""The labels of the study in the scene, against what they were when they were loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.volume import Volume, read_geometry
from LiverSegSSLPanel.scene.segmentations import drawing_stamp, mask_of
from LiverSegSSLPanel.scene.slices import Checksums, changed_slices, slice_checksums
from LiverSegSSLPanel.scene.study import PhaseInScene, study_in_scene

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Case
    from LiverSegSSLLib.labels.store import LabelStore


@dataclass(frozen=True, eq=False)
class Drawing:
    """The label of a case at one moment: a copy, at which a thread may look.

    ``node_id``: of its segmentation; ``label_id``: of the label that it was loaded from, empty for none; ``stamp``:
    what tells this state from a later one without looking at voxels.
    """

    case_id: str
    node_id: str
    label_id: str
    mask: Volume
    stamp: tuple[Any, ...]


class LabelsInScene:
    """What is drawn. Methods that touch the scene belong to the main thread; :meth:`changed` may be called in any."""

    def __init__(self, scene: Any, store: LabelStore, case_of: Callable[[str], Case]) -> None:
        self._scene = scene
        self._store = store
        self._case = case_of
        self._before: dict[tuple[str, str], Checksums] = {}  # by segmentation node and label

    def find(self, case_id: str) -> PhaseInScene | None:
        """The phase of a case in the scene; ``None``: it is not loaded, or its segmentation has been deleted."""
        study = study_in_scene(self._scene)
        phase = study.phase(case_id) if study is not None else None
        return None if phase is None or phase.segmentation is None else phase

    def phase(self, case_id: str) -> PhaseInScene:
        """The phase of a case in the scene.

        :raises LabelError: it is not loaded, or its segmentation has been deleted.
        """
        phase = self.find(case_id)
        if phase is None:
            raise LabelError("is not in the scene", case_id, "load its study")
        return phase

    def drawn(self, case_id: str) -> Volume:
        """The liver of a case as it is in the scene now, on the grid of the image file."""
        return mask_of(self.phase(case_id).segmentation, read_geometry(self._case(case_id).image))

    def look(self, case_id: str) -> Drawing:
        """A copy of what is drawn now."""
        phase = self.phase(case_id)
        stamp = drawing_stamp(phase.segmentation)
        return Drawing(case_id, phase.segmentation.GetID(), phase.label_id, self.drawn(case_id), stamp)

    def stamp(self, case_id: str) -> tuple[Any, ...]:
        """What changes whenever something is drawn; costs nothing. Empty: the label is not in the scene."""
        phase = self.find(case_id)
        return () if phase is None else (phase.segmentation.GetID(), *drawing_stamp(phase.segmentation))

    def changed(self, drawing: Drawing) -> tuple[Checksums, tuple[tuple[int, ...], ...]]:
        """Checksums of a drawing, and by axis of the array ``[z, y, x]`` the slices that differ from the loaded."""
        key = (drawing.node_id, drawing.label_id)
        if key not in self._before:
            if drawing.label_id:
                before = self._store.read_mask(self._store.label(drawing.label_id)).array
            else:
                before = np.zeros_like(drawing.mask.array)
            self._before[key] = slice_checksums(before)
        now = slice_checksums(drawing.mask.array)
        return now, changed_slices(self._before[key], now)

    def take_as_loaded(self, node_id: str, label_id: str, checksums: Checksums) -> None:
        """From now on a label of the ledger is what a segmentation is compared with."""
        self._before[node_id, label_id] = checksums
