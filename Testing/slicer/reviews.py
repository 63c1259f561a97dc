"""A cohort with proposals to be reviewed, the panel open on it, and what a person does there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from LiverSegSSLLib.types import Decision, Score
from LiverSegSSLLib.volume import read_mask
from Testing.integration.loop_cohort import write_small_cohort
from Testing.slicer.panels import open_module, section


def write_proposed_cohort(folder: Path) -> None:
    """Four small studies with a queue of four cases, ``data`` and ``workspace``, in this order: GED4, T2, T2, GED4.

    One T2 is proposed by transfer. The others are the truth, moved and blurred: proposing them takes too long.
    """
    from LiverSegSSLPanel.logic_jobs import JobLogic

    data, truth, _recipe = write_small_cohort(folder)
    logic = JobLogic(device="cpu", workers=1)
    rows = logic.openCohort(data, folder / "workspace")
    labelled = [row for row in rows if row.phases[0].state == "expert"]
    bare = [row for row in rows if row.phases[0].state == "none"]
    logic.propose("transfer", targets=["T2"], supports=[labelled[0].phases[0].case_id]).wait(300)
    by_hand = {0.9: bare[0].phases[0], 0.7: labelled[1].phases[1], 0.01: bare[1].phases[0]}
    for need, cell in by_hand.items():
        mask = read_mask(truth / f"{cell.case_id}.nii.gz")
        probability = ndimage.gaussian_filter(np.roll(mask.array, 1, axis=2).astype(np.float32), 0.7)
        proposal = mask.with_array((probability >= 0.5).astype(np.uint8))
        chances = mask.with_array(probability)
        label = logic.store.add(cell.case_id, proposal, source="atlas", round=1, probability=chances)
        scores = (Score("parts", 0.0, False, "2 separate parts, the second of 14 mL"),)
        logic.store.record(Decision(cell.case_id, label.id, scores, False, "parts", need))
    logic.closeCohort()


class Reviewing:
    """The panel on a cohort, with the person in Review.

    :param data: the cohort; its labels lie in ``workspace``.
    """

    def __init__(self, host: Any, data: Path, workspace: Path) -> None:
        self.host = host
        self.data, self.workspace = data, workspace
        self.open(open_module(host))

    @classmethod
    def on_copy(cls, host: Any, cohort: Path, folder: Path) -> Reviewing:
        """On a copy of the workspace of :func:`write_proposed_cohort`."""
        shutil.copytree(cohort / "workspace", folder / "workspace")
        return cls(host, cohort / "data", folder / "workspace")

    def open(self, widget: Any) -> None:
        """Open the cohort in the panel, and wait for the queue."""
        from LiverSegSSLPanel.notices import Notice

        self.widget = widget
        for one in widget.sections:
            one.button.collapsed = type(one).__name__ != "ReviewSection"
        self.panel, self.logic = self.widget.panel, self.widget.logic
        self.section = section(self.widget, "Review")
        self.ui = self.section.ui
        self.logic.openCohort(self.data, self.workspace)
        self.panel.tell(Notice.COHORT)
        self.host.process(lambda: self.ui.queueTable.rowCount > 0, timeout=60)

    def settle(self) -> None:
        """Wait until nothing is under way."""
        self.host.process(lambda: not self.section.tasks.busy and not self.panel.studies.loading, timeout=60)

    def choose(self, row: int) -> str:
        """Click a line of the queue; returns the case, which is then looked at."""
        self.host.click_cell(self.ui.queueTable, row, 1)
        self.host.process(lambda: not self.panel.studies.loading)
        self.settle()
        return self.panel.case_id

    def draw(self, *slices: int, shift: int = 2) -> np.ndarray:
        """Move the liver in some slices, as a stroke would change it; the panel has seen it. Returns the mask."""
        import slicer

        phase = self.logic.desk.phase(self.panel.case_id)
        segment_id = phase.segmentation.GetSegmentation().GetNthSegmentID(0)
        self.section.case.editor.widget.saveStateForUndo()
        array = self.drawn().copy()
        for index in slices:
            array[index] = np.roll(array[index], shift, axis=1)
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, phase.segmentation, segment_id, phase.image)
        self.host.wait(0.6)
        self.settle()
        return array

    def drawn(self) -> np.ndarray:
        """What is drawn of the case that is looked at, ``[z, y, x]``."""
        return self.logic.desk.drawn(self.panel.case_id).array

    def liver(self) -> list[int]:
        """The slices that show the liver."""
        return np.flatnonzero(self.drawn().any(axis=(1, 2))).tolist()

    def queue(self) -> list[str]:
        """The studies in the queue, from the first."""
        return [self.ui.queueTable.item(row, 1).text() for row in range(self.ui.queueTable.rowCount)]
