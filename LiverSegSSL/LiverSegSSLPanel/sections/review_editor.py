"""Slicer's Segment Editor inside the panel, with a parameter set of its own: the user's own editor stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer

if TYPE_CHECKING:
    from LiverSegSSLPanel.scene.study import PhaseInScene

TAG = "LiverSegSSLSegmentEditor"
"""Singleton tag of the editor's parameter set."""

UNDO_STEPS = 10

EFFECTS = (
    "Paint",
    "Erase",
    "Draw",
    "Smoothing",
    "Islands",
    "Grow from seeds",
    "Fill between slices",
    "Level tracing",
    "Threshold",
    "Scissors",
    "Margin",
    "Logical operators",
)
"""What corrections of a liver are made with, those first that are needed most."""


class ReviewEditor:
    """The editor of the label that is looked at. Without a main window there is none, and nothing fails.

    :param place: the layout that it is put into.
    """

    def __init__(self, place: Any) -> None:
        self.widget: Any = None
        self._node: Any = None
        self._entered = False
        if slicer.app.layoutManager() is None or not hasattr(slicer, "qMRMLSegmentEditorWidget"):
            return
        self.widget = slicer.qMRMLSegmentEditorWidget()
        self.widget.setMaximumNumberOfUndoStates(UNDO_STEPS)
        self.widget.segmentationNodeSelectorVisible = False
        self.widget.sourceVolumeNodeSelectorVisible = False
        self.widget.switchToSegmentationsButtonVisible = False
        self.widget.autoShowSourceVolumeNode = False  # the views are ours: it would take overlays away
        self.widget.setEffectNameOrder(list(EFFECTS))
        self.widget.unorderedEffectsVisible = False
        place.addWidget(self.widget)

    def connect_scene(self) -> None:
        """A scene is there: take its parameter set, which a saved scene may have brought, or make one."""
        if self.widget is None:
            return
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = scene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)  # the Python variable holds it
            node.SetSingletonTag(TAG)
            node = scene.AddNode(node)
        if node is not self._node:
            self._node = node
            self.widget.setMRMLSegmentEditorNode(node)
        self.widget.setMRMLScene(scene)

    def disconnect_scene(self) -> None:
        """The scene is being closed."""
        if self.widget is not None and self._node is not None:
            self.widget.setActiveEffect(None)
            self.widget.setSegmentationNode(None)
            self.widget.removeViewObservations()
        self._node = None

    def edit(self, phase: PhaseInScene | None) -> None:
        """Edit the label of a phase; ``None``, or a label that is not there: nothing."""
        if self.widget is None or self._node is None:
            return
        segmentation = None if phase is None else phase.segmentation
        # The node says what is edited; the hidden box of the widget may show a segmentation that it chose by itself.
        if segmentation is not self._node.GetSegmentationNode():
            self.widget.setActiveEffect(None)
            self.widget.setSegmentationNode(segmentation)
        if phase is not None and segmentation is not None:
            self.widget.setSourceVolumeNode(phase.image)
        self.widget.enabled = segmentation is not None
        self.widget.readOnly = segmentation is None  # its keys would choose effects all the same

    def save_state_for(self, segmentation: Any) -> Callable[[], Any] | None:
        """What makes the next change of a segmentation one step of undo; ``None``: another one is edited."""
        if self.widget is None or self._node is None or self._node.GetSegmentationNode() is not segmentation:
            return None
        save_state: Callable[[], Any] = self.widget.saveStateForUndo
        return save_state

    def enter(self) -> None:
        """The person has come to the module."""
        if self.widget is not None and not self._entered:
            self._entered = True
            self.widget.installKeyboardShortcuts()
            self.widget.updateWidgetFromMRML()

    def exit(self) -> None:
        """The person has gone to another module: no effect and no shortcut is left there."""
        if self.widget is not None and self._entered:
            self._entered = False
            self.widget.setActiveEffect(None)
            self.widget.uninstallKeyboardShortcuts()
            self.widget.removeViewObservations()

    def cleanup(self) -> None:
        """The panel goes."""
        self.exit()
        self.disconnect_scene()
