"""Taking labels away: masks as NIfTI in a job; segmentations and DICOM SEG of the loaded study, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ctk
from slicer.i18n import tr as _

from LiverSegSSLPanel.propose_words import state_name
from LiverSegSSLPanel.sections.job_view import JobView
from LiverSegSSLPanel.sections.section import follow_path
from LiverSegSSLPanel.sections.tick_list import Entry, TickList
from LiverSegSSLPanel.timers import Timer

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.results import LabelCount
    from LiverSegSSLPanel.scene.study import StudyInScene

STATES = ("expert", "corrected", "accepted", "proposed")


class ExportBox:
    """The part of Results that writes files into a folder of the person's.

    :param say: shows a line in the section; ``telling``: shows there what goes wrong inside.
    """

    def __init__(
        self,
        panel: Panel,
        ui: Any,
        say: Callable[[str], None],
        telling: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._panel, self._ui, self._say, self._telling = panel, ui, say, telling
        self._counts: dict[str, int] = {}
        self._shown_folder = ""
        self._todo: list[Callable[[], Path]] = []
        self._written: list[Path] = []
        self._dicom: dict[str, tuple[bool, str]] = {}  # by phase of the loaded study: whether, else why not
        self.states = TickList(ui.statesList, self._keep_states)
        self.view = JobView(panel, ui.exportPlace.layout(), ui.exportButton, _("Export masks"))
        self._timer = Timer(self._write_next)
        ui.exportPath.filters = ctk.ctkPathLineEdit.Dirs
        follow_path(ui.exportPath, self._keep_folder)
        ui.exportButton.connect("clicked()", self._export)
        ui.segmentationsButton.connect("clicked()", self._save_segmentations)
        ui.dicomButton.connect("clicked()", self._export_dicom)

    def cleanup(self) -> None:
        """Write no more."""
        self._timer.cleanup()

    def show(self, labels: Sequence[LabelCount]) -> None:
        """Show what can be taken away."""
        parameters = self._panel.parameters
        self._counts = {state: sum(count.states.get(state, 0) for count in labels) for state in STATES}
        texts = {state: f"{state_name(state)} · {self._counts[state]}" for state in STATES}
        self.states.show([Entry(state, text) for state, text in texts.items()], parameters.exportStates)
        if parameters.exportFolder != self._shown_folder:  # what is being typed, and is no folder yet, stays
            self._shown_folder = self._ui.exportPath.currentPath = parameters.exportFolder
        self._offer()

    def study_changed(self) -> None:
        """Look which labels of the loaded study could be DICOM SEG; comparing voxels is nothing to do at every key."""
        logic = self._panel.logic
        study = logic.loadedStudy() if self._panel.has_cohort else None
        phases = study.phases if study is not None else ()
        self._dicom = {phase.phase: logic.canExportDicomSeg(phase.case_id) for phase in phases}

    def _offer(self) -> None:
        self.view.offer(
            self._missing(),
            _("Write the label that stands for each case as a mask: <study>/<phase>.nii.gz, on the grid of its image."),
        )
        study = self._panel.logic.loadedStudy() if self._panel.has_cohort else None
        self._offer_segmentations(study)
        self._offer_dicom(study)

    def _missing(self) -> list[str]:
        readiness = self._panel.readiness
        missing = [] if readiness.ok else [_("{reason} (section Set up).").format(reason=readiness.reason)]
        if not self._panel.has_cohort:
            missing.append(_("Open a cohort first (section Cohort)."))
        if not self._folder:
            missing.append(_("Choose a folder to write to."))
        if not self.states.ticked:
            missing.append(_("Tick which labels are to be written."))
        elif self._panel.has_cohort and not sum(self._counts[state] for state in self.states.ticked):
            missing.append(_("There is no label of the ticked kinds."))
        return missing

    def _offer_segmentations(self, study: StudyInScene | None) -> None:
        missing = self._missing_of_study(study)
        if not missing and not self._panel.logic.drawnCases():
            missing.append(_("The loaded study has no label."))
        tip = _("Write the segmentations of the loaded study as drawn: <study>/<phase>.seg.nrrd, with SNOMED CT codes.")
        self._ui.segmentationsButton.enabled = not missing
        self._ui.segmentationsButton.toolTip = "\n".join(missing) or tip

    def _offer_dicom(self, study: StudyInScene | None) -> None:
        missing = self._missing_of_study(study)
        possible = [phase for phase, (ok, _reason) in self._dicom.items() if ok]
        if not possible:
            reasons: dict[str, list[str]] = {}
            for phase, (_ok, reason) in self._dicom.items():
                reasons.setdefault(reason, []).append(phase)
            missing += [f"{', '.join(phases)}: {reason}." for reason, phases in reasons.items()]
        tip = _("Write {phases} as DICOM SEG, also into Slicer's DICOM database. The files name the patient.").format(
            phases=", ".join(possible)
        )
        self._ui.dicomButton.enabled = not missing
        self._ui.dicomButton.toolTip = "\n".join(missing) or tip

    def _missing_of_study(self, study: StudyInScene | None) -> list[str]:
        missing = [] if study is not None else [_("Open a study first (double-click it in Cohort).")]
        if not self._folder:
            missing.append(_("Choose a folder to write to."))
        if self._todo:
            missing.append(_("Files are being written."))
        return missing

    # --- writing ------------------------------------------------------------------------------------------------

    def _export(self) -> None:
        care = bool(self._panel.parameters.exportCare)
        with self._telling():
            self.view.toggle(
                lambda: self._panel.logic.export(self._folder, self.states.ticked, care),
                self._exported,
            )

    def _exported(self, job: RunningJob) -> None:
        if job.state == "done":
            lines = job.result.get("lines", [])
            self._say(_("{what}, written to {folder}").format(what="; ".join(lines), folder=self._folder))

    def _save_segmentations(self) -> None:
        logic, folder = self._panel.logic, Path(self._folder)
        cases = [logic.case(case_id) for case_id in logic.drawnCases()]
        self._begin(
            [
                partial(logic.exportSegmentation, case.id, folder / case.study / f"{case.phase.value}.seg.nrrd")
                for case in cases
            ]
        )

    def _export_dicom(self) -> None:
        logic, folder = self._panel.logic, Path(self._folder)
        cases = [logic.case(case_id) for case_id in logic.drawnCases() if logic.canExportDicomSeg(case_id)[0]]
        # A folder for each: the exporter names its files after the second.
        self._begin(
            [
                partial(logic.exportDicomSeg, case.id, folder / case.study / f"{case.phase.value}-dicom")
                for case in cases
            ]
        )

    def _begin(self, todo: list[Callable[[], Path]]) -> None:
        self._todo, self._written = todo, []
        self._say(self._progress())
        self._offer()
        self._timer.start()

    def _write_next(self) -> None:
        """One file each time, so that nobody waits for all of them."""
        self._timer.stop()  # an exporter may let events be handled meanwhile
        write, written = self._todo[0], len(self._written)
        with self._telling():
            self._written.append(write())
        if len(self._written) == written:
            self._todo = []  # what went wrong is said; the rest would go wrong too
        else:
            self._todo = self._todo[1:]
            self._say(self._progress())
        if self._todo:
            self._timer.start()
        self._offer()

    def _progress(self) -> str:
        done, total = len(self._written), len(self._written) + len(self._todo)
        if self._todo:
            return _("Writing: {done} of {total} …").format(done=done, total=total)
        return _("{count} files written to {folder}").format(count=done, folder=self._folder)

    @property
    def _folder(self) -> str:
        return str(self._ui.exportPath.currentPath).strip()

    def _keep_folder(self, path: str) -> None:
        parameters = self._panel.parameters
        if parameters is not None and parameters.exportFolder != path.strip():
            parameters.exportFolder = path.strip()
        self._offer()

    def _keep_states(self, states: list[str]) -> None:
        parameters = self._panel.parameters
        if parameters is not None and list(parameters.exportStates) != states:
            parameters.exportStates = states
        self._offer()
