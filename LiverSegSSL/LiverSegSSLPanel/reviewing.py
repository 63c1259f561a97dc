"""Labels under review in the scene: carrying what was drawn through the volume, and a person's verdict on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.volume import Volume, read_geometry, read_header, read_mask, write_volume
from LiverSegSSLPanel.drawn import Drawing, LabelsInScene
from LiverSegSSLPanel.jobs import RunningJob
from LiverSegSSLPanel.keeping import WorkKeeper
from LiverSegSSLPanel.scene.segmentations import drawing_stamp, set_labels
from LiverSegSSLPanel.scene.slices import Checksums, drawn_axis, slice_checksums
from LiverSegSSLPanel.scene.study import LABEL
from LiverSegSSLPanel.task import Steps
from LiverSegSSLPanel.work import discard_work

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Case
    from LiverSegSSLLib.labels.label import Label
    from LiverSegSSLLib.labels.store import LabelStore

ACCEPT, REJECT, CORRECT = VERDICTS = ("accept", "reject", "correct")

StartJob = Callable[[str, Mapping[str, Any]], RunningJob]
"""Starts a job in a folder of its own, given a verb and its parameters."""


@dataclass(frozen=True)
class Changes:
    """What has been drawn in a label since it was loaded: slices along an axis of the array ``[z, y, x]``.

    ``by_axis``: the slices that differ, along each axis of the array. ``touched``: those of ``slices`` that the person
    has drawn in; the others follow from a propagation.
    """

    axis: int
    slices: tuple[int, ...]
    by_axis: tuple[tuple[int, ...], ...]
    touched: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Propagation:
    """Corrections of a case on their way through its volume.

    ``began``: checksums of what was drawn when it began; ``slices`` along ``axis`` of the array are the example.
    """

    case_id: str
    job: RunningJob
    began: Checksums
    mask: Path
    axis: int
    slices: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Carried:
    """What a propagation has made of a label: the slices along ``axis`` that a person had drawn, and all checksums."""

    axis: int
    slices: tuple[int, ...]
    checksums: Checksums


class ReviewDesk(LabelsInScene):
    """The labels of the study in the scene, against the ledger of one workspace.

    What takes long is given as steps for a :class:`LiverSegSSLPanel.task.Task`.
    """

    def __init__(self, scene: Any, store: LabelStore, case_of: Callable[[str], Case]) -> None:
        super().__init__(scene, store, case_of)
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="review-writer")
        """Runs what writes, in the order in which it was asked for."""
        self.reader = ThreadPoolExecutor(2, thread_name_prefix="review-reader")
        """Runs what only reads."""
        self.work = WorkKeeper(self, store.workspace, self.writer)
        self._carried: dict[tuple[str, str], Carried] = {}  # by segmentation node and label: the last propagation

    def close(self) -> None:
        """Finish writing, and let the threads go."""
        self.reader.shutdown(wait=False, cancel_futures=True)
        self.writer.shutdown(wait=True)

    def is_changed(self, case_id: str) -> bool:
        """Whether the label differs from what was loaded; waits."""
        return any(self.changed(self.look(case_id))[1])

    def changes(self, case_id: str) -> Steps[Changes]:
        """The slices in which the label differs from what was loaded, along the axis across which was drawn."""
        drawing = self.look(case_id)
        return (yield lambda: self._changes(drawing, None))

    def _changes(self, drawing: Drawing, axis: int | None) -> Changes:
        now, changed = self.changed(drawing)
        carried = self._carried.get((drawing.node_id, drawing.label_id))
        if axis is None:
            axis = drawn_axis(changed, drawing.mask.geometry) if carried is None else carried.axis
        touched = changed[axis]
        if carried is not None and carried.axis == axis:
            before = carried.checksums[axis]
            touched = tuple(one for one in touched if one in carried.slices or now[axis][one] != before[one])
        return Changes(axis, changed[axis], changed, touched)

    # --- carrying corrections through the volume ----------------------------------------------------------------

    def propagate(self, case_id: str, start: StartJob, axis: int | None, network: bool) -> Steps[Propagation]:
        """Begin to carry what was drawn through the volume.

        :param axis: of the array, where the slices were drawn; ``None``: found out.
        :raises LabelError: nothing was drawn.
        """
        drawing = self.look(case_id)
        return (yield lambda: self._propagate(drawing, start, axis, network))

    def _propagate(self, drawing: Drawing, start: StartJob, axis: int | None, network: bool) -> Propagation:
        case_id, drawn = drawing.case_id, drawing.mask
        changes = self._changes(drawing, axis)
        if not changes.touched:
            raise LabelError("nothing has been changed since it was loaded", case_id, "correct a slice or more first")
        before = self._store.mask_path(self._store.label(drawing.label_id)) if drawing.label_id else None
        folder = self._store.workspace / "work" / "propagating" / case_id
        write_volume(drawn, folder / "drawn.nii")  # not compressed: it is read at once
        parameters = {
            "image": str(self._case(case_id).image),
            "drawn": str(folder / "drawn.nii"),
            "previous": None if before is None else str(before),
            "slices": list(changes.touched),
            "axis": changes.axis,
            "network": network,
            "output": str(folder / "mask.nii"),
        }
        job = start("propagate_slices", parameters)
        began = slice_checksums(drawn.array)
        return Propagation(case_id, job, began, folder / "mask.nii", changes.axis, changes.touched)

    def apply(self, propagation: Propagation, save_state: Callable[[], Any] | None) -> Steps[str]:
        """Put a finished propagation into the scene as one step of undo; returns what was done, in words.

        :raises LabelError: the label was changed while the job ran.
        :raises LiverSegError: the job has failed or was cancelled.
        """
        note: str = propagation.job.wait()["note"]
        drawing = self.look(propagation.case_id)
        same, mask, carried = yield lambda: self._propagated(propagation, drawing)
        node = self.phase(propagation.case_id).segmentation
        if not same or drawing_stamp(node) != drawing.stamp:
            what = "was changed while its corrections were propagated"
            raise LabelError(what, propagation.case_id, "propagate again")
        set_labels(node, mask, save_state)
        self._carried[drawing.node_id, drawing.label_id] = carried
        return note

    def _propagated(self, propagation: Propagation, drawing: Drawing) -> tuple[bool, Volume, Carried]:
        same = slice_checksums(drawing.mask.array) == propagation.began
        mask = read_mask(propagation.mask, drawing.mask.geometry)
        shutil.rmtree(propagation.mask.parent, ignore_errors=True)
        return same, mask, Carried(propagation.axis, propagation.slices, slice_checksums(mask.array))

    # --- the verdict --------------------------------------------------------------------------------------------

    def record(self, case_id: str, verdict: str, reviewer: str, seconds: float, comment: str) -> Steps[Label]:
        """A person's verdict on what is in the scene; without it there, on the newest label of the case.

        To be run by the writer.

        :raises LabelError: there is nothing to judge, it is an expert's, or it was changed and is to be accepted.
        """
        if verdict not in VERDICTS:
            raise LabelError(f"there is no verdict {verdict!r}", case_id, f"use {', '.join(VERDICTS)}")
        if self.find(case_id) is None and verdict != CORRECT:
            return (yield lambda: self._judge_unseen(case_id, verdict, reviewer, seconds, comment))
        drawing = self.look(case_id)
        label: Label = yield lambda: self._judge(drawing, verdict, reviewer, seconds, comment)
        node = self._scene.GetNodeByID(drawing.node_id)
        if node is not None:  # it may have been deleted in the meantime
            node.SetAttribute(LABEL, label.id)
        return label

    def _judge_unseen(self, case_id: str, verdict: str, reviewer: str, seconds: float, comment: str) -> Label:
        from LiverSegSSLLib.rounds.reviewing import give_verdict

        label = give_verdict(self._store, case_id, _state(verdict), reviewer, seconds, comment)
        discard_work(self._store.workspace, case_id)
        return label

    def _judge(self, drawing: Drawing, verdict: str, reviewer: str, seconds: float, comment: str) -> Label:
        now, changed = self.changed(drawing)
        if verdict == CORRECT:
            label = self._correct(drawing, any(changed), reviewer, seconds, comment)
            self.take_as_loaded(drawing.node_id, label.id, now)
        elif not drawing.label_id:
            what = "draw one and record it as correct, or propose one"
            raise LabelError("has no label yet", drawing.case_id, what)
        elif verdict == ACCEPT and any(changed):
            what = "has been changed since it was loaded"
            raise LabelError(what, drawing.case_id, "record it as correct, or take the changes back")
        else:
            label = self._store.review(
                drawing.label_id, _state(verdict), author=reviewer, seconds=seconds, comment=comment
            )
        self.work.judged(drawing.case_id, now)
        return label

    def _correct(self, drawing: Drawing, changed: bool, reviewer: str, seconds: float, comment: str) -> Label:
        from LiverSegSSLLib.labels.label import LabelState

        case_id, mask = drawing.case_id, drawing.mask
        if not mask.array.any():
            raise LabelError("the mask is empty", case_id, "draw the liver, or reject the label")
        if not changed:
            raise LabelError("has not been changed since it was loaded", case_id, "accept it as it is")
        if drawing.label_id:
            return self._store.correct(drawing.label_id, mask, author=reviewer, seconds=seconds, comment=comment)
        return self._store.add(
            case_id,
            replace(mask, trailing_singleton=read_header(self._case(case_id).image).trailing_singleton),
            source="drawn",
            round=0,
            state=LabelState.CORRECTED,
            author=reviewer,
            seconds=seconds,
            parameters={"comment": comment} if comment else {},
        )

    # --- showing other drawings ---------------------------------------------------------------------------------

    def show_label(self, label: Label, save_state: Callable[[], Any] | None) -> Steps[None]:
        """Show a label of the ledger in place of what is drawn, as one step of undo."""
        mask = yield lambda: self.on_image(label.case_id, self._store.read_mask(label))
        node = self.phase(label.case_id).segmentation
        set_labels(node, mask, save_state)
        node.SetAttribute(LABEL, label.id)

    def put_back(self, case_id: str, save_state: Callable[[], Any] | None) -> Steps[float]:
        """Show work that was left, as one step of undo; it counts as a change of the label that it began from.

        To be run by the writer. Returns the seconds that were spent on it.

        :raises LabelError: there is none of this case.
        """
        work, mask = yield lambda: self._left(case_id)
        node = self.phase(case_id).segmentation
        set_labels(node, mask, save_state)
        node.SetAttribute(LABEL, work.label_id)
        seconds: float = work.seconds
        return seconds

    def _left(self, case_id: str) -> Any:
        from LiverSegSSLPanel.work import left_work, work_mask

        workspace = self._store.workspace
        work = next((one for one in left_work(workspace) if one.case_id == case_id), None)
        if work is None:
            raise LabelError("has no work in progress", case_id)
        return work, work_mask(workspace, case_id, read_geometry(self._case(case_id).image))

    def on_image(self, case_id: str, mask: Volume) -> Volume:
        """The mask on the image's own grid: the label file's numbers may differ by their rounding."""
        from LiverSegSSLLib.volume import require_same_grid

        geometry = read_geometry(self._case(case_id).image)
        require_same_grid(mask.geometry, geometry, case_id)
        return Volume(mask.array, geometry)


def _state(verdict: str) -> Any:
    from LiverSegSSLLib.labels.label import LabelState

    return LabelState.ACCEPTED if verdict == ACCEPT else LabelState.REJECTED
