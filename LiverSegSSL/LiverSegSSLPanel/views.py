"""The phases of a study side by side: linked slice views in a layout of our own, each with its name in a corner.

All views lie alike in space, as the slices of the case that is looked at do, whatever the grids of the others are; so
the same place is in the middle of all of them, and Slicer's linking moves and zooms them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np
import slicer

from LiverSegSSLPanel.corner_names import CornerNames
from LiverSegSSLPanel.scene.planes import Array, axial_axis, middle_of, slice_at, slice_centre, view_axes
from LiverSegSSLPanel.scene.study import study_in_scene

if TYPE_CHECKING:
    from LiverSegSSLPanel.scene.study import PhaseInScene, StudyInScene

FIRST_LAYOUT = 7310
"""Layouts of the application have lower numbers; ours are this one and the next, for one view, two, …"""

MOST_VIEWS = 6
_COLUMNS = {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3}
FIRST_PHASE = "GED4"
"""The phase that the labels come from stands first."""

_ACROSS = 0.999
"""Cosine above which a view lies along the slices of a case."""


class StudyViews:
    """The slice views of the study that is shown. Without a main window nothing is shown, and nothing fails."""

    def __init__(self) -> None:
        self._before: int | None = None
        self._study = ""
        self._cases: tuple[str, ...] = ()
        self._overlays: dict[str, tuple[str, float]] = {}
        self._names = CornerNames()

    @property
    def shown(self) -> tuple[str, ...]:
        """The cases that are shown, view by view."""
        return self._cases

    def show(self, study: StudyInScene, case_ids: tuple[str, ...] = ()) -> None:
        """Show the phases of a study side by side, six at most. The place in the body stays if it is the same study.

        :param case_ids: what to show; empty: all, GED4 first.
        """
        phases = [phase for phase in in_order(study) if not case_ids or phase.case_id in case_ids][:MOST_VIEWS]
        manager = slicer.app.layoutManager()
        if manager is None or not phases:
            self.restore()
            return
        same = self._study == study.key
        kept, before = (self._plane(), self._cases) if same else (None, ())
        self._overlays = self._overlays if same else {}
        self._set_layout(manager, FIRST_LAYOUT + len(phases))
        self._study, self._cases = study.key, tuple(phase.case_id for phase in phases)
        names = tuple(view_name(number) for number in range(1, len(phases) + 1))
        self._names.remove(keep=names)
        for name, phase in zip(names, phases, strict=True):
            _show_phase(manager.sliceWidget(name), phase, *self._overlays.get(phase.case_id, ("", 0.0)))
            self._names.put(name, manager.sliceWidget(name).sliceView(), phase.phase)
        for phase in study.phases:
            _only_in(phase, self.slice_node(phase.case_id), phase.case_id not in before)
        self._scale()
        if kept is not None:
            self._set_plane(kept)
        else:
            self.look_at(self._cases[0], mark=False)

    def look_at(self, case_id: str, mark: bool = True) -> None:
        """Go to the middle of the liver of a case, in all views; ``mark``: and put a frame around its name."""
        phase = _phase(case_id)
        if self.slice_node(case_id) is None or phase is None or phase.image is None:
            self._names.frame("")
            return
        self._names.frame(self._view_of(case_id) if mark else "")
        axis = axial_axis(phase.image)
        self.jump(case_id, slice_at(phase.image, axis, middle_of(phase.image, phase.segmentation)), axis)

    def jump(self, case_id: str, slice_index: int, axis: int) -> None:
        """Bring all views to a slice of a case; they turn to lie along it if they do not.

        :param slice_index: along an axis of the case's array ``[z, y, x]``.
        """
        phase = _phase(case_id)
        plane = self._plane()
        if plane is None or phase is None or phase.image is None:
            return
        centre = slice_centre(phase.image, axis, slice_index)
        axes = view_axes(phase.image, axis)
        if (np.abs((plane[:3, :3] * axes).sum(axis=0)) > _ACROSS).all() and self._sees(centre, plane):
            plane[:3, 3] += plane[:3, 2] * (plane[:3, 2] @ (centre - plane[:3, 3]))  # panning stays
        else:
            plane[:3, :3], plane[:3, 3] = axes, centre
        self._set_plane(plane)

    def fit(self) -> None:
        """Let the images fill the views, to be called again when those have their sizes; the place stays."""
        plane = self._plane()
        if plane is not None:
            self._scale()
            self._set_plane(plane)

    def slice_node(self, case_id: str) -> Any:
        """The slice node of the view of a case; ``None``: it has none."""
        if case_id not in self._cases:
            return None
        return slicer.app.layoutManager().sliceWidget(self._view_of(case_id)).mrmlSliceNode()

    def overlay(self, case_id: str, volume: Any = None, opacity: float = 0.5) -> None:
        """Show a volume over the image of a case, in its own view only; ``None``: none."""
        self._overlays[case_id] = ("", 0.0) if volume is None else (volume.GetID(), opacity)
        if case_id in self._cases:
            widget = slicer.app.layoutManager().sliceWidget(self._view_of(case_id))
            _set_foreground(widget.mrmlSliceCompositeNode(), *self._overlays[case_id])

    def restore(self) -> None:
        """Back to the layout that the user had before, unless another one has been chosen since."""
        manager = slicer.app.layoutManager()
        # While a scene closes Slicer has no layout for a moment; then it takes the last one again.
        gone = slicer.vtkMRMLLayoutNode.SlicerLayoutNone
        if manager is not None and self._before is not None and (_is_ours(manager.layout) or manager.layout == gone):
            manager.setLayout(self._before)
        self._before = None
        self.cleanup()

    def cleanup(self) -> None:
        """Let go of the views; the layout stays."""
        self._names.remove()
        self._study, self._cases, self._overlays = "", (), {}

    def _set_layout(self, manager: Any, layout: int) -> None:
        _describe_layouts(manager)
        if self._before is None:
            now = manager.layout
            self._before = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView if _is_ours(now) else now
        manager.setLayout(layout)

    # --- where the views are ------------------------------------------------------------------------------------

    def _view_of(self, case_id: str) -> str:
        return view_name(self._cases.index(case_id) + 1)

    def _nodes(self) -> list[Any]:
        return [self.slice_node(case_id) for case_id in self._cases]

    def _plane(self) -> Array | None:
        """The plane of the views: columns right, up, towards the next slice, and the point in the middle."""
        nodes = self._nodes()
        if not nodes:
            return None
        matrix = nodes[0].GetSliceToRAS()
        return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])

    def _set_plane(self, plane: Array) -> None:
        for node in self._nodes():
            node.GetSliceToRAS().DeepCopy(plane.ravel().tolist())
            node.UpdateMatrices()

    def _sees(self, point: Array, plane: Array) -> bool:
        """Whether a point, brought into the plane of the first view, lies inside that view."""
        offset = plane[:3, :2].T @ (point - plane[:3, 3])
        return bool((np.abs(offset) < np.array(self._nodes()[0].GetFieldOfView()[:2]) / 2).all())

    def _scale(self) -> None:
        """One scale for all views: the one in which the largest image fits. Each goes to the middle of its image."""
        logics = [slicer.app.layoutManager().sliceWidget(self._view_of(case)).sliceLogic() for case in self._cases]
        for logic in logics:
            logic.FitSliceToAll()
        width = max(logic.GetSliceNode().GetFieldOfView()[0] for logic in logics)
        for logic in logics:
            node = logic.GetSliceNode()
            x, y, z = node.GetFieldOfView()
            node.SetFieldOfView(width, width * y / x, z)


def register_layouts() -> None:
    """Make our layouts known when Slicer has started: a scene may ask for one before the panel is opened. Slicer itself
    may have asked for the one that it was closed with, when nobody knew it: without views, there is nothing to see."""
    manager = slicer.app.layoutManager()
    if manager is not None:
        _describe_layouts(manager)
        if _is_ours(manager.layout):
            manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)


def in_order(study: StudyInScene) -> list[PhaseInScene]:
    """The phases of a study that have an image, GED4 first."""
    return sorted((p for p in study.phases if p.image is not None), key=lambda p: p.phase != FIRST_PHASE)


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
    # A view group of their own: linking does not reach the user's other views.
    return (
        f'<item><view class="vtkMRMLSliceNode" singletontag={quoteattr(view_name(number))}>'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{number}</property>'
        f'<property name="viewgroup" action="default">{FIRST_LAYOUT}</property>'
        "</view></item>"
    )


def _describe_layouts(manager: Any) -> None:
    node = manager.layoutLogic().GetLayoutNode()
    for count in _COLUMNS:
        if not node.IsLayoutDescription(FIRST_LAYOUT + count):
            node.AddLayoutDescription(FIRST_LAYOUT + count, layout_description(count))


def _is_ours(layout: int) -> bool:
    return FIRST_LAYOUT < layout <= FIRST_LAYOUT + MOST_VIEWS


def _phase(case_id: str) -> PhaseInScene | None:
    study = study_in_scene(slicer.mrmlScene)
    return None if study is None else study.phase(case_id)


def _show_phase(widget: Any, phase: PhaseInScene, overlay: str, opacity: float) -> None:
    widget.mrmlSliceNode().SetLayoutLabel(phase.phase)
    composite = widget.mrmlSliceCompositeNode()
    composite.SetBackgroundVolumeID(phase.image.GetID())
    composite.SetLabelVolumeID(None)
    _set_foreground(composite, overlay, opacity)
    composite.SetLinkedControl(True)
    composite.SetHotLinkedControl(True)


def _set_foreground(composite: Any, volume: str, opacity: float) -> None:
    composite.SetForegroundVolumeID(volume or None)
    composite.SetForegroundOpacity(opacity)


def _only_in(phase: PhaseInScene, node: Any, new: bool) -> None:
    """Show the segmentation of a phase in its own view; in none where it has none.

    :param new: it was in no view until now; else a person may have hidden it.
    """
    display = None if phase.segmentation is None else phase.segmentation.GetDisplayNode()
    if display is None:
        return
    if node is None:
        display.SetVisibility(False)
        return
    display.SetDisplayableOnlyInView(node.GetID())
    if new:
        display.SetVisibility(True)
