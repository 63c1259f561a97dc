"""The application and what hangs on it: modules, input and output, the main window."""

from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from .mrml_boxes import qMRMLWidget
from .stored import stored


class qSlicerApplication(QtWidgets.QApplication):
    """The one application object of the process. `_state` belongs to the host of the test that runs."""

    startupCompleted = QtCore.Signal()
    renderPaused = QtCore.Signal(bool)
    mrmlSceneChanged = QtCore.Signal(object)
    signal_names = ("mrmlSceneChanged(vtkMRMLScene*)",)
    _state: Any = None

    majorVersion = QtCore.Property(int, lambda self: self._state.version[0])
    minorVersion = QtCore.Property(int, lambda self: self._state.version[1])
    applicationVersion = QtCore.Property(  # type: ignore[assignment]
        str, lambda self: "{}.{}.0".format(*self._state.version)
    )
    revision = QtCore.Property(str, lambda self: "0")
    slicerHome = QtCore.Property(str, lambda self: str(self._state.folder / "home"))
    temporaryPath = QtCore.Property(str, lambda self: str(self._state.folder / "temporary"))
    cachePath = QtCore.Property(str, lambda self: str(self._state.folder / "cache"))
    defaultScenePath = QtCore.Property(str, lambda self: str(self._state.folder))
    startupWorkingPath = QtCore.Property(str, lambda self: str(self._state.folder))
    slicerUserSettingsFilePath = QtCore.Property(str, lambda self: self._state.settings.fileName())
    documentationBaseUrl = QtCore.Property(str, lambda self: "https://slicer.readthedocs.io/en/latest/")

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def applicationLogic(self) -> Any:
        return self._state.application_logic

    def layoutManager(self) -> Any:
        return self._state.layout_manager

    def moduleManager(self) -> Any:
        return self._state.module_manager

    def coreIOManager(self) -> Any:
        return self._state.io_manager

    def ioManager(self) -> Any:
        return self._state.io_manager

    def mainWindow(self) -> Any:
        return self._state.main_window

    def commandOptions(self) -> Any:
        return self._state.command_options

    def testingEnabled(self) -> bool:
        return bool(self._state.testing)

    def settings(self) -> Any:
        return self._state.settings

    def userSettings(self) -> Any:
        return self._state.settings

    def revisionUserSettings(self) -> Any:
        return self._state.settings

    def toolTipsEnabled(self) -> bool:
        return True

    def isInstalled(self) -> bool:
        return False

    def startupEnvironment(self) -> dict[str, str]:
        return dict(self._state.environment)

    def openNodeModule(self, node: Any, role: str = "", context: str = "") -> None: ...

    def moduleDocumentationUrl(self, module: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{module.lower()}.html"

    def pauseRender(self) -> None:
        if self.layoutManager() is not None:
            self.layoutManager().pauseRender()

    def resumeRender(self) -> None:
        if self.layoutManager() is not None:
            self.layoutManager().resumeRender()

    def setRenderPaused(self, paused: bool) -> None:
        if self.layoutManager() is not None:
            self.layoutManager().setRenderPaused(paused)

    def exit(self, code: int | None = 0) -> None:  # type: ignore[override]
        """Kept for the test instead of leaving."""
        self._state.exit_code = code

    def processEvents(self, *args: Any) -> None:  # type: ignore[override]
        QtWidgets.QApplication.processEvents(*args)


class qSlicerModuleManager(QtCore.QObject):
    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}

    def modulesNames(self) -> list[str]:
        return list(self._modules)

    def module(self, name: str) -> Any:
        return self._modules.get(name)


class qSlicerCoreCommandOptions(QtCore.QObject):
    noMainWindow, _set_no_main_window = stored("noMainWindow", "bool", False)
    isTestingEnabled, _set_testing = stored("isTestingEnabled", "bool", False)
    settingsDisabled, _set_disabled = stored("settingsDisabled", "bool", False)
    runPythonAndExit, setRunPythonAndExit = stored("runPythonAndExit", "bool", True)
    pythonScript, _set_script = stored("pythonScript", "QString", "")


class qSlicerScriptedLoadableModule(QtCore.QObject):
    """The `parent` of a Module class."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__()
        self._path, self._name = path, name
        self._widget: Any = None
        self._make: Any = None

    path = QtCore.Property(str, lambda self: self._path)
    name = QtCore.Property(str, lambda self: self._name)
    title, setTitle = stored("title", "QString", "")
    categories, setCategories = stored("categories", "QStringList", [])
    contributors, setContributors = stored("contributors", "QStringList", [])
    dependencies, setDependencies = stored("dependencies", "QStringList", [])
    associatedNodeTypes, setAssociatedNodeTypes = stored("associatedNodeTypes", "QStringList", [])
    helpText, setHelpText = stored("helpText", "QString", "")
    acknowledgementText, setAcknowledgementText = stored("acknowledgementText", "QString", "")
    hidden, setHidden = stored("hidden", "bool", False)
    index, setIndex = stored("index", "int", -1)
    widgetRepresentationCreationEnabled, setWidgetRepresentationCreationEnabled = stored(
        "widgetRepresentationCreationEnabled", "bool", True
    )

    def _set_icon(self, icon: QtGui.QIcon) -> None:
        self._icon = icon

    icon = QtCore.Property(QtGui.QIcon, lambda self: self.__dict__.get("_icon", QtGui.QIcon()), _set_icon)

    def setIcon(self, icon: QtGui.QIcon) -> None:
        self._icon = icon

    def logic(self) -> Any:
        return None

    def widgetRepresentation(self) -> Any:
        if self._widget is None and self._make is not None:
            self._widget = self._make()
        return self._widget

    def createNewWidgetRepresentation(self) -> Any:
        return self._make()


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The `parent` of a Widget class: the page of the module."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._entered = False
        self._panel: Any = None
        self._reload: Any = None

    moduleName = QtCore.Property(str, lambda self: self._name)
    isEntered = QtCore.Property(bool, lambda self: self._entered)

    def self(self) -> Any:
        return self._panel

    def reload(self) -> None:
        self._reload()


class qSlicerModuleSelectorToolBar(QtWidgets.QToolBar):
    """Chooses a module; the host opens it."""

    moduleSelected = QtCore.Signal(str)

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self._selected = ""
        self._open: Any = None

    def selectModule(self, name: str) -> None:
        if name and name != self._selected:
            self._open(name)
            self.moduleSelected.emit(name)

    selectedModule = QtCore.Property(str, lambda self: self._selected)


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window: the panel on the left, the views on the right, a status bar."""

    initialWindowShown = QtCore.Signal()
    _selector: Any = None

    def moduleSelector(self) -> Any:
        return self._selector
