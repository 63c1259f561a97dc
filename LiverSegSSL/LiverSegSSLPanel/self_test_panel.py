"""The steps of the self test as a person does them: with the widgets of the panel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.self_test import wait_for

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.logic import Logic

MODULE = "LiverSegSSL"


class ByPanel:
    """The steps with the panel."""

    def __init__(self) -> None:
        slicer.util.selectModule(MODULE)
        slicer.app.processEvents()
        self.widget = slicer.util.getModuleWidget(MODULE)
        self.panel = self.widget.panel
        self.logic: Logic = self.widget.logic
        self._sections = {type(section).__name__: section for section in self.widget.sections}
        for section in self.widget.sections:
            section.button.collapsed = False
        panel = self.panel
        wait_for(lambda: panel.has_gpu is not None or not panel.readiness.ok, "the look at what is installed")

    @property
    def why_not(self) -> str:
        """Why jobs cannot be started here; empty: they can."""
        return str(self.panel.readiness.reason)

    def open(self, data: Path, workspace: Path) -> None:
        ui = self._ui("Cohort")
        ui.folderPath.currentPath = str(data)
        ui.workspacePath.currentPath = str(workspace)
        self._click(ui.openButton, "opening the cohort")
        wait_for(lambda: self.panel.has_cohort and self.logic.workspace == workspace, "the cohort")

    def propose(self, support: str, targets: list[str]) -> None:
        propose, parameters = self._section("Propose"), self.panel.parameters
        propose.ui.methodBox.setCurrentIndex(propose.ui.methodBox.findData("transfer"))
        parameters.proposeSupports, parameters.proposeTargets = [support], targets

        def ticked() -> bool:
            wish = propose.form.wish()
            return set(wish.targets) == set(targets) and wish.supports == (support,)

        wait_for(ticked, "the ticks of Propose")
        self._job("Propose", propose.ui.proposeButton)

    def look_at(self, case_id: str) -> None:
        self._section("Review").open_case(case_id)
        wait_for(lambda: self.panel.case_id == case_id, f"the views of {case_id}")

    def propagate(self, case_id: str) -> None:
        review = self._section("Review")
        view = review.case.propagating.view
        self._click(review.ui.propagateButton, "the propagation")
        wait_for(lambda: view.job is not None and self._heard(view.job), "the end of the propagation")
        assert view.job.error() is None, view.job.error()
        wait_for(lambda: not review.tasks.busy, "the propagation in the scene")

    def judge(self, case_id: str, verdict: str) -> None:
        review = self._section("Review")
        button = {"correct": review.ui.correctButton, "accept": review.ui.acceptButton}[verdict]
        before = len(self.logic.store.history(case_id))
        self._click(button, verdict)
        wait_for(lambda: len(self.logic.store.history(case_id)) > before, f"the verdict on {case_id}")
        wait_for(lambda: not review.tasks.busy and not self.panel.studies.loading, "the next case")

    def export(self, folder: Path) -> None:
        ui = self._ui("Results")
        ui.exportPath.currentPath = str(folder)
        self._job("Results", ui.exportButton)

    def parameters(self) -> Any:
        return self.panel.parameters

    def close(self) -> None:
        self.panel.studies.close()
        self.logic.closeCohort()
        self.panel.tell(Notice.COHORT)
        wait_for(lambda: not self._section("Review").tasks.busy, "the panel to come to rest")

    def _heard(self, job: RunningJob) -> bool:
        """Whether a job has ended, and the panel has been told."""
        return not job.running and job not in self.panel.jobs.running

    def _section(self, name: str) -> Any:
        return self._sections[f"{name}Section"]

    def _ui(self, name: str) -> Any:
        return self._section(name).ui

    def _click(self, button: Any, what: str) -> None:
        wait_for(lambda: button.enabled, f"{what} ({button.toolTip})")
        button.click()

    def _job(self, name: str, button: Any) -> None:
        """Click, and wait for the job that this starts."""
        known = set(map(id, self.logic.jobs))
        self._click(button, name)
        started = [job for job in self.logic.jobs if id(job) not in known]
        assert started, self._ui(name).messageLabel.text
        wait_for(lambda: self._heard(started[0]), f"the end of {name}")
        error = started[0].error()
        assert error is None, error
