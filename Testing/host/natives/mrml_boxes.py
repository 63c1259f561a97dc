"""Slicer's widgets that choose a node of the scene."""

import weakref
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore, QtWidgets

from ..rules.observers import observe_quietly
from .stored import stored


class qMRMLWidget(QtWidgets.QWidget):
    """A widget that knows a scene."""

    mrmlSceneChanged = QtCore.Signal(object)
    signal_names: tuple[str, ...] = ("mrmlSceneChanged(vtkMRMLScene*)",)
    _scene: Any = None

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> Any:
        return self._scene


class qSlicerWidget(qMRMLWidget):
    pass


def _follow(widget: Any, scene: Any, events: tuple[int, ...], refresh: Callable[[Any], None]) -> None:
    """Call `refresh(widget)` on events of a scene for as long as the widget is and shows that scene."""
    reference = weakref.ref(widget)

    def on_event(caller: Any, event: str) -> None:
        seen = reference()
        if seen is not None and shiboken6.isValid(seen) and seen._scene is caller:
            refresh(seen)

    for event in events:
        observe_quietly(scene, event, on_event)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """The nodes of some classes, by name."""

    currentNodeChanged = QtCore.Signal((object,), (bool,))  # type: ignore[arg-type]
    currentNodeIDChanged = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)
    nodeAboutToBeRemoved = QtCore.Signal(object)
    nodeAboutToBeEdited = QtCore.Signal(object)
    currentNodeRenamed = QtCore.Signal(str)
    signal_names = (
        "currentNodeChanged(vtkMRMLNode*)",
        "nodeActivated(vtkMRMLNode*)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUser(vtkMRMLNode*)",
        "nodeAboutToBeRemoved(vtkMRMLNode*)",
        "nodeAboutToBeEdited(vtkMRMLNode*)",
    )

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._nodes: list[Any] = []
        self._attributes: list[tuple[str, str, Any]] = []
        self._shown: str = ""
        self._box = QtWidgets.QComboBox(self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self._box.currentIndexChanged.connect(self._chosen)
        self._box.activated.connect(lambda _: self.nodeActivated.emit(self.currentNode()))

    nodeTypes, setNodeTypes = stored("nodeTypes", "QStringList", [], "_fill")
    hideChildNodeTypes, setHideChildNodeTypes = stored("hideChildNodeTypes", "QStringList", [], "_fill")
    showHidden, setShowHidden = stored("showHidden", "bool", False, "_fill")
    showChildNodeTypes, setShowChildNodeTypes = stored("showChildNodeTypes", "bool", True, "_fill")
    noneEnabled, setNoneEnabled = stored("noneEnabled", "bool", False, "_fill")
    noneDisplay, setNoneDisplay = stored("noneDisplay", "QString", "None", "_fill")
    baseName, setBaseName = stored("baseName", "QString", "")
    addEnabled, setAddEnabled = stored("addEnabled", "bool", True)
    removeEnabled, setRemoveEnabled = stored("removeEnabled", "bool", True)
    editEnabled, setEditEnabled = stored("editEnabled", "bool", False)
    renameEnabled, setRenameEnabled = stored("renameEnabled", "bool", False)
    selectNodeUponCreation, setSelectNodeUponCreation = stored("selectNodeUponCreation", "bool", True)
    interactionNodeSingletonTag, setInteractionNodeSingletonTag = stored("interactionNodeSingletonTag", "QString", "")

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        self._scene = scene
        if scene is not None:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndBatchProcessEvent)
            _follow(self, scene, events, lambda widget: widget._fill())
        self._fill()

    def addAttribute(self, nodeType: str, attributeName: str, attributeValue: Any = None) -> None:
        self._attributes.append((nodeType, attributeName, attributeValue))
        self._fill()

    def removeAttribute(self, nodeType: str, attributeName: str) -> None:
        self._attributes = [one for one in self._attributes if one[:2] != (nodeType, attributeName)]
        self._fill()

    def nodeCount(self) -> int:
        return len(self._nodes)

    def nodeFromIndex(self, index: int) -> Any:
        return self._nodes[index] if 0 <= index < len(self._nodes) else None

    def currentNode(self) -> Any:
        return self.nodeFromIndex(self._box.currentIndex() - self._offset())

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        ids = [node.GetID() for node in self._nodes]
        if node_id in ids:
            self._box.setCurrentIndex(ids.index(node_id) + self._offset())
        else:
            self._box.setCurrentIndex(0 if self.noneEnabled else -1)

    def setCurrentNodeIndex(self, index: int) -> None:
        self._box.setCurrentIndex(index + self._offset())

    def _current_id(self) -> str:
        node = self.currentNode()
        return str(node.GetID()) if node is not None else ""

    currentNodeID = QtCore.Property(str, _current_id, setCurrentNodeID)

    def addNode(self, nodeType: str | None = None) -> Any:
        node = self._scene.AddNewNodeByClass(nodeType or self.nodeTypes[0], self.baseName)
        self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        self._scene.RemoveNode(self.currentNode())

    def _offset(self) -> int:
        return 1 if self.noneEnabled else 0

    def _accepts(self, node: Any) -> bool:
        kind = node.GetClassName()
        if not any(kind == one or (self.showChildNodeTypes and node.IsA(one)) for one in self.nodeTypes):
            return False
        if kind in self.hideChildNodeTypes or (node.GetHideFromEditors() and not self.showHidden):
            return False
        wanted = [one for one in self._attributes if node.IsA(one[0])]
        return all(
            node.GetAttribute(name) is not None and (value in (None, "") or node.GetAttribute(name) == str(value))
            for _, name, value in wanted
        )

    def _fill(self) -> None:
        kept, empty = self._shown, not self._box.count()
        scene = self._scene
        everything = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())] if scene is not None else []
        self._nodes = [node for node in everything if self._accepts(node)]
        self._box.blockSignals(True)
        self._box.clear()
        self._box.addItems([self.noneDisplay] * self._offset() + [node.GetName() or "" for node in self._nodes])
        ids = [node.GetID() for node in self._nodes]
        if kept in ids:
            self._box.setCurrentIndex(ids.index(kept) + self._offset())
        elif not kept and not empty and not self.noneEnabled:
            self._box.setCurrentIndex(-1)  # nothing was chosen, and that stays so; only an empty box chooses by itself
        self._box.blockSignals(False)
        self._chosen()

    def _chosen(self, _: int = 0) -> None:
        now = self._current_id()
        if now == self._shown:
            return
        self._shown = now
        node = self.currentNode()
        self.currentNodeChanged[object].emit(node)  # type: ignore[index]
        self.currentNodeChanged[bool].emit(node is not None)  # type: ignore[index]
        self.currentNodeIDChanged.emit(now)


