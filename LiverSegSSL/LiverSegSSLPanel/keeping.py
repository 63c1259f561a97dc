"""Keeping what is drawn and not recorded: the scene is looked at quickly, a thread compares and writes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from LiverSegSSLPanel.drawn import Drawing, LabelsInScene
from LiverSegSSLPanel.scene.slices import Checksums
from LiverSegSSLPanel.task import Steps, Task
from LiverSegSSLPanel.work import Work, discard_work, left_work, save_work


class WorkKeeper:
    """Work in progress of the labels in the scene.

    :param writer: of a single thread, so that all is written in the order in which it was asked for.
    """

    def __init__(self, labels: LabelsInScene, workspace: Path, writer: Executor) -> None:
        self._labels = labels
        self._workspace = workspace
        self._writer = writer
        self._kept: dict[str, Checksums] = {}  # by case: what was saved last; only the writer's thread touches it
        self._stamps: dict[str, tuple[Any, ...]] = {}  # by case: when that was last looked at
        self._saving: list[Task[list[str]]] = []

    def save(self, case_ids: list[str], reviewer: str, seconds: Mapping[str, float]) -> Task[list[str]]:
        """Keep what has been drawn since it was loaded or kept last; the result names the cases kept now."""
        task = Task(self._save(case_ids, reviewer, dict(seconds)), self._writer)
        self._saving = [one for one in self._saving if not one.poll()]
        self._saving.append(task)
        return task

    @property
    def busy(self) -> bool:
        """Whether something is still to be written. In Slicer it is written only while somebody polls this."""
        return not all([one.poll() for one in self._saving])

    def finish(self) -> None:
        """Wait until all is on the disk.

        :raises OSError: it cannot be written.
        """
        self._writer.submit(lambda: None).result()
        saving, self._saving = self._saving, []
        for task in saving:
            task.wait()

    def judged(self, case_id: str, checksums: Checksums) -> None:
        """A person has judged this drawing: it is not to be offered again. To be called in the writer's thread."""
        discard_work(self._workspace, case_id)
        self._kept[case_id] = checksums

    def forget(self, case_id: str) -> None:
        """Forget what was kept of a case; what is still in the scene will be kept again."""
        self._stamps.pop(case_id, None)
        self._writer.submit(self._discard, case_id)

    def left(self) -> Steps[list[Work]]:
        """What was left unfinished, newest first, once all that was asked for before is written."""
        return (yield lambda: left_work(self._workspace))

    def _save(self, case_ids: list[str], reviewer: str, seconds: Mapping[str, float]) -> Steps[list[str]]:
        drawings = []
        for case_id in case_ids:
            stamp = self._labels.stamp(case_id)
            if stamp and self._stamps.get(case_id) != stamp:
                drawings.append(self._labels.look(case_id))
                self._stamps[case_id] = stamp
        if not drawings:
            return []
        try:
            return (yield lambda: [one.case_id for one in drawings if self._keep(one, reviewer, seconds)])
        except BaseException:
            for drawing in drawings:  # to be tried again
                self._stamps.pop(drawing.case_id, None)
            raise

    def _keep(self, drawing: Drawing, reviewer: str, seconds: Mapping[str, float]) -> bool:
        now, changed = self._labels.changed(drawing)
        case_id = drawing.case_id
        if self._kept.get(case_id) == now or not any(changed):
            return False
        spent = seconds.get(case_id, 0.0)
        save_work(self._workspace, case_id, drawing.label_id, reviewer, spent, drawing.mask)
        self._kept[case_id] = now
        return True

    def _discard(self, case_id: str) -> None:
        discard_work(self._workspace, case_id)
        self._kept.pop(case_id, None)
