"""Cohort: the studies as a table, and opening one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ctk
from slicer.i18n import tr as _

from LiverSegSSLPanel import settings
from LiverSegSSLPanel.cohort_rows import ATTENTION, StudyRow, filtered
from LiverSegSSLPanel.cohort_words import count_text, phase_name, problems_title
from LiverSegSSLPanel.logic_cohort import Source
from LiverSegSSLPanel.notices import Notice
from LiverSegSSLPanel.propose_words import state_name
from LiverSegSSLPanel.sections.asking import Asking
from LiverSegSSLPanel.sections.badges import Badges
from LiverSegSSLPanel.sections.cohort_table import CohortTable
from LiverSegSSLPanel.sections.job_view import JobView
from LiverSegSSLPanel.sections.loaded_box import LoadedBox
from LiverSegSSLPanel.sections.section import Section, follow_path
from LiverSegSSLPanel.sections.study_box import StudyBox
from LiverSegSSLPanel.sections.task_watch import TaskWatch
from LiverSegSSLPanel.timers import Timer

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.task import Task

LAST_FOLDER = "CohortFolder"
"""In Slicer's settings: what was opened last."""

_FILTER_MS = 150
"""After the last letter typed into the search."""


class CohortSection(Section):
    """Cohort: the studies as a table, and opening one."""

    FILE: ClassVar[str] = "CohortSection.ui"

    def setup(self) -> None:
        """Connect widgets and listen to notices."""
        ui = self.ui
        ui.folderPath.filters = ctk.ctkPathLineEdit.Dirs
        ui.workspacePath.filters = ctk.ctkPathLineEdit.Dirs
        ui.manifestPath.filters = ctk.ctkPathLineEdit.Files
        ui.manifestPath.nameFilters = [_("Tables") + " (*.csv)"]
        self.tasks = TaskWatch(lambda text: self.say(text, wrong=True))
        self._reading = Asking(self.tasks, self._begin_rows, self._rows_read)
        self.job = JobView(self.panel, ui.jobLayout, ui.openButton, _("Open"))
        self.mending = JobView(self.panel, ui.jobLayout, ui.repairButton, _("Check and repair the workspace"))
        self.mending.offer(
            [], _("Nothing is lost: what cannot be used is moved to the folder lost+found in the workspace.")
        )
        ui.repairButton.visible = False
        self.table = CohortTable(ui.studyTable, self._open_study, self._chosen)
        self.study = StudyBox(self.panel, ui)
        self.loaded = LoadedBox(self.panel, ui, self.tasks, self.say, self._open_folder)
        self._search_later = Timer(self._filter, _FILTER_MS, once=True)
        ui.openButton.connect("clicked()", self._open_clicked)
        ui.repairButton.connect("clicked()", self._repair)
        ui.sceneButton.connect("clicked()", self._open_scenes)
        ui.openStudyButton.connect("clicked()", self.table.open_chosen)
        ui.searchBox.connect("textChanged(QString)", self._search)
        for path in (ui.folderPath, ui.manifestPath):
            follow_path(path, lambda text: self._offer())
        for box in (ui.stateBox, ui.phaseBox, ui.vendorBox):
            box.connect("currentIndexChanged(int)", self._filter)
        self.panel.listen(Notice.COHORT, self._cohort_changed)
        self.panel.listen(Notice.LABELS, self._reading.ask)
        self.panel.listen(Notice.PARAMETERS, self._compare_with_scene)
        ui.folderPath.currentPath = settings.read(LAST_FOLDER)
        ui.workspacePath.currentPath = ui.manifestPath.currentPath = ""  # CTK may remember paths of other widgets
        self._fill_boxes([])
        self._cohort_changed()
        self._offer()

    def enter(self) -> None:
        """The user has come to the module."""
        self.loaded.update()

    def cleanup(self) -> None:
        """The panel goes: stop timers, take filters and observers away."""
        self._search_later.cleanup()
        self.table.cleanup()
        self.loaded.cleanup()
        self.tasks.cleanup()

    def bind(self, parameters: Any) -> None:
        """Another scene: its cohort is opened if none is open yet; a scene without one takes the one that is open."""
        super().bind(parameters)
        wanted = self._scenes()
        if not wanted.data and self.panel.has_cohort:
            self._remember(self.panel.logic.source)
        elif wanted.data and not self.panel.has_cohort and Path(wanted.data).exists():
            self._show_source(wanted)
            self.open()
        self._compare_with_scene()

    # --- opening a cohort ---------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open what stands in the fields: the headers are read in a job first, then all the rest in a thread."""
        self.ui.repairButton.visible = False
        with self.telling():
            self.job.toggle(self._index, self._indexed)

    def _open_clicked(self) -> None:
        self.open()

    def _open_folder(self, folder: str) -> None:
        self._show_source(Source(folder))
        self.open()

    def _index(self) -> RunningJob:
        source = self._entered()
        return self.panel.logic.indexCohort(source.data, source.workspace, source.pattern)

    def _indexed(self, job: RunningJob, said: str = "", wrong: bool = False) -> None:
        if job.state != "done":
            self._compare_with_scene()
            return
        self.job.hide()
        given = job.parameters
        self.say(_("Opening …"))
        self.tasks.follow(
            self.panel.logic.beginOpening(given["data"], given["workspace"], given.get("pattern", "")),
            lambda rows: self._opened(said, wrong),
            self._not_opened,
        )

    def _opened(self, said: str, wrong: bool) -> None:
        self.say(said, wrong)
        self.panel.tell(Notice.COHORT)

    def _not_opened(self, reason: str) -> None:
        """The images could be read: it is the workspace that is not in order."""
        self.say(reason, wrong=True)
        self.ui.repairButton.visible = True

    def _repair(self) -> None:
        source = self._entered()
        with self.telling():
            self.mending.toggle(lambda: self.panel.logic.checkWorkspace(source.data, source.workspace), self._repaired)

    def _repaired(self, job: RunningJob) -> None:
        if job.state != "done":
            return
        self.mending.hide()
        self.ui.repairButton.visible = False
        broken = job.result["broken"]
        words = _("Restore from a backup: {list}") if broken else _("Repaired: {list}")
        said = words.format(list="; ".join(broken or job.result["repaired"]) or _("nothing was wrong"))
        self.job.toggle(self._index, lambda index: self._indexed(index, said, bool(broken)))

    def _entered(self) -> Source:
        ui = self.ui
        data = ui.manifestPath.currentPath.strip() or ui.folderPath.currentPath.strip()
        return Source(data, ui.workspacePath.currentPath.strip(), ui.patternEdit.text.strip())

    def _show_source(self, source: Source) -> None:
        ui = self.ui
        ui.folderPath.currentPath = str(Path(source.data).parent) if source.is_table else source.data
        ui.manifestPath.currentPath = source.data if source.is_table else ""
        ui.workspacePath.currentPath = source.workspace
        ui.patternEdit.text = source.pattern

    def _offer(self) -> None:
        missing = [] if self._entered().data else [_("Choose a folder of studies.")]
        self.job.offer(missing, _("Read what is in the folder; nothing is written into it but our own workspace."))

    # --- the cohort of the scene --------------------------------------------------------------------------------

    def _scenes(self) -> Source:
        parameters = self.panel.parameters
        if parameters is None:
            return Source("")
        return Source(parameters.cohortFolder, parameters.workspaceFolder, parameters.filePattern)

    def _remember(self, source: Source) -> None:
        parameters = self.panel.parameters
        if parameters is not None and self._scenes() != source:
            parameters.cohortFolder = source.data
            parameters.workspaceFolder = source.workspace
            parameters.filePattern = source.pattern

    def _compare_with_scene(self) -> None:
        """Say so where the scene belongs to another cohort than the one that is open."""
        wanted = self._scenes()
        other = bool(wanted.data) and not (self.panel.has_cohort and self.panel.logic.source == wanted)
        there = other and Path(wanted.data).exists()
        text = (
            _("This scene belongs to the cohort {folder}.")
            if there
            else _("This scene belongs to the cohort {folder}, which is not there any more: choose where it is now.")
        )
        self.ui.sceneLabel.text = text.format(folder=wanted.data)
        self.ui.sceneLabel.visible = other and not self.job.running
        self.ui.sceneButton.visible = there and not self.job.running

    def _open_scenes(self) -> None:
        self._show_source(self._scenes())
        self.open()
        self._compare_with_scene()

    # --- the table ----------------------------------------------------------------------------------------------

    def _cohort_changed(self) -> None:
        there = self.panel.has_cohort
        self.ui.cohortBox.visible = there
        self.ui.problemsBox.visible = False
        if there:
            source = self.panel.logic.source
            settings.write(LAST_FOLDER, str(Path(source.data).parent) if source.is_table else source.data)
            self._show_source(source)
            self._remember(source)
            problems = self.panel.logic.problems()
            self.ui.problemsBox.visible = bool(problems)
            self.ui.problemsBox.title = problems_title(problems)
            self.ui.problemsText.setPlainText("\n".join(problems))
            self._reading.ask()
        else:
            self.table.show([])
        self._chosen()
        self._compare_with_scene()

    def _begin_rows(self) -> Task[list[StudyRow]] | None:
        return self.panel.logic.beginRows() if self.panel.has_cohort else None

    def _rows_read(self, rows: list[StudyRow]) -> None:
        if not self.panel.has_cohort:
            return
        if {row.study for row in rows} != {row.study for row in self.table.rows}:
            self._fill_boxes(rows)
        self.table.show(rows)
        self._filter()

    def _fill_boxes(self, rows: list[StudyRow]) -> None:
        badges = Badges()
        vendors = sorted({row.vendor for row in rows if row.vendor})
        phases = list(dict.fromkeys(cell.phase for row in rows for cell in row.phases))
        choices = (
            (self.ui.stateBox, _("All labels"), [(state, state_name(state)) for state in reversed(ATTENTION)]),
            (self.ui.phaseBox, _("All phases"), [(phase, f"{phase} – {phase_name(phase)}") for phase in phases]),
            (self.ui.vendorBox, _("All vendors"), [(vendor, vendor) for vendor in vendors]),
        )
        for box, every, entries in choices:
            box.blockSignals(True)
            box.clear()
            box.addItem(every, "")
            for key, text in entries:
                box.addItem(text, key)
                if box is self.ui.stateBox:
                    box.setItemIcon(box.count - 1, badges.icon(key))
            box.blockSignals(False)
        self.ui.vendorBox.visible = len(vendors) > 1

    def _search(self) -> None:
        self._search_later.start()

    def _filter(self) -> None:
        ui = self.ui
        state, phase, vendor = (box.currentData or "" for box in (ui.stateBox, ui.phaseBox, ui.vendorBox))
        found = filtered(self.table.rows, state, phase, vendor, ui.searchBox.text)
        self.table.filter(row.study for row in found)
        ui.countLabel.text = count_text(len(found), self.table.rows)

    def _chosen(self) -> None:
        study, _case = self.table.chosen()
        self.ui.openStudyButton.enabled = bool(study)
        self.ui.openStudyButton.toolTip = (
            _("Show the phases of {study} side by side").format(study=study) if study else _("Choose a study.")
        )

    def _open_study(self, study: str, case_id: str) -> None:
        with self.telling():
            self.panel.studies.open(study, case_id)
