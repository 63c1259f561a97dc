"""Pictures of the panel for README and tutorial: ``python Testing/screenshots.py OUT``.

They are made in the stand-in host (Testing/host), outside 3D Slicer, on the built-in study: layout and wiring are the
panel's own, what Slicer's widgets draw is not Slicer's. With ``--work FOLDER`` the study, its proposals and its model
are kept there, and the next time is quick.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Not the folder of this file: its "slicer" holds tests.
sys.path[:] = [str(ROOT), str(ROOT / "LiverSegSSL"), *(path for path in sys.path if Path(path).name != "Testing")]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np  # noqa: E402

from Testing.host.host import Host  # noqa: E402
from Testing.slicer.panels import open_module, section  # noqa: E402

LIMIT_S = 1800.0
WIDTH, HEIGHT, PANEL = 1600, 1000, 560
PHASES = ["T1", "T2"]
TRAINING = "\n".join(
    [
        "propose=[{method: transfer, targets: [T1, T2]}]",
        "phases=[GED4, T1, T2]",
        "learn.options={epochs: 8, iterations_per_epoch: 10, val_iterations: 2}",
    ]
)
"""A short one, that its curves are there in minutes without a GPU."""

log = logging.getLogger("screenshots")


class Photographer:
    """The panel in the host, and the pictures of it.

    :param work: where the study is kept.
    """

    def __init__(self, host: Host, work: Path, out: Path) -> None:
        self.host, self.work, self.out = host, work, out
        self.widget = open_module(host)
        self.panel, self.logic = self.widget.panel, self.widget.logic
        self.logic.workers = 0
        host.main_window.resize(WIDTH, HEIGHT)
        host.window._pages.setMinimumWidth(PANEL)
        self.until(lambda: not self.panel.jobs.running)

    def until(self, condition: Callable[[], Any]) -> None:
        """Let the application live until something holds."""
        self.host.process(condition, timeout=LIMIT_S)

    def unfold(self, name: str) -> Any:
        """Unfold one section and fold the others; returns it."""
        found = section(self.widget, name)
        for one in self.widget.sections:
            one.button.collapsed = one is not found
        self.host.wait(0.5)
        return found

    def picture(self, name: str) -> None:
        """Take a picture of a section."""
        found = self.unfold(name)
        self._save(found.button, name.lower())

    def window(self, name: str) -> None:
        """Take a picture of everything."""
        self._save(self.host.main_window, name)

    def _save(self, what: Any, name: str) -> None:
        path = self.out / f"{name}.png"
        self.host.screenshot(what, path)
        log.info("%s", path)

    # --- the steps ----------------------------------------------------------------------------------------------

    def open_cohort(self) -> None:
        """Make the built-in study and open it."""
        self.panel.jobs.watch(self.logic.sampleCohort(self.work))
        self.until(lambda: not self.panel.jobs.running)
        ui = self.unfold("Cohort").ui
        self.host.choose_folder(ui.folderPath, self.work / "data")
        self.host.click(ui.openButton)
        self.until(lambda: self.panel.has_cohort and ui.studyTable.model().rowCount() > 0)
        self.until(lambda: not self.panel.jobs.running)  # what an earlier call has left running

    def propose(self) -> None:
        """Have labels proposed; the picture is of the job at work."""
        propose = self.unfold("Propose")
        self.host.choose(propose.ui.methodBox, propose.ui.methodBox.itemText(_index(propose.ui.methodBox, "transfer")))
        self.panel.parameters.proposeTargets = PHASES
        self.until(lambda: set(propose.form.wish().targets) == set(PHASES))
        self.until(lambda: propose.ui.proposeButton.enabled)
        self.host.click(propose.ui.proposeButton)
        job = propose.view.job
        self.until(lambda: not propose.view.running or (job.stage.startswith("round") and job.done))
        self.picture("Propose")
        self.until(lambda: not self.panel.jobs.running)

    def review(self) -> None:
        """Correct one label, with the picture before it is recorded; accept the next."""
        review = self.unfold("Review")
        self.until(lambda: review.ui.queueTable.rowCount > 1)
        self.host.type(review.ui.reviewerEdit, "Dr. N.")
        self.host.click_cell(review.ui.queueTable, 0, 1)
        self.until(lambda: self.panel.case_id and not review.tasks.busy)
        self._draw(self.panel.case_id, review.case.strip.current)
        self.until(lambda: review.ui.correctButton.enabled and not review.tasks.busy)
        self.picture("Review")
        self.window("window")
        self.host.theme(dark=True)
        self.host.wait(0.3)
        self.window("dark")
        self.host.theme(dark=False)
        for button in (review.ui.correctButton, review.ui.acceptButton):
            case_id = self.panel.case_id
            self.until(lambda button=button: button.enabled)
            self.host.click(button)
            self.until(lambda case_id=case_id: self.panel.case_id != case_id and not review.tasks.busy)

    def _draw(self, case_id: str, shown: int) -> None:
        """The liver a little larger in the slice that is shown and its neighbours, as a brush makes it."""
        import slicer

        phase = self.logic.desk.phase(case_id)
        segment = phase.segmentation.GetSegmentation().GetNthSegmentID(0)
        array = np.array(slicer.util.arrayFromSegmentBinaryLabelmap(phase.segmentation, segment, phase.image))
        for index in (shown - 1, shown, shown + 1):
            array[index] = np.maximum(array[index], np.roll(array[index], 3, axis=1))
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, phase.segmentation, segment, phase.image)

    def retrain(self) -> None:
        """Train, and show curves and figures at the end."""
        retrain = self.unfold("Retrain")
        ui = retrain.ui
        self.host.choose(ui.presetBox, "cpu")
        self.host.type(ui.foldsBox, "2")
        ui.advancedBox.collapsed = False
        ui.changesEdit.setPlainText(TRAINING)
        self.host.wait(1.0)
        self.until(lambda: ui.trainButton.enabled)
        ui.advancedBox.collapsed = True
        self.host.click(ui.trainButton)
        self.until(lambda: not self.panel.jobs.running)
        self.until(lambda: ui.figuresBox.visible)
        self.picture("Retrain")

    def results(self) -> None:
        """Measure the proposals against the phantom's truth."""
        ui = self.unfold("Results").ui
        self.host.choose_folder(ui.truthPath, self.work / "truth")
        self.until(lambda: ui.evaluateButton.enabled)
        self.host.click(ui.evaluateButton)
        self.until(lambda: not self.panel.jobs.running)
        self.picture("Results")


def _index(box: Any, data: str) -> int:
    return int(box.findData(data))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--work", type=Path, help="folder for the built-in study; without it, a temporary one")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, Host(Path(temporary) / "slicer") as host:
        photographer = Photographer(host, (asked.work or Path(temporary)).absolute(), asked.out.absolute())
        photographer.picture("Setup")
        photographer.open_cohort()
        photographer.propose()
        photographer.picture("Cohort")
        photographer.review()
        photographer.retrain()
        photographer.results()


if __name__ == "__main__":
    main()
