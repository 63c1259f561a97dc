"""What the application has before any module is loaded: `qt`, `ctk`, `slicer.*`, once per process."""

import ctypes
import gc
import os
import sys
import types
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import slicer
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from .natives import application as natives_application
from .natives import (
    ctk_buttons,
    ctk_numbers,
    dicom,
    io_manager,
    layout_manager,
    mrml_boxes,
    plot_view,
    segment_editor,
    views,
)
from .natives.ui_loader import UiLoader
from .rules.shells import SUBSTITUTES
from .rules.wrapping import to_wrapper, wrapper_type

QT_PARTS = (QtCore, QtGui, QtWidgets)
CTK_PARTS = (ctk_buttons, ctk_numbers)
SLICER_PARTS = (
    mrml_boxes,
    segment_editor,
    views,
    plot_view,
    layout_manager,
    ctk_numbers,
    natives_application,
    io_manager,
    dicom,
)
FILES = ("i18n", "packaging", "parameterNodeWrapper", "ScriptedLoadableModule")
# In the application these classes come from modules of their own as well.
WIDGET_MODULES = {
    "qSlicerSegmentationsModuleWidgetsPythonQt": ("qMRMLSegmentEditorWidget",),
    "qSlicerSubjectHierarchyModuleWidgetsPythonQt": ("qMRMLSubjectHierarchyComboBox",),
}


class QtModule(types.ModuleType):
    """`qt`: every class of QtCore, QtGui and QtWidgets, flat, under PythonQt's rules."""

    def __getattr__(self, name: str) -> Any:
        if name == "QUiLoader":
            return wrapper_type(QtUiTools.QUiLoader)
        for part in QT_PARTS:
            found = getattr(part, name, None)
            if isinstance(found, type) and name.startswith("Q") and found.__module__.startswith("PySide6"):
                return wrapper_type(found)
        raise AttributeError(f"module 'qt' has no attribute '{name}'")


def application() -> natives_application.qSlicerApplication:
    """The application object, made when first asked for.

    Raises:
        RuntimeError: the process has another QApplication.
    """
    running = QtWidgets.QApplication.instance()
    if running is None:
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
        running = natives_application.qSlicerApplication(["Slicer"])
        running.setApplicationName("Slicer")
        running.setOrganizationName("slicer.org")
        running.setQuitOnLastWindowClosed(False)
        running.setStyle("Fusion")
        # The host collects after every test; what was imported until now stays and need not be looked at each time.
        gc.freeze()
        _keep_none()
    if not isinstance(running, natives_application.qSlicerApplication):
        raise RuntimeError("Another QApplication runs in this process; the host needs one of its own")
    return running


def _keep_none() -> None:
    """PySide6 gives back a reference to None that it never took, with every call that returns nothing: before Python
    3.12, where None cannot die, a process that waits for minutes would end with "deallocating None"."""
    if sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40


def native_classes(parts: tuple, prefixes: tuple[str, ...]) -> dict[str, type]:
    found: dict[str, type] = {}
    for part in parts:
        for name, value in vars(part).items():
            if isinstance(value, type) and name.startswith(prefixes) and issubclass(value, QtCore.QObject):
                found[name] = value
    return found


def install() -> dict[str, Any]:
    """Put the modules in place and return what `uninstall` needs."""
    SUBSTITUTES[QtUiTools.QUiLoader] = UiLoader
    ctk_classes = native_classes(CTK_PARTS, ("ctk",))
    slicer_classes = native_classes(SLICER_PARTS, ("qMRML", "qSlicer"))
    UiLoader.classes = {**ctk_classes, **slicer_classes}
    before = {"slicer": dict(vars(slicer)), "modules": dict(sys.modules)}
    sys.modules["qt"] = QtModule("qt")
    ctk = types.ModuleType("ctk")
    for name, native in ctk_classes.items():
        setattr(ctk, name, wrapper_type(native))
    sys.modules["ctk"] = ctk
    for name, native in slicer_classes.items():
        setattr(slicer, name, wrapper_type(native))
    for name, classes in WIDGET_MODULES.items():
        module = types.ModuleType(name)
        for class_name in classes:
            setattr(module, class_name, wrapper_type(slicer_classes[class_name]))
        sys.modules[name] = module
    slicer.app = to_wrapper(application())
    # These import qt and ctk and can be read only now.
    from .files import i18n, packaging, parameter_node, sample_data, scripted

    for name, part in zip(FILES, (i18n, packaging, parameter_node, scripted), strict=True):
        sys.modules[f"slicer.{name}"] = part
        setattr(slicer, name, part)
    sys.modules["SampleData"] = sample_data
    return before


def uninstall(before: dict[str, Any]) -> None:
    """Take the modules away again."""
    ours = [*native_classes(SLICER_PARTS, ("qMRML", "qSlicer")), "app", "mrmlScene", "modules", "selfTests", *FILES]
    for name in ours:
        if name in before["slicer"]:
            setattr(slicer, name, before["slicer"][name])
        else:
            vars(slicer).pop(name, None)
    gone = ["qt", "ctk", "SampleData", *WIDGET_MODULES]
    gone += [f"slicer.{name}" for name in FILES]
    for name in gone:
        if name in before["modules"]:
            sys.modules[name] = before["modules"][name]
        else:
            sys.modules.pop(name, None)
