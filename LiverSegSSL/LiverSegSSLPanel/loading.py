"""Bringing a study into the scene: files are read in a thread, nodes are made by whoever polls."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.errors import CohortError, LiverSegError
from LiverSegSSLLib.volume import Volume, read_volume, require_same_grid
from LiverSegSSLPanel.scene.study import StudyInScene, add_phase, remove_study, study_in_scene
from LiverSegSSLPanel.task import LEND_S

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Case, Study
    from LiverSegSSLLib.labels.store import LabelStore


@dataclass(frozen=True, eq=False)
class PhaseRead:
    """One phase as it was read. ``label_id`` is empty where the case has no label."""

    case: Case
    image: Volume
    label: Volume | None
    label_id: str


class StudyLoading:
    """A study on its way into the scene. The study of ours that was there before has gone.

    SimpleITK lets other threads run while it reads, so the window stays alive (measured: a phase of 6 million voxels
    took a second to read, the longest wait of the main thread was 0.04 s).
    """

    def __init__(self, scene: Any, study: Study, cases: Sequence[Case], store: LabelStore) -> None:
        self.study = study
        self.total = len(cases)
        self.done = 0
        self.errors: dict[str, LiverSegError] = {}
        """By case id: why a phase could not be shown; the others are."""
        self.read: dict[str, PhaseRead] = {}
        """By case id: what is in the scene."""
        self._scene = scene
        self._ready: queue.SimpleQueue[tuple[Case, PhaseRead | LiverSegError]] = queue.SimpleQueue()
        self._stop = threading.Event()
        remove_study(scene)
        self._thread = threading.Thread(target=self._work, args=(cases, store), daemon=True, name="study-reader")
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Whether all there is to show is in the scene."""
        return self.done == self.total or self._stop.is_set()

    def poll(self) -> bool:
        """Show the next phase that has been read, if there is one; returns whether all is done."""
        if not self.finished:
            with suppress(queue.Empty):
                self._show(*self._ready.get(timeout=LEND_S))
        return self.finished

    def wait(self) -> StudyInScene:
        """Read and show all; returns the study.

        :raises LiverSegError: no phase of it could be read.
        """
        while not self.finished:
            self._show(*self._ready.get())
        self._thread.join()
        study = study_in_scene(self._scene)
        if study is None:
            raise next(iter(self.errors.values()), CohortError("was not loaded", self.study.key, "load it again"))
        return study

    def cancel(self) -> None:
        """Stop reading; what is in the scene stays."""
        self._stop.set()

    def _work(self, cases: Sequence[Case], store: LabelStore) -> None:
        for case in cases:
            if self._stop.is_set():
                return
            try:
                self._ready.put((case, _read(case, store)))
            except LiverSegError as error:
                self._ready.put((case, error))
            except Exception as error:  # a thread that dies in silence would leave whoever waits waiting
                self._ready.put((case, LiverSegError(f"cannot be loaded ({type(error).__name__}: {error})", case.id)))

    def _show(self, case: Case, found: PhaseRead | LiverSegError) -> None:
        self.done += 1
        if isinstance(found, LiverSegError):
            self.errors[case.id] = found
            return
        patient = self.study.patient or self.study.key
        try:
            phase = case.phase.value
            add_phase(self._scene, self.study.key, patient, case.id, phase, found.image, found.label, found.label_id)
            self.read[case.id] = found
        except LiverSegError as error:
            self.errors[case.id] = error


def _read(case: Case, store: LabelStore) -> PhaseRead:
    image = read_volume(case.image)
    label = store.add_expert(case) if case.expert is not None else store.current(case.id)
    if label is None:
        return PhaseRead(case, image, None, "")
    # On the image's own grid: the label file's numbers may differ by their rounding.
    mask = store.read_mask(label)
    require_same_grid(mask.geometry, image.geometry, label.id)
    return PhaseRead(case, image, Volume(mask.array, image.geometry), label.id)
