"""Volumes that are in the scene already: what each of them is, and making a study of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLPanel import settings
from LiverSegSSLPanel.adopting import free_study_name, why_not
from LiverSegSSLPanel.cohort_words import phase_name
from LiverSegSSLPanel.scene.loaded import suggested_choice
from LiverSegSSLPanel.sections.section import follow_path
from LiverSegSSLPanel.timers import Timer

if TYPE_CHECKING:
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.scene.loaded import LoadedVolume
    from LiverSegSSLPanel.sections.task_watch import TaskWatch

LAST_FOLDER = "AdoptedFolder"
"""In Slicer's settings: where volumes were last written to."""

USE, NAME, FROM = range(3)
"""Columns."""

_USE_WIDTH = 170


class LoadedBox:
    """The list of volumes with a choice each, a name for the study, a folder, and a button.

    :param ui: with ``loadedBox``, ``loadedTable``, ``loadedLabel``, ``studyEdit``, ``adoptPath``, ``adoptButton``.
    :param say: shows a line of text; with ``True`` as what has failed.
    :param written: called with the folder when the study has been written.
    """

    def __init__(
        self, panel: Panel, ui: Any, tasks: TaskWatch, say: Callable[..., None], written: Callable[[str], None]
    ) -> None:
        self._panel = panel
        self._ui = ui
        self._tasks = tasks
        self._say = say
        self._written = written
        self._volumes: list[LoadedVolume] = []
        self._boxes: dict[str, Any] = {}
        self._busy = False
        self._scene = slicer.mrmlScene
        self._later = Timer(self.update, once=True)
        events = (self._scene.NodeAddedEvent, self._scene.NodeRemovedEvent, self._scene.EndImportEvent)
        self._observers = [self._scene.AddObserver(event, self._scene_changed) for event in events]
        ui.adoptPath.filters = ctk.ctkPathLineEdit.Dirs
        ui.adoptPath.currentPath = settings.read(LAST_FOLDER)
        ui.loadedTable.setColumnCount(3)
        ui.loadedTable.setHorizontalHeaderLabels([_("Use as"), _("Volume"), _("Patient, study")])
        ui.loadedTable.horizontalHeader().setSectionResizeMode(NAME, qt.QHeaderView.Stretch)
        ui.loadedTable.horizontalHeader().resizeSection(USE, _USE_WIDTH)
        ui.loadedTable.verticalHeader().hide()
        ui.studyEdit.text = free_study_name(Path(ui.adoptPath.currentPath))
        ui.loadedBox.connect("toggled(bool)", self.update)
        follow_path(ui.adoptPath, self._folder_changed)
        ui.studyEdit.connect("textChanged(QString)", self._offer)
        ui.adoptButton.connect("clicked()", self._adopt)
        self.update()

    def update(self) -> None:
        """Show the volumes that there are now; what a person has chosen for those that stay is kept."""
        if self._ui.loadedBox.collapsed:
            return
        volumes = self._panel.logic.volumesInScene()
        if volumes != self._volumes:
            chosen = self._choice()
            known = {volume.node_id for volume in self._volumes}
            suggested = suggested_choice(volumes)
            self._volumes = volumes
            self._fill({v.node_id: chosen.get(v.node_id, "") for v in volumes if v.node_id in known}, suggested)
        self._ui.loadedTable.visible = bool(volumes)
        self._ui.loadedLabel.visible = not volumes
        self._offer()

    def cleanup(self) -> None:
        """Take the observers away."""
        self._later.cleanup()
        for tag in self._observers:
            self._scene.RemoveObserver(tag)

    def _scene_changed(self, caller: Any, event: Any) -> None:
        self._later.start(0)

    def _fill(self, kept: dict[str, str], suggested: dict[str, str]) -> None:
        table = self._ui.loadedTable
        self._boxes = {}
        table.setRowCount(len(self._volumes))
        for row, volume in enumerate(self._volumes):
            box = qt.QComboBox()
            box.addItem(_("– leave out –"), "")
            for phase in Phase:
                box.addItem(f"{phase.value} – {phase_name(phase.value)}", phase.value)
            box.setCurrentIndex(box.findData(kept.get(volume.node_id, suggested.get(volume.node_id, ""))))
            box.connect("currentIndexChanged(int)", self._offer)
            table.setCellWidget(row, USE, box)
            self._boxes[volume.node_id] = box
            texts = {NAME: volume.name, FROM: ", ".join(part for part in (volume.patient, volume.study) if part)}
            for column, text in texts.items():
                item = qt.QTableWidgetItem(text)
                item.setFlags(qt.Qt.ItemIsEnabled)
                item.setToolTip(text)
                table.setItem(row, column, item)

    def _choice(self) -> dict[str, str]:
        """Node id → phase."""
        return {node_id: str(box.currentData) for node_id, box in self._boxes.items() if box.currentData}

    def _folder_changed(self, folder: str) -> None:
        if self._ui.studyEdit.text.startswith("study"):  # a name of ours, or like it
            self._ui.studyEdit.text = free_study_name(Path(folder))
        self._offer()

    def _offer(self) -> None:
        missing = why_not(self._choice(), self._ui.adoptPath.currentPath.strip(), self._ui.studyEdit.text.strip())
        self._ui.adoptButton.enabled = not missing and not self._busy
        self._ui.adoptButton.toolTip = "\n".join(missing) or _(
            "Write copies of these volumes, without any name of a person, and open them; the volumes stay as they are."
        )

    def _adopt(self) -> None:
        folder = self._ui.adoptPath.currentPath.strip()
        self._busy = True
        self._offer()
        self._say(_("Writing the volumes …"))
        task = self._panel.logic.beginAdopting(self._choice(), folder, self._ui.studyEdit.text.strip())
        self._tasks.follow(task, self._done, self._failed)

    def _done(self, study: Path) -> None:
        self._busy = False
        self._say("")
        settings.write(LAST_FOLDER, str(study.parent))
        self._ui.studyEdit.text = free_study_name(study.parent)
        self._ui.loadedBox.collapsed = True
        self._written(str(study.parent))

    def _failed(self, text: str) -> None:
        self._busy = False
        self._offer()
        self._say(text, True)