class qMRMLSubjectHierarchyComboBox(QtWidgets.QComboBox):
    """The items of the subject hierarchy, indented by their level."""

    currentItemChanged = QtCore.Signal(object)
    currentItemModified = QtCore.Signal(object)
    signal_names = ("currentItemChanged(vtkIdType)", "currentItemModified(vtkIdType)")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._items: list[int] = []
        self._shown = 0
        self._levels: list[str] = []
        self.currentIndexChanged.connect(self._chosen)

    noneEnabled, setNoneEnabled = stored("noneEnabled", "bool", True, "_fill")
    noneDisplay, setNoneDisplay = stored("noneDisplay", "QString", "Select subject hierarchy item", "_fill")
    nodeTypes, setNodeTypes = stored("nodeTypes", "QStringList", [], "_fill")
    showRootItem, setShowRootItem = stored("showRootItem", "bool", False)
    highlightReferencedItems, setHighlightReferencedItems = stored("highlightReferencedItems", "bool", True)
    maximumNumberOfShownItems, setMaximumNumberOfShownItems = stored("maximumNumberOfShownItems", "int", 20)
    showCurrentItemParents, setShowCurrentItemParents = stored("showCurrentItemParents", "bool", True)
    showEmptyHierarchyItems, setShowEmptyHierarchyItems = stored("showEmptyHierarchyItems", "bool", True)

    def mrmlScene(self) -> Any:
        return self._scene

    def subjectHierarchyNode(self) -> Any:
        return self._scene.GetSubjectHierarchyNode() if self._scene is not None else None

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        if scene is not None:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent, scene.EndBatchProcessEvent)
            _follow(self, scene, events, lambda widget: widget._fill())
        self._fill()

    def setLevelFilter(self, levels: list[str]) -> None:
        self._levels = list(levels)
        self._fill()

    def currentItem(self) -> int:
        index = self.currentIndex() - (1 if self.noneEnabled else 0)
        return self._items[index] if 0 <= index < len(self._items) else 0

    def setCurrentItem(self, item: int) -> None:
        self._fill()
        offset = 1 if self.noneEnabled else 0
        self.setCurrentIndex(self._items.index(item) + offset if item in self._items else 0 if offset else -1)

    def clearSelection(self) -> None:
        self.setCurrentItem(0)

    def currentNode(self) -> Any:
        hierarchy = self.subjectHierarchyNode()
        return hierarchy.GetItemDataNode(self.currentItem()) if hierarchy is not None and self.currentItem() else None

    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentItem(self.subjectHierarchyNode().GetItemByDataNode(node) if node is not None else 0)

    def _accepts(self, hierarchy: Any, item: int) -> bool:
        node = hierarchy.GetItemDataNode(item)
        if self._levels and hierarchy.GetItemLevel(item) not in self._levels:
            return False
        if self.nodeTypes:
            return node is not None and any(node.IsA(kind) for kind in self.nodeTypes)
        return node is None or not node.GetHideFromEditors()

    def _fill(self) -> None:
        hierarchy = self.subjectHierarchyNode()
        kept = self._shown
        self._items = []
        if hierarchy is not None:
            import vtk

            below = vtk.vtkIdList()
            hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), below, True)
            found = [below.GetId(index) for index in range(below.GetNumberOfIds())]
            self._items = [item for item in found if self._accepts(hierarchy, item)]
        self.blockSignals(True)
        self.clear()
        offset = 1 if self.noneEnabled else 0
        self.addItems([self.noneDisplay] * offset + [hierarchy.GetItemName(item) for item in self._items])
        index = self._items.index(kept) + offset if kept in self._items else 0 if self.count() else -1
        self.setCurrentIndex(index)
        self.blockSignals(False)
        self._chosen()

    def _chosen(self, _: int = 0) -> None:
        now = self.currentItem()
        if now != self._shown:
            self._shown = now
            self.currentItemChanged.emit(now)
