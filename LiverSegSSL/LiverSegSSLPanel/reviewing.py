"""Labels under review in the scene: what a person has changed, propagating it, and the verdict on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.volume import Geometry, Volume, read_geometry, read_header, read_mask, write_volume
from LiverSegSSLPanel.jobs import RunningJob
from LiverSegSSLPanel.scene.segmentations import drawing_stamp, mask_of, set_labels
from LiverSegSSLPanel.scene.slices import Checksums, changed_slices, drawn_axis, slice_checksums
from LiverSegSSLPanel.scene.study import LABEL, PhaseInScene, study_in_scene
from LiverSegSSLPanel.work import Work, discard_work, save_work

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Case
    from LiverSegSSLLib.labels.label import Label
    from LiverSegSSLLib.labels.store import LabelStore

ACCEPT, REJECT, CORRECT = VERDICTS = ("accept", "reject", "correct")


@dataclass(frozen=True)
class Changes:
    """What has been drawn in a label since it was loaded: slices along an axis of the array ``[z, y, x]``."""

    axis: int
    slices: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Propagation:
    """Corrections of a case on their way through its volume. ``began``: checksums of what was drawn when it began."""

    case_id: str
    job: RunningJob
    began: Checksums
    mask: Path


class ReviewDesk:
    """The labels of the study in the scene, against the ledger of one workspace."""

    def __init__(self, scene: Any, store: LabelStore, case_of: Callable[[str], Case]) -> None:
        self._scene = scene
        self._store = store
        self._case = case_of
        self._before: dict[tuple[str, str], Checksums] = {}  # by segmentation node and label
        self._kept: dict[str, Checksums] = {}  # by case: what was last saved as work in progress
        self._stamps: dict[str, tuple[Any, ...]] = {}  # by case: when that was last looked at
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="work-in-progress")
        self._writing: list[Future[Work]] = []

    # --- what is drawn ------------------------------------------------------------------------------------------

    def phase(self, case_id: str) -> PhaseInScene:
        """The phase of a case in the scene.

        :raises LabelError: it is not loaded, or its segmentation has been deleted.
        """
        study = study_in_scene(self._scene)
        phase = study.phase(case_id) if study is not None else None
        if phase is None or phase.segmentation is None:
            raise LabelError("is not in the scene", case_id, "load its study")
        return phase

    def drawn(self, case_id: str) -> Volume:
        """The liver of a case as it is in the scene now, on the grid of the image file."""
        return mask_of(self.phase(case_id).segmentation, self._geometry(case_id))

    def changes(self, case_id: str) -> Changes:
        """The slices in which the label differs from what was loaded, along the axis across which was drawn."""
        changed = self._changed(case_id, slice_checksums(self.drawn(case_id).array))
        axis = drawn_axis(changed, self._geometry(case_id))
        return Changes(axis, changed[axis])

    def is_changed(self, case_id: str) -> bool:
        """Whether the label differs from what was loaded."""
        return bool(self.changes(case_id).slices)

    def _geometry(self, case_id: str) -> Geometry:
        return read_geometry(self._case(case_id).image)

    def _changed(self, case_id: str, now: Checksums) -> tuple[tuple[int, ...], ...]:
        phase = self.phase(case_id)
        key = (phase.segmentation.GetID(), phase.label_id)
        if key not in self._before:
            if phase.label_id:
                before = self._store.read_mask(self._store.label(phase.label_id)).array
            else:
                before = np.zeros(self._geometry(case_id).shape, np.uint8)
            self._before[key] = slice_checksums(before)
        return changed_slices(self._before[key], now)

    # --- carrying corrections through the volume ----------------------------------------------------------------

    def start_propagation(
        self, case_id: str, start: Callable[[str, Mapping[str, Any]], RunningJob], axis: int | None, network: bool
    ) -> Propagation:
        """Begin to carry what was drawn through the volume.

        :param start: starts the job in a folder of its own, given a verb and its parameters.
        :param axis: of the array, where the slices were drawn; ``None``: found out.
        :raises LabelError: nothing was drawn.
        """
        drawn = self.drawn(case_id)
        began = slice_checksums(drawn.array)
        changed = self._changed(case_id, began)
        axis = drawn_axis(changed, drawn.geometry) if axis is None else axis
        if not changed[axis]:
            raise LabelError("nothing has been changed since it was loaded", case_id, "correct a slice or more first")
        label_id = self.phase(case_id).label_id
        before = self._store.mask_path(self._store.label(label_id)) if label_id else None
        folder = self._store.workspace / "work" / "propagating" / case_id
        write_volume(drawn, folder / "drawn.nii")  # not compressed: it is read at once
        parameters = {
            "image": str(self._case(case_id).image),
            "drawn": str(folder / "drawn.nii"),
            "previous": None if before is None else str(before),
            "slices": list(changed[axis]),
            "axis": axis,
            "network": network,
            "output": str(folder / "mask.nii"),
        }
        return Propagation(case_id, start("propagate_slices", parameters), began, folder / "mask.nii")

    def apply_propagation(self, propagation: Propagation, save_state: Callable[[], Any] | None) -> str:
        """Put a finished propagation into the scene as one step of undo; returns what was done, in words.

        :raises LabelError: the label was changed while the job ran.
        :raises LiverSegError: the job has failed or was cancelled.
        """
        result = propagation.job.wait()
        case_id = propagation.case_id
        phase = self.phase(case_id)
        if slice_checksums(self.drawn(case_id).array) != propagation.began:
            raise LabelError("was changed while its corrections were propagated", case_id, "propagate again")
        mask = read_mask(propagation.mask, self._geometry(case_id))
        set_labels(phase.segmentation, mask, save_state)
        shutil.rmtree(propagation.mask.parent, ignore_errors=True)
        note: str = result["note"]
        return note

    # --- the verdict --------------------------------------------------------------------------------------------

    def record(self, case_id: str, verdict: str, reviewer: str, seconds: float, comment: str) -> Label:
        """A person's verdict on what is in the scene; without it there, on the newest label of the case.

        :raises LabelError: there is nothing to judge, it is an expert's, or it was changed and is to be accepted.
        """
        study = study_in_scene(self._scene)
        shown = study.phase(case_id) if study is not None else None
        if verdict not in VERDICTS:
            raise LabelError(f"there is no verdict {verdict!r}", case_id, f"use {', '.join(VERDICTS)}")
        if verdict == CORRECT:
            label = self._correct(case_id, reviewer, seconds, comment)
        elif shown is not None and shown.segmentation is not None:
            label = self._judge_shown(shown, verdict, reviewer, seconds, comment)
        else:
            from LiverSegSSLLib.rounds.reviewing import give_verdict

            label = give_verdict(self._store, case_id, _state(verdict), reviewer, seconds, comment)
        self.discard_work(case_id)
        if shown is not None and shown.segmentation is not None:
            self._kept[case_id] = slice_checksums(self.drawn(case_id).array)  # judged: not to be offered again
        return label

    def _judge_shown(self, shown: PhaseInScene, verdict: str, reviewer: str, seconds: float, comment: str) -> Label:
        if not shown.label_id:
            raise LabelError("has no label yet", shown.case_id, "draw one and record it as correct, or propose one")
        if verdict == ACCEPT and self.is_changed(shown.case_id):
            what = "has been changed since it was loaded"
            raise LabelError(what, shown.case_id, "record it as correct, or take the changes back")
        return self._store.review(shown.label_id, _state(verdict), author=reviewer, seconds=seconds, comment=comment)

    def _correct(self, case_id: str, reviewer: str, seconds: float, comment: str) -> Label:
        from LiverSegSSLLib.labels.label import LabelState

        phase, mask = self.phase(case_id), self.drawn(case_id)
        if not mask.array.any():
            raise LabelError("the mask is empty", case_id, "draw the liver, or reject the label")
        if not any(self._changed(case_id, slice_checksums(mask.array))):
            raise LabelError("has not been changed since it was loaded", case_id, "accept it as it is")
        if phase.label_id:
            label = self._store.correct(phase.label_id, mask, author=reviewer, seconds=seconds, comment=comment)
        else:
            mask = replace(mask, trailing_singleton=read_header(self._case(case_id).image).trailing_singleton)
            label = self._store.add(
                case_id,
                mask,
                source="drawn",
                round=0,
                state=LabelState.CORRECTED,
                author=reviewer,
                seconds=seconds,
                parameters={"comment": comment} if comment else {},
            )
        phase.segmentation.SetAttribute(LABEL, label.id)
        self._before[phase.segmentation.GetID(), label.id] = slice_checksums(mask.array)
        return label

    # --- work in progress ---------------------------------------------------------------------------------------

    def save_work(self, reviewer: str, seconds: Mapping[str, float]) -> list[str]:
        """Keep what has been drawn since it was loaded or kept last; written by a thread. Returns the cases."""
        study = study_in_scene(self._scene)
        saved = []
        for phase in study.phases if study is not None else ():
            if phase.segmentation is None:
                continue
            stamp = (phase.segmentation.GetID(), phase.label_id, *drawing_stamp(phase.segmentation))
            if self._stamps.get(phase.case_id) == stamp:
                continue
            self._stamps[phase.case_id] = stamp
            mask = self.drawn(phase.case_id)
            now = slice_checksums(mask.array)
            if self._kept.get(phase.case_id) == now or not any(self._changed(phase.case_id, now)):
                continue
            self._kept[phase.case_id] = now
            saved.append(phase.case_id)
            spent = seconds.get(phase.case_id, 0.0)
            arguments = (self._store.workspace, phase.case_id, phase.label_id, reviewer, spent, mask)
            self._writing.append(self._writer.submit(save_work, *arguments))
        self._writing = [future for future in self._writing if not future.done() or future.exception() is not None]
        return saved

    def finish_saving(self) -> None:
        """Wait until all work in progress is on the disk.

        :raises OSError: it cannot be written.
        """
        writing, self._writing = self._writing, []
        for future in writing:
            future.result()

    def discard_work(self, case_id: str) -> None:
        """Forget what was kept of a case; what is still in the scene will be kept again."""
        self.finish_saving()
        discard_work(self._store.workspace, case_id)
        self._kept.pop(case_id, None)
        self._stamps.pop(case_id, None)

    def put_back(self, work: Work, mask: Volume, save_state: Callable[[], Any] | None) -> None:
        """Show work that was left, as one step of undo; it counts as a change of the label that it began from."""
        phase = self.phase(work.case_id)
        set_labels(phase.segmentation, mask, save_state)
        phase.segmentation.SetAttribute(LABEL, work.label_id)

    def close(self) -> None:
        """Finish writing, and let the writer go."""
        self._writer.shutdown(wait=True)


def _state(verdict: str) -> Any:
    from LiverSegSSLLib.labels.label import LabelState

    return LabelState.ACCEPTED if verdict == ACCEPT else LabelState.REJECTED
