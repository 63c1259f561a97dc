"""What is laid over the image of the case that is looked at: doubt, the probability, outlines of other versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from LiverSegSSLPanel.scene.study import remove_node

if TYPE_CHECKING:
    from LiverSegSSLPanel.panel import Panel
    from LiverSegSSLPanel.sections.task_watch import TaskWatch

OPACITY = 0.5


class Overlays:
    """The boxes "Show doubt" and "Probability", of which one at a time is checked. They hold for the next cases too.

    :param ui: has ``doubtBox`` and ``probabilityBox``.
    """

    def __init__(self, panel: Panel, ui: Any, tasks: TaskWatch) -> None:
        self._panel, self._tasks = panel, tasks
        self._boxes = {"doubt": ui.doubtBox, "probability": ui.probabilityBox}
        self._case_id = ""
        self._known = False
        self._node: Any = None
        self._asked = ""  # the case and the kind that are on their way or shown
        ui.doubtBox.connect("clicked(bool)", self._doubt_clicked)
        ui.probabilityBox.connect("clicked(bool)", self._probability_clicked)

    def look_at(self, case_id: str, known: bool) -> None:
        """Show what is wanted of this case.

        :param known: its label has a probability behind it.
        """
        self._case_id, self._known = case_id, known
        for box in self._boxes.values():
            box.enabled = bool(case_id) and known
            box.toolTip = "" if known or not case_id else _("Nothing is known of the doubt in this label.")
        self._update()

    def look_again(self) -> None:
        """Nodes of the study have gone."""
        if self._node is not None and not slicer.mrmlScene.IsNodePresent(self._node):
            self._node, self._asked = None, ""
            for box in self._boxes.values():
                box.checked = False

    def remove(self) -> None:
        """Take the overlay away."""
        node, case_id = self._node, self._asked.partition(" ")[2]
        self._node, self._asked = None, ""
        if node is not None and slicer.mrmlScene.IsNodePresent(node):
            self._panel.studies.views.overlay(case_id, None)
            remove_node(slicer.mrmlScene, node)

    def _doubt_clicked(self, checked: bool) -> None:
        self._boxes["probability"].checked = False
        self._update()

    def _probability_clicked(self, checked: bool) -> None:
        self._boxes["doubt"].checked = False
        self._update()

    def _update(self) -> None:
        kind = next((name for name, box in self._boxes.items() if box.checked), "")
        wanted = f"{kind} {self._case_id}" if kind and self._known else ""
        if wanted == self._asked:
            return
        self.remove()
        self._asked = wanted
        if wanted:
            logic = self._panel.logic
            begin = logic.beginDoubt if kind == "doubt" else logic.beginProbability
            self._tasks.follow(begin(self._case_id), lambda node: self._show(wanted, node))

    def _show(self, wanted: str, node: Any) -> None:
        if wanted != self._asked:  # it is not wanted any more
            remove_node(slicer.mrmlScene, node)
            return
        self._node = node
        self._panel.studies.views.overlay(wanted.partition(" ")[2], node, OPACITY)
