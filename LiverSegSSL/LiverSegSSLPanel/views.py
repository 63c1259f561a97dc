"""The phases of a study side by side: linked slice views in a layout of our own, each with its name in a corner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import slicer

if TYPE_CHECKING:
    from LiverSegSSLPanel.scene.study import PhaseInScene, StudyInScene

FIRST_LAYOUT = 7310
"""Layouts of the application have lower numbers; ours are this one and the next, for one view, two, …"""

MOST_VIEWS = 6
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}


class StudyViews:
    """The slice views of the study that is shown. Without a main window nothing is shown, and nothing fails."""

    def __init__(self) -> None:
        self._before: int | None = None

    def show(self, study: StudyInScene, phases: tuple[str, ...] = ()) -> None:
        """Show the phases of a study side by side, six at most.

        :param phases: the case ids to show, in this order; empty: all, in the order of the study.
        """
        manager = slicer.app.layoutManager()
        shown = [phase for phase in study.phases if phase.image is not None and (not phases or phase.case_id in phases)]
        shown = shown[:MOST_VIEWS]
        if manager is None or not shown:
            return
        layout = FIRST_LAYOUT + len(shown)
        node = manager.layoutLogic().GetLayoutNode()
        if not node.IsLayoutDescription(layout):
            node.AddLayoutDescription(layout, layout_description(len(shown)))
        if self._before is None and not FIRST_LAYOUT < manager.layout <= FIRST_LAYOUT + MOST_VIEWS:
            self._before = manager.layout
        manager.setLayout(layout)
        for number, phase in enumerate(shown, 1):
            _show_phase(manager.sliceWidget(view_name(number)), phase)

    def restore(self) -> None:
        """Back to the layout that the user had before."""
        manager = slicer.app.layoutManager()
        if manager is not None and self._before is not None:
            manager.setLayout(self._before)
        self._before = None

    def cleanup(self) -> None:
        """Let go of the views; the layout stays."""


def view_name(number: int) -> str:
    """The name of the n-th view, from 1."""
    return f"LiverSegSSL{number}"


def layout_description(count: int) -> str:
    """The layout of a number of slice views, as XML."""
    columns = _COLUMNS[count]
    rows = [range(first, min(first + columns, count + 1)) for first in range(1, count + 1, columns)]
    items = "".join(
        f'<item><layout type="horizontal">{"".join(_view(number) for number in row)}</layout></item>' for row in rows
    )
    return f'<layout type="vertical">{items}</layout>'


def _view(number: int) -> str:
    return (
        f'<item><view class="vtkMRMLSliceNode" singletontag={quoteattr(view_name(number))}>'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{number}</property>'
        "</view></item>"
    )


def _show_phase(widget: Any, phase: PhaseInScene) -> None:
    composite = widget.mrmlSliceCompositeNode()
    composite.SetBackgroundVolumeID(phase.image.GetID())
    composite.SetLinkedControl(True)
    widget.sliceLogic().RotateSliceToLowestVolumeAxes()
    widget.sliceLogic().FitSliceToAll()
