"""Pretrained weights: what they are, getting them, importing a file, taking them away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegSSLPanel import settings
from LiverSegSSLPanel.equipment import Equipment, weights_state
from LiverSegSSLPanel.sections.job_view import JobView

if TYPE_CHECKING:
    from collections.abc import Callable

    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.sections.section import Section


class WeightsBox:
    """The box of the weights in the section Set up.

    :param changed: is called when weights have come or gone.
    """

    def __init__(self, section: Section, changed: Callable[[], None]) -> None:
        self._section = section
        self._panel = section.panel
        self._changed = changed
        self._equipment: Equipment | None = None
        ui = section.ui
        self._fetching = JobView(self._panel, ui.fetchPlace, ui.fetchButton, _("Download …"))
        ui.weightsCombo.connect("currentIndexChanged(int)", self._update)
        ui.fetchButton.connect("clicked()", self._fetch)
        ui.importButton.connect("clicked()", self._import)
        ui.removeButton.connect("clicked()", self._remove)
        self.show(None)

    def show(self, equipment: Equipment | None) -> None:
        """Show what the catalogue says; ``None``: nobody has looked yet."""
        self._equipment = equipment
        combo = self._section.ui.weightsCombo
        chosen = combo.currentData
        names = [] if equipment is None else [entry["name"] for entry in equipment.found["weights"]]
        was = combo.blockSignals(True)
        combo.clear()
        for name in names:
            combo.addItem(name, name)
        combo.setCurrentIndex(max(0, names.index(chosen) if chosen in names else 0))
        combo.blockSignals(was)
        self._update()

    def _entry(self) -> Any:
        return (
            None if self._equipment is None else self._equipment.weights(str(self._section.ui.weightsCombo.currentData))
        )

    def _update(self) -> None:
        ui = self._section.ui
        entry = self._entry()
        missing = [] if entry is not None else [_("Install what the jobs need first.")]
        if entry is not None and entry["state"] == "here":
            missing = [_("They are on this computer.")]
        elif entry is not None and not entry["direct"]:
            missing = [_("Download the file in a browser, then import it.")]
        self._fetching.offer(missing, _("Download the file; its checksum is compared."))
        ui.importButton.enabled = entry is not None
        ui.importButton.toolTip = _(
            "Check a file that was brought here by hand and keep a copy. No network is used; what it is, is found out."
        )
        ui.removeButton.enabled = entry is not None and entry["state"] != "absent"
        ui.removeButton.toolTip = _("Delete the file from this computer.")
        ui.weightsLabel.text = "" if entry is None else _describe(entry)

    def _fetch(self) -> None:
        entry = self._entry()
        with self._section.telling():
            if self._fetching.running or self._agreed(
                _("Download {file}, {size}, from {page}?\n\nLicence: {licence}").format(**entry)
            ):
                self._fetching.toggle(lambda: self._panel.logic.equip("fetch_weights", name=entry["name"]), self._ended)

    def _import(self) -> None:
        folder = settings.read("weightsFolder")
        file = qt.QFileDialog.getOpenFileName(self._section.page, _("File of weights"), folder)
        if not file:
            return
        settings.write("weightsFolder", qt.QFileInfo(file).absolutePath())
        with self._section.telling():
            self._section.say(_("Checking {file} …").format(file=file))
            self._panel.jobs.watch(self._panel.logic.equip("import_weights", file=file), self._ended)

    def _remove(self) -> None:
        entry = self._entry()
        with self._section.telling():
            if self._agreed(_("Delete {file}, {size}, from this computer?").format(**entry)):
                self._panel.jobs.watch(self._panel.logic.equip("remove_weights", name=entry["name"]), self._ended)

    def _agreed(self, question: str) -> bool:
        return bool(slicer.util.confirmOkCancelDisplay(question, _("Pretrained weights")))

    def _ended(self, job: RunningJob) -> None:
        self._fetching.hide()
        error = job.error()
        done = {
            "fetch_weights": _("The weights are on this computer."),
            "import_weights": _("{name} is on this computer.").format(name=job.result.get("name", "")),
            "remove_weights": _("The weights were removed."),
        }
        self._section.say(done[job.verb] if error is None else str(error), wrong=error is not None)
        self._changed()


def _describe(entry: Any) -> str:
    page = entry["page"]
    return "<br>".join(
        (
            entry["what"],
            f"<b>{weights_state(entry)}</b>",
            _("Licence: {licence}").format(licence=entry["licence"]),
            f'<a href="{page}">{page}</a>',
        )
    )
