"""Set up: what is installed, what is missing, and which Python runs the jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLPanel import sample_data, settings
from LiverSegSSLPanel.equipment import MODULES, PROPOSER_WEIGHTS, Equipment, weights_state
from LiverSegSSLPanel.installing import (
    SAM2_STEPS,
    SAM2_VARIABLES,
    Outcome,
    declined,
    install_into_slicer,
    install_torch,
    requirements,
)
from LiverSegSSLPanel.library import Readiness, panel_readiness
from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.sections.job_view import JobView
from LiverSegSSLPanel.sections.section import Section
from LiverSegSSLPanel.sections.weights_box import WeightsBox

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob


class SetupSection(Section):
    """Set up: what is installed, what is missing, and which Python runs the jobs.

    Nothing is installed or downloaded without a click and a yes.
    """

    FILE: ClassVar[str] = "SetupSection.ui"

    def setup(self) -> None:
        ui, logic = self.ui, self.panel.logic
        logic.python = settings.read("python") or None
        logic.device = settings.read("device", "auto")
        logic.workers = settings.read_int("workers")
        self._looking: RunningJob | None = None
        self._equipment: Equipment | None = None
        self._may_fold = True
        self._log = ""
        self._weights = WeightsBox(self, self._look)
        self._trying = JobView(self.panel, ui.jobPlace, ui.tryButton, _("Try it on the built-in study"))
        self._installing = JobView(self.panel, ui.jobPlace, ui.jobsInstallButton, _("Install …"))
        self._installing_sam2 = JobView(self.panel, ui.jobPlace, ui.sam2InstallButton, _("Install …"))
        ui.copyLogButton.visible = False
        ui.pythonEdit.text = settings.read("python")
        for text, device in (
            (_("Automatic"), "auto"),
            (_("Graphics card (CUDA)"), "cuda"),
            (_("Apple GPU (MPS)"), "mps"),
            (_("Processor"), "cpu"),
        ):
            ui.deviceBox.addItem(text, device)
        ui.deviceBox.setCurrentIndex(max(0, ui.deviceBox.findData(logic.device)))
        ui.workersBox.value = logic.workers
        self.button.connect("contentsCollapsed(bool)", self._folded)
        ui.panelInstallButton.connect("clicked()", self._install_for_panel)
        ui.jobsInstallButton.connect("clicked()", self._install_for_jobs)
        ui.sam2InstallButton.connect("clicked()", self._install_sam2)
        ui.copyLogButton.connect("clicked()", self._copy_log)
        ui.checkButton.connect("clicked()", self._look)
        ui.tryButton.connect("clicked()", self._try)
        ui.pythonEdit.connect("editingFinished()", self._take_python)
        ui.pythonButton.connect("clicked()", self._choose_python)
        ui.deviceBox.connect("currentIndexChanged(int)", self._take_device)
        ui.workersBox.connect("valueChanged(int)", self._take_workers)
        self._show()

    def enter(self) -> None:
        if self._equipment is None and self._looking is None:
            self._look()

    # --- looking ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Ask the Python that runs the jobs what it has: in a process of its own, heard of later."""
        self._equipment = None
        try:
            self._looking = self.panel.logic.equip("look", modules=MODULES)
        except LiverSegError:
            self._looking = None
            self._tell(Readiness(False, self._no_python()))
            self._show()
            return
        self.panel.jobs.watch(self._looking, self._looked)
        self._show()

    def _looked(self, job: RunningJob) -> None:
        if job is not self._looking:  # another Python was chosen meanwhile
            return
        self._looking = None
        if job.error() is None and job.result:  # a program that is no Python may end well, having said nothing
            self._equipment = Equipment(job.result, str(self.panel.logic.python or ""))
            self.panel.has_gpu = job.result["device"]["kind"] == "cuda"
            self._tell(self._equipment.readiness)
        else:
            self._tell(Readiness(False, self._no_python()))
        self._show()
        if self._may_fold and self.panel.readiness.ok and panel_readiness().ok:
            self.button.collapsed = True
        self._may_fold = False

    def _tell(self, readiness: Readiness) -> None:
        self.panel.readiness = readiness
        self.panel.tell(Notice.READY)

    def _no_python(self) -> str:
        return _("{python}: is no Python of version 3.11 or newer that runs – choose another one").format(
            python=self.panel.logic.python or _("Slicer's own Python")
        )

    def _folded(self, collapsed: bool) -> None:
        self._may_fold = False  # from now on it is as the person wants it

    def _show(self) -> None:
        """What is there and what is missing, line by line."""
        ui, found = self.ui, self._equipment
        panel = panel_readiness()
        ui.panelState.text = _("Installed") if panel.ok else panel.reason
        ui.panelInstallButton.visible = bool(panel.packages)
        unknown = _("Looking …") if self._looking is not None else ""
        ready = self.panel.readiness
        ui.jobsState.text = unknown or (self._python(found) if ready.ok else ready.reason)
        ui.torchState.text = unknown if found is None else found.torch()
        ui.nnunetState.text = unknown if found is None else found.package("nnunetv2")
        ui.sam2State.text = unknown if found is None else self._sam2(found)
        ui.weightsState.text = unknown if found is None else weights_state(found.weights(PROPOSER_WEIGHTS))
        ui.computerLabel.text = "" if found is None else found.computer(self.panel.logic.device)
        can_install = found is not None and panel.ok
        ui.jobsInstallButton.visible = found is not None and bool(found.readiness.packages)
        self._installing.offer([] if can_install else [_("Install what this panel needs first.")])
        ui.sam2InstallButton.visible = found is not None and not found.has("sam2")
        missing = [] if found is not None and found.has("torch") else [_("Install what the jobs need first.")]
        self._installing_sam2.offer(
            missing, _("It is built on this computer with the PyTorch that is there; no compiler is needed.")
        )
        self._trying.offer(
            [] if panel.ok and ready.ok else [line for line in (panel.reason, ready.reason) if line],
            _(
                "A digital phantom, computed on this computer and no patient: ten studies, four of them labelled. They "
                "are put into {folder}."
            ).format(folder=sample_data.sample_folder()),
        )
        if found is not None or self._looking is None:
            self._weights.show(found)

    @staticmethod
    def _python(found: Equipment | None) -> str:
        return "" if found is None else _("Installed (Python {version})").format(version=found.found["python"])

    @staticmethod
    def _sam2(found: Equipment) -> str:
        state = found.package("sam2")
        return state if found.has("sam2") else _("{state}; only few-shot proposals need it").format(state=state)

    # --- installing ---------------------------------------------------------------------------------------------

    def _install_for_panel(self) -> None:
        needed = self._needed(panel_readiness().packages)
        if self._agreed(_("Install into Slicer's own Python?"), needed):
            self._ended(install_into_slicer(needed))

    def _install_for_jobs(self) -> None:
        if self._installing.running:
            self._installing.toggle(self._start_pip)
        elif self.panel.logic.python is not None:
            question = _("Install into {python}? A few gigabytes may be downloaded.").format(
                python=self.panel.logic.python
            )
            if self._agreed(question, self._needed_for_jobs()):
                with self.telling():
                    self._installing.toggle(self._start_pip, self._pip_ended)
        else:
            self._install_for_jobs_into_slicer()

    def _install_for_jobs_into_slicer(self) -> None:
        needed = self._needed_for_jobs()
        torch = [line for line in needed if line in self._needed(["torch"])]
        others = [line for line in needed if line not in torch]
        outcome = install_torch(torch[0]) if torch else None
        if others and (outcome is None or outcome.ok):
            if not self._agreed(_("Install into Slicer's own Python?"), others):
                return
            outcome = install_into_slicer(others)
        if outcome is not None:
            self._ended(outcome)

    def _install_sam2(self) -> None:
        if self._installing_sam2.running or self._agreed(
            _("Install SAM 2? It is built on this computer with the PyTorch that is there."),
            [step[-1] for step in SAM2_STEPS],
        ):
            steps = [list(step) for step in SAM2_STEPS]
            with self.telling():
                self._installing_sam2.toggle(
                    lambda: self.panel.logic.equip("install", steps=steps, variables=SAM2_VARIABLES), self._pip_ended
                )

    def _start_pip(self) -> RunningJob:
        return self.panel.logic.equip("install", steps=[self._needed_for_jobs()])

    def _pip_ended(self, job: RunningJob) -> None:
        for view in (self._installing, self._installing_sam2):
            view.hide()  # said below, with the log
        error = job.error()
        self._ended(Outcome(error is None, _("Installed.") if error is None else str(error), job.log()))

    def _needed_for_jobs(self) -> list[str]:
        return self._needed(() if self._equipment is None else self._equipment.readiness.packages)

    def _needed(self, packages: tuple[str, ...] | list[str]) -> list[str]:
        return requirements(Path(self.panel.resource("requirements.txt")), packages)

    def _agreed(self, question: str, needed: list[str]) -> bool:
        agreed = slicer.util.confirmOkCancelDisplay(
            f"{question}\n\n{', '.join(needed)}", _("LiverSegSSL: install packages")
        )
        if not agreed:
            self._ended(declined())
        return bool(agreed)

    def _ended(self, outcome: Outcome) -> None:
        """Say how an installation has ended, and look at what is there now."""
        self._log = outcome.log
        self.ui.copyLogButton.visible = bool(outcome.log) and not outcome.ok
        self._look()
        self.say(outcome.message, wrong=not outcome.ok)

    def _copy_log(self) -> None:
        slicer.app.clipboard().setText(self._log)

    # --- the built-in study -------------------------------------------------------------------------------------

    def _try(self) -> None:
        with self.telling():
            self._trying.toggle(
                lambda: self.panel.logic.sampleCohort(sample_data.sample_folder(), sample_data.PRESET), self._made
            )

    def _made(self, job: RunningJob) -> None:
        if job.error() is not None:
            return
        self._trying.hide()
        data = job.result["files"]["Data"]
        self.say(_("The built-in study is in {folder}. Go on with Cohort.").format(folder=data))
        if self.panel.parameters is not None:
            self.panel.parameters.cohortFolder = data

    # --- what belongs to this computer --------------------------------------------------------------------------

    def _choose_python(self) -> None:
        file = qt.QFileDialog.getOpenFileName(self.page, _("The program “python” of another environment"))
        if file:
            self.ui.pythonEdit.text = file
            self._take_python()

    def _take_python(self) -> None:
        python = self.ui.pythonEdit.text.strip()
        if python == (self.panel.logic.python or ""):
            return
        settings.write("python", python)
        self.panel.logic.python = python or None
        self.say("")
        self._look()

    def _take_device(self) -> None:
        self.panel.logic.device = self.ui.deviceBox.currentData
        settings.write("device", self.panel.logic.device)
        self.panel.tell(Notice.READY)
        self._show()

    def _take_workers(self) -> None:
        self.panel.logic.workers = self.ui.workersBox.value
        settings.write("workers", self.panel.logic.workers)
