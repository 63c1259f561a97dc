"""The layout manager: the real layout logic makes the view nodes, a widget for each of them goes into the window."""

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from .views import qMRMLPlotWidget, qMRMLSliceWidget, qMRMLTableWidget, qMRMLThreeDWidget


class qSlicerLayoutManager(QtCore.QObject):
    """The real layout logic makes the view nodes; this puts a widget for each into the window."""

    layoutChanged = QtCore.Signal(int)

    def __init__(self, scene: Any, application_logic: Any, viewport: QtWidgets.QWidget) -> None:
        super().__init__()
        self._scene = scene
        self._viewport = viewport
        self._application_logic = application_logic
        self._logics: dict[str, Any] = {}
        self._widgets: dict[str, QtWidgets.QWidget] = {}
        self._paused = 0
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)

    def _arrange(self) -> None:
        """One widget for each view of the layout that is shown."""
        names = [
            self._logic.GetViewNodes().GetItemAsObject(i) for i in range(self._logic.GetViewNodes().GetNumberOfItems())
        ]
        for widget in self._widgets.values():
            widget.hide()
        grid: Any = self._viewport.layout()
        for place, node in enumerate(names):
            widget = self._widget(node)
            grid.addWidget(widget, place // 3, place % 3)
            widget.show()

    def _key(self, node: Any) -> str:
        return f"{node.GetClassName()} {node.GetLayoutName() or node.GetName()}"

    def _widget(self, node: Any) -> QtWidgets.QWidget:
        key = self._key(node)
        if key not in self._widgets:
            if node.IsA("vtkMRMLSliceNode"):
                self._widgets[key] = qMRMLSliceWidget(self._viewport, self._slice_logic(node))
            else:
                kinds = {"vtkMRMLPlotViewNode": qMRMLPlotWidget, "vtkMRMLTableViewNode": qMRMLTableWidget}
                self._widgets[key] = kinds.get(node.GetClassName(), qMRMLThreeDWidget)(self._viewport, node)
        return self._widgets[key]

    def _slice_logic(self, node: Any) -> Any:
        name = node.GetLayoutName()
        if name not in self._logics:
            logic = slicer.vtkMRMLSliceLogic()
            logic.SetMRMLScene(self._scene)
            logic.SetSliceNode(node)
            self._logics[name] = logic
            self._application_logic.GetSliceLogics().AddItem(logic)
        return self._logics[name]

    def mrmlScene(self) -> Any:
        return self._scene

    def layoutLogic(self) -> Any:
        return self._logic

    def setLayout(self, layout: int) -> None:
        node = self._logic.GetLayoutNode()
        known = node.IsLayoutDescription(layout)
        if not known:
            raise ValueError(f"Layout {layout} has no description: AddLayoutDescription comes first")
        node.SetViewArrangement(layout)

    layout = QtCore.Property(int, lambda self: self._logic.GetLayoutNode().GetViewArrangement(), setLayout)

    def _of(self, kind: str) -> list[Any]:
        nodes = self._logic.GetViewNodes()
        found = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
        return [node for node in found if node.IsA(kind)]

    threeDViewCount = QtCore.Property(int, lambda self: len(self._of("vtkMRMLViewNode")))
    plotViewCount = QtCore.Property(int, lambda self: len(self._of("vtkMRMLPlotViewNode")))
    tableViewCount = QtCore.Property(int, lambda self: len(self._of("vtkMRMLTableViewNode")))

    def sliceViewNames(self) -> list[str]:
        """The slice views of the layouts shown so far, as in the application, not only those of the present one."""
        names = [key.split(" ", 1)[1] for key in self._widgets if key.startswith("vtkMRMLSliceNode")]
        return names

    def sliceWidget(self, name: str) -> QtWidgets.QWidget | None:
        return self._widgets.get(f"vtkMRMLSliceNode {name}")

    def threeDWidget(self, index: int) -> QtWidgets.QWidget | None:
        return self._nth("vtkMRMLViewNode", index)

    def plotWidget(self, index: int) -> QtWidgets.QWidget | None:
        return self._nth("vtkMRMLPlotViewNode", index)

    def tableWidget(self, index: int) -> QtWidgets.QWidget | None:
        return self._nth("vtkMRMLTableViewNode", index)

    def _nth(self, kind: str, index: int) -> QtWidgets.QWidget | None:
        nodes = self._of(kind)
        return self._widget(nodes[index]) if index < len(nodes) else None

    def mrmlSliceLogics(self) -> Any:
        return self._application_logic.GetSliceLogics()

    def resetSliceViews(self) -> None:
        for logic in self._logics.values():
            logic.FitSliceToAll()

    def resetThreeDViews(self) -> None: ...

    def setRenderPaused(self, paused: bool) -> None:
        self._paused = max(0, self._paused + (1 if paused else -1))

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)

    def addMaximizedViewNode(self, node: Any) -> None: ...

    def removeAllMaximizedViewNodes(self) -> None: ...
