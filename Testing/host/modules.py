"""Slicer's own modules with their real logics, and scripted modules loaded as the application loads them."""

import importlib.util
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shiboken6
import slicer
from PySide6 import QtCore, QtWidgets

from .natives.application import qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget
from .natives.segment_editor import shortcuts_left
from .rules.troubles import TROUBLES
from .rules.wrapping import to_wrapper

# Terminologies as small as they can be: the wheel has none.
SHARE = Path(__file__).parent / "share"

LOGICS = {
    "volumes": "vtkSlicerVolumesLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "colors": "vtkSlicerColorLogic",
    "tables": "vtkSlicerTablesLogic",
    "plots": "vtkSlicerPlotsLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "models": "vtkSlicerModelsLogic",
    "transforms": "vtkSlicerTransformLogic",
    "cropvolume": "vtkSlicerCropVolumeLogic",
    "units": "vtkSlicerUnitsLogic",
}


class qSlicerLoadableModule(QtCore.QObject):
    """A module of the application of which only the logic is there."""

    def __init__(self, name: str, logic: Any) -> None:
        super().__init__()
        self._name, self._logic = name, logic

    name = QtCore.Property(str, lambda self: self._name)
    path = QtCore.Property(str, lambda self: f"/{self._name}")

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> Any:
        return None


def core_modules(scene: Any, application_logic: Any) -> types.SimpleNamespace:
    """`slicer.modules` as it is before a scripted module comes."""
    modules = types.SimpleNamespace()
    for name, class_name in LOGICS.items():
        logic = getattr(slicer, class_name)()
        if hasattr(logic, "SetMRMLApplicationLogic"):
            logic.SetMRMLApplicationLogic(application_logic)
        if hasattr(logic, "SetModuleShareDirectory"):
            logic.SetModuleShareDirectory(str(SHARE))
        logic.SetMRMLScene(scene)
        application_logic.SetModuleLogic(name.capitalize(), logic)
        setattr(modules, name, to_wrapper(qSlicerLoadableModule(name, logic)))
    return modules


class ScriptedModule:
    """One scripted module: its file, its page, whether the person is on it."""

    def __init__(self, path: Path, place: Callable[[QtWidgets.QWidget], None]) -> None:
        self.path = path
        self.name = path.stem
        self.native = qSlicerScriptedLoadableModule(str(path), self.name)
        self.native._make = self._make_page
        self.page: qSlicerScriptedLoadableModuleWidget | None = None
        self._place = place
        if str(path.parent) not in sys.path:
            sys.path.insert(0, str(path.parent))
        self.module = self._read()
        self.instance = getattr(self.module, self.name)(to_wrapper(self.native))
        setattr(slicer.modules, self.name.lower(), to_wrapper(self.native))
        setattr(slicer.modules, f"{self.name}Instance", self.instance)

    def _read(self) -> types.ModuleType:
        spec = importlib.util.spec_from_file_location(self.name, self.path)
        assert spec is not None and spec.loader is not None, self.path
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = module
        spec.loader.exec_module(module)
        return module

    @property
    def panel(self) -> Any:
        """The object of the Widget class."""
        assert self.page is not None, f"{self.name} was not opened"
        return self.page._panel

    def _make_page(self) -> Any:
        """In the application's order: layout, Widget(parent), setup, and only then the scene."""
        self.page = qSlicerScriptedLoadableModuleWidget(self.name)
        QtWidgets.QVBoxLayout(self.page)
        self.page._reload = self._build
        self._place(self.page)
        self._build()
        self.page.setMRMLScene(slicer.mrmlScene)
        return self.page

    def _build(self) -> None:
        """Make the Widget of the source that is loaded now; a reload does not enter again, as in the application."""
        self.module = sys.modules[self.name]
        widget_class = getattr(self.module, f"{self.name}Widget")
        page = self.page
        assert page is not None
        page._panel = widget_class(to_wrapper(page))
        setattr(slicer.modules, f"{self.name}Widget", page._panel)
        page._panel.setup()

    def open(self) -> Any:
        self.native.widgetRepresentation()
        return self.panel

    def enter(self) -> None:
        assert self.page is not None
        if not self.page._entered:
            self.page._entered = True
            self.panel.enter()

    def exit(self) -> None:
        assert self.page is not None
        if self.page._entered:
            self.page._entered = False
            self.panel.exit()
            for editor in shortcuts_left():
                TROUBLES.add("connection", f"{self.name}.exit left the keyboard shortcuts of {editor} installed")

    def close(self, about_to_unload: Callable[[str], None]) -> None:
        """What the application does when it ends: `cleanup` by the signal, then the page is destroyed."""
        if self.page is not None:
            self.exit()
            about_to_unload(self.name)
            page, self.page = self.page, None
            page._panel = page._reload = None
            self.native._widget = None
            if shiboken6.isValid(page):
                shiboken6.delete(page)
        for name in (f"{self.name}Widget", f"{self.name}Instance", self.name.lower()):
            if hasattr(slicer.modules, name):
                delattr(slicer.modules, name)
        self.native._make = None
        self.instance = None
        sys.modules.pop(self.name, None)
        if str(self.path.parent) in sys.path:
            sys.path.remove(str(self.path.parent))
