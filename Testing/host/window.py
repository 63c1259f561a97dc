"""The main window: the page of the module on the left, the views on the right."""

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from .natives.application import qSlicerMainWindow, qSlicerModuleSelectorToolBar
from .natives.layout_manager import qSlicerLayoutManager
from .rules.observers import observe_quietly


class Window:
    """`main` and `layout_manager` are what the application gives out."""

    def __init__(self, scene: Any, application_logic: Any) -> None:
        self.main = qSlicerMainWindow()
        self.main.setObjectName("qSlicerMainWindow")
        viewport = QtWidgets.QWidget()
        viewport.setLayout(QtWidgets.QGridLayout())
        self.main.setCentralWidget(viewport)
        self._pages = QtWidgets.QScrollArea()
        self._pages.setWidgetResizable(True)
        self._pages.setMinimumWidth(520)
        dock = QtWidgets.QDockWidget("Module panel", self.main)
        dock.setWidget(self._pages)
        self.main.addDockWidget(QtCore.Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        self.main.statusBar()
        self.selector = qSlicerModuleSelectorToolBar(self.main)
        self.main._selector = self.selector
        self.main.addToolBar(self.selector)
        self.main.resize(1600, 1000)
        application_logic.SetSliceLogics(vtk.vtkCollection())
        self.layout_manager = qSlicerLayoutManager(scene, application_logic, viewport)
        self._layout_node = self.layout_manager.layoutLogic().GetLayoutNode()
        self._shown = -1
        observe_quietly(self._layout_node, "ModifiedEvent", lambda caller, event: self._arrange())
        self._scene = scene
        observe_quietly(scene, scene.EndBatchProcessEvent, lambda caller, event: self._arrange(again=True))
        self._layout_node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
        self.main.show()

    def place(self, page: QtWidgets.QWidget) -> None:
        """Show the page of a module."""
        self._pages.takeWidget()
        self._pages.setWidget(page)
        page.show()

    def _arrange(self, again: bool = False) -> None:
        """As in the application, views are made only when all of a batch is over: of reading a scene, of closing it."""
        if self._scene.IsBatchProcessing():
            return
        now = self._layout_node.GetViewArrangement()
        if now != self._shown or again:
            self._shown = now
            self.layout_manager._arrange()
            self.layout_manager.layoutChanged.emit(now)
