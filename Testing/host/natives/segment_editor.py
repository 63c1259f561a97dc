"""The stand-in of the Segment Editor: nodes, selection, effects by name and undo are real; there is no brush."""

import weakref
from typing import Any

import shiboken6
import slicer
from PySide6 import QtCore, QtWidgets

from .mrml_boxes import qMRMLNodeComboBox, qMRMLWidget
from .stored import stored

EFFECTS = (
    "Threshold",
    "Paint",
    "Draw",
    "Erase",
    "Level tracing",
    "Grow from seeds",
    "Fill between slices",
    "Margin",
    "Hollow",
    "Smoothing",
    "Scissors",
    "Islands",
    "Logical operators",
    "Mask volume",
)


_EDITORS: "weakref.WeakSet[qMRMLSegmentEditorWidget]" = weakref.WeakSet()


def shortcuts_left() -> list[str]:
    """The editors whose keyboard shortcuts are still installed: they work in every module."""
    return [one.objectName() or "a Segment Editor" for one in _EDITORS if shiboken6.isValid(one) and one._shortcuts]


class qSlicerSegmentEditorAbstractEffect(QtCore.QObject):
    """An effect: a name and parameters, which are attributes of the segment editor node as in the application."""

    name, setName = stored("name", "QString", "")

    def __init__(self, editor: "qMRMLSegmentEditorWidget", name: str) -> None:
        super().__init__(editor)
        self._editor = editor
        self.setName(name)

    def setParameter(self, name: str, value: Any) -> None:
        self._editor.mrmlSegmentEditorNode().SetAttribute(f"{self.name},{name}", str(value))

    def parameter(self, name: str) -> str:
        return self._editor.mrmlSegmentEditorNode().GetAttribute(f"{self.name},{name}") or ""

    def parameterDefined(self, name: str) -> bool:
        return self._editor.mrmlSegmentEditorNode().GetAttribute(f"{self.name},{name}") is not None


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The editor as SegmentEditor.py and other panels embed it."""

    currentSegmentIDChanged = QtCore.Signal(str)
    sourceVolumeNodeChanged = QtCore.Signal(object)
    segmentationNodeChanged = QtCore.Signal(object)
    signal_names = ("sourceVolumeNodeChanged(vtkMRMLVolumeNode*)", "segmentationNodeChanged(vtkMRMLSegmentationNode*)")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._node: Any = None
        self._order: list[str] = []
        self._effects = {name: qSlicerSegmentEditorAbstractEffect(self, name) for name in EFFECTS}
        self._shortcuts = False
        _EDITORS.add(self)
        self._segments = QtWidgets.QTreeWidget(self)
        self._segments.setHeaderLabels(["Name"])
        self._segments.setMaximumHeight(90)
        self._buttons = {name: QtWidgets.QToolButton(self) for name in EFFECTS}
        self._segmentation_box, self._volume_box = qMRMLNodeComboBox(self), qMRMLNodeComboBox(self)
        self._build()

    def _build(self) -> None:
        self._segmentation_box.setNodeTypes(["vtkMRMLSegmentationNode"])
        self._volume_box.setNodeTypes(["vtkMRMLScalarVolumeNode"])
        self._volume_box.setNoneEnabled(True)  # the other one has no "None": it may choose a node by itself
        grid = QtWidgets.QGridLayout()
        for index, (name, button) in enumerate(self._buttons.items()):
            button.setText(name)
            button.setCheckable(True)
            button.setObjectName(f"{name}EffectButton")
            button.clicked.connect(lambda on, name=name: self.setActiveEffectByName(name if on else ""))
            grid.addWidget(button, index // 4, index % 4)
        layout = QtWidgets.QVBoxLayout(self)
        for part in (self._segmentation_box, self._volume_box, self._segments):
            layout.addWidget(part)
        layout.addLayout(grid)
        self._segmentation_box.currentNodeChanged[object].connect(self.setSegmentationNode)  # type: ignore[index]
        self._volume_box.currentNodeChanged[object].connect(self.setSourceVolumeNode)  # type: ignore[index]
        self._segments.currentItemChanged.connect(self._segment_chosen)

    segmentationNodeSelectorVisible, setSegmentationNodeSelectorVisible = stored(
        "segmentationNodeSelectorVisible", "bool", True, "_show_parts"
    )
    sourceVolumeNodeSelectorVisible, setSourceVolumeNodeSelectorVisible = stored(
        "sourceVolumeNodeSelectorVisible", "bool", True, "_show_parts"
    )
    maskingSectionVisible, setMaskingSectionVisible = stored("maskingSectionVisible", "bool", True)
    specifyGeometryButtonVisible, setSpecifyGeometryButtonVisible = stored("specifyGeometryButtonVisible", "bool", True)
    show3DButtonVisible, setShow3DButtonVisible = stored("show3DButtonVisible", "bool", True)
    addRemoveSegmentButtonsVisible, setAddRemoveSegmentButtonsVisible = stored(
        "addRemoveSegmentButtonsVisible", "bool", True
    )
    autoShowSourceVolumeNode, setAutoShowSourceVolumeNode = stored("autoShowSourceVolumeNode", "bool", True)
    switchToSegmentationsButtonVisible, setSwitchToSegmentationsButtonVisible = stored(
        "switchToSegmentationsButtonVisible", "bool", True
    )
    undoEnabled, setUndoEnabled = stored("undoEnabled", "bool", True)
    readOnly, setReadOnly = stored("readOnly", "bool", False, "_lock")
    effectColumnCount, setEffectColumnCount = stored("effectColumnCount", "int", 2)
    effectButtonStyle, setEffectButtonStyle = stored("effectButtonStyle", "int", 0)
    unorderedEffectsVisible, setUnorderedEffectsVisible = stored(
        "unorderedEffectsVisible", "bool", True, "updateEffectList"
    )
    defaultTerminologyEntry, setDefaultTerminologyEntry = stored("defaultTerminologyEntry", "QString", "")
    jumpToSelectedSegmentEnabled, setJumpToSelectedSegmentEnabled = stored(
        "jumpToSelectedSegmentEnabled", "bool", False
    )

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        self._logic.SetMaximumNumberOfUndoStates(count)

    maximumNumberOfUndoStates = QtCore.Property(
        int, lambda self: self._logic.GetMaximumNumberOfUndoStates(), setMaximumNumberOfUndoStates
    )

    def _lock(self) -> None:
        if self.readOnly:
            self.setActiveEffect(None)

    def _show_parts(self) -> None:
        self._segmentation_box.setVisible(self.segmentationNodeSelectorVisible)
        self._volume_box.setVisible(self.sourceVolumeNodeSelectorVisible)

    def setMRMLScene(self, scene: Any) -> None:
        super().setMRMLScene(scene)
        self._logic.SetMRMLScene(scene)
        for box in (self._segmentation_box, self._volume_box):
            box.blockSignals(True)
            box.setMRMLScene(scene)
            box.blockSignals(False)
        self.updateWidgetFromMRML()

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._node = node
        self._logic.SetSegmentEditorNode(node)
        self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def segmentationNode(self) -> Any:
        """What the box shows, which the node need not know."""
        return self._segmentation_box.currentNode()

    def _edited(self) -> Any:
        return self._node.GetSegmentationNode() if self._node is not None else None

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node is not None else None

    def segmentationNodeID(self) -> str:
        node = self.segmentationNode()
        return str(node.GetID()) if node is not None else ""

    def sourceVolumeNodeID(self) -> str:
        node = self.sourceVolumeNode()
        return str(node.GetID()) if node is not None else ""

    def setSegmentationNode(self, node: Any) -> None:
        if self._node is None or node is self._edited():
            return
        self._node.SetAndObserveSegmentationNode(node)
        self._logic.SetSegmentationNode(node)
        self.updateWidgetFromMRML()
        self.segmentationNodeChanged.emit(node)

    def setSegmentationNodeID(self, node_id: str) -> None:
        self.setSegmentationNode(self._scene.GetNodeByID(node_id))

    def setSourceVolumeNode(self, node: Any) -> None:
        if self._node is None or node is self.sourceVolumeNode():
            return
        self._node.SetAndObserveSourceVolumeNode(node)
        segmentation = self._edited()
        if segmentation is not None and node is not None:
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
        self._logic.SetSourceVolumeNode(node)
        self.updateWidgetFromMRML()
        self.sourceVolumeNodeChanged.emit(node)

    def setSourceVolumeNodeID(self, node_id: str) -> None:
        self.setSourceVolumeNode(self._scene.GetNodeByID(node_id))

    def updateWidgetFromMRML(self) -> None:
        if self._node is None:
            return
        self._segmentation_box.blockSignals(True)
        self._segmentation_box.setCurrentNode(self._edited())
        self._segmentation_box.blockSignals(False)
        self._volume_box.setCurrentNode(self.sourceVolumeNode())
        segmentation = self._edited()
        ids = list(segmentation.GetSegmentation().GetSegmentIDs()) if segmentation is not None else []
        self._segments.blockSignals(True)
        self._segments.clear()
        for segment_id in ids:
            name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
            item = QtWidgets.QTreeWidgetItem([name])
            item.setData(0, QtCore.Qt.ItemDataRole.UserRole, segment_id)
            self._segments.addTopLevelItem(item)
        self._segments.blockSignals(False)
        if self.currentSegmentID() not in ids:
            self.setCurrentSegmentID(ids[0] if ids else "")

    def currentSegmentID(self) -> str:
        return (self._node.GetSelectedSegmentID() or "") if self._node is not None else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        if self._node is None or segment_id == self.currentSegmentID():
            return
        self._node.SetSelectedSegmentID(segment_id)
        self.currentSegmentIDChanged.emit(segment_id)

    def _segment_chosen(self, item: QtWidgets.QTreeWidgetItem | None) -> None:
        if item is not None:
            self.setCurrentSegmentID(item.data(0, QtCore.Qt.ItemDataRole.UserRole))

    def availableEffectNames(self) -> list[str]:
        return list(EFFECTS)

    def effectCount(self) -> int:
        return len(EFFECTS)

    def effectByName(self, name: str) -> Any:
        return self._effects.get(name)

    def effectByIndex(self, index: int) -> Any:
        return self._effects[EFFECTS[index]]

    def effectNameOrder(self) -> list[str]:
        return self._order

    def setEffectNameOrder(self, names: list[str]) -> None:
        self._order = list(names)
        self.updateEffectList()

    def updateEffectList(self) -> None:
        for name, button in self._buttons.items():
            button.setVisible(self.unorderedEffectsVisible or name in self._order)

    def activeEffect(self) -> Any:
        return self._effects.get(self._node.GetActiveEffectName()) if self._node is not None else None

    def setActiveEffect(self, effect: Any) -> None:
        self.setActiveEffectByName(effect.name if effect is not None else "")

    def setActiveEffectByName(self, name: str) -> None:
        if self._node is not None:
            self._node.SetActiveEffectName(name)
        for known, button in self._buttons.items():
            button.setChecked(known == name)

    def saveStateForUndo(self) -> None:
        self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    def installKeyboardShortcuts(self, parent: QtWidgets.QWidget | None = None) -> None:
        self._shortcuts = True

    def uninstallKeyboardShortcuts(self) -> None:
        self._shortcuts = False

    def setupViewObservations(self) -> None: ...

    def removeViewObservations(self) -> None: ...

    def showSourceVolumeInSliceViewers(self, forceShowInBackground: bool = False, fitSlice: bool = False) -> None: ...

    def rotateSliceViewsToSegmentation(self) -> None: ...

    def hideLabelLayer(self) -> None: ...

    def jumpSlices(self) -> None: ...

    def selectNextSegment(self) -> None:
        self.selectSegmentAtOffset(1)

    def selectPreviousSegment(self) -> None:
        self.selectSegmentAtOffset(-1)

    def selectSegmentAtOffset(self, offset: int) -> None:
        segmentation = self._edited()
        ids = list(segmentation.GetSegmentation().GetSegmentIDs()) if segmentation is not None else []
        if self.currentSegmentID() in ids:
            self.setCurrentSegmentID(ids[(ids.index(self.currentSegmentID()) + offset) % len(ids)])
