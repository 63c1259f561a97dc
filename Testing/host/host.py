"""The host: the application that a test runs a scripted module in."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import shiboken6
import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from . import environment, leftovers, person
from .listening import Listening
from .modules import ScriptedModule, core_modules
from .natives.application import qSlicerCoreCommandOptions, qSlicerModuleManager
from .natives.io_manager import qSlicerCoreIOManager
from .natives.subject_hierarchy import follow_removals
from .rules import observers, signals, timers
from .rules.popups import POPUPS
from .rules.settings import Settings
from .rules.troubles import SLOWEST, TROUBLES, Trouble
from .rules.wrapping import Wrapper, native_of, to_wrapper
from .window import Window


class Host:
    """One run of the application: a new scene, new settings, no module loaded. A context manager: at its end the
    modules are unloaded, and every trouble fails the test.

    Args:
        folder: an empty folder for settings, temporary files and the like.
        window: False is `--no-main-window`: no main window and no layout manager.
        testing: what `slicer.app.testingEnabled()` says (slicer.util's popups are skipped then, as there).
        version: the Slicer that it claims to be.
    """

    click = staticmethod(person.click)
    click_cell = staticmethod(person.click_cell)
    type = staticmethod(person.type_text)
    press = staticmethod(person.press)
    choose = staticmethod(person.choose)
    choose_folder = staticmethod(person.choose_folder)
    gone = staticmethod(person.gone)
    after = staticmethod(person.after)

    def __init__(
        self, folder: Path, window: bool = True, testing: bool = False, version: tuple[int, int] = (5, 12)
    ) -> None:
        self.folder = folder
        self.testing = testing
        self.version = version
        self.environment = dict(os.environ)
        self.exit_code: int | None = None
        self.application = environment.application()
        self.modules: dict[str, ScriptedModule] = {}
        self._with_window = window
        self._listening = Listening()

    def __enter__(self) -> "Host":
        for log in (TROUBLES, POPUPS, SLOWEST, observers.OBSERVERS, signals.LINKS, timers.PENDING):
            log.clear()
        self.application._state = self
        self._before = environment.install()
        observers.watch(True)
        self._listening.start()
        self._start()
        for record in (self.log.pip, self.log.samples, self.log.texts):
            record.clear()
        self.pip_outcome("install")
        self.translate_by(lambda text: text)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        troubles = self.close()
        if error is None and troubles:
            raise AssertionError("The panel is in trouble:\n" + "\n".join(str(trouble) for trouble in troubles))

    def _start(self) -> None:
        for name in ("home", "temporary", "cache"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        scope = QtCore.QSettings.Scope.UserScope
        QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, scope, str(self.folder / "settings"))
        self.settings = Settings()
        slicer.mrmlScene = slicer.vtkMRMLScene()
        self._give_caches(slicer.mrmlScene)
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self.application_logic.SetTemporaryPath(str(self.folder / "temporary"))
        self.application_logic.SetHomeDirectory(str(Path(__file__).parent))
        self.application_logic.SetShareDirectory("share")
        self.application_logic.SetMRMLScene(slicer.mrmlScene)
        slicer.modules = core_modules(slicer.mrmlScene, self.application_logic)
        follow_removals(slicer.mrmlScene)
        self.application_logic.SetColorLogic(slicer.modules.colors.logic())
        self.module_manager = qSlicerModuleManager()
        self.io_manager = qSlicerCoreIOManager()
        self.command_options = qSlicerCoreCommandOptions()
        self.command_options._set_no_main_window(not self._with_window)
        self.command_options._set_testing(self.testing)
        self.window = Window(slicer.mrmlScene, self.application_logic) if self._with_window else None
        if self.window is not None:
            self.window.selector._open = self.open

    def _give_caches(self, scene: Any) -> None:
        """What reading an .mrb asks for."""
        self._caches = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        self._caches[0].SetRemoteCacheDirectory(str(self.folder / "cache"))
        self._caches[1].SetCacheManager(self._caches[0])
        scene.SetCacheManager(self._caches[0])
        scene.SetDataIOManager(self._caches[1])

    def load(self, path: Path) -> Any:
        """Load a scripted module as the application does at start-up: its Module object; no panel yet."""
        loaded = ScriptedModule(path.resolve(), self._place)
        self.modules[loaded.name] = loaded
        self.module_manager._modules[loaded.name] = loaded.native
        self.module_manager.moduleLoaded.emit(loaded.name)
        return loaded.instance

    def start_up_completed(self) -> None:
        self.application.startupCompleted.emit()

    def open(self, name: str) -> Any:
        """Choose a module: its panel is made if it is not there, and entered. The Widget object."""
        loaded = self.modules[name]
        if loaded.page is None:
            leftovers.remember(loaded)
        for other in self.modules.values():
            if other is not loaded and other.page is not None:
                other.exit()
        panel = loaded.open()
        if self.window is not None:
            self.window.selector._selected = name
        loaded.enter()
        self.process()
        return panel

    def _place(self, page: QtWidgets.QWidget) -> None:
        if self.window is not None:
            self.window.place(page)

    def leave(self, name: str) -> None:
        """Go to another module: `exit` of this one."""
        self.modules[name].exit()

    def reload(self, name: str) -> Any:
        """The developer's Reload button: the source again, cleanup, a new Widget. The new Widget object."""
        slicer.util.reloadScriptedModule(name)
        self.process()
        return self.modules[name].panel

    def unload(self, name: str) -> None:
        """End of the application for one module: cleanup, the page is destroyed, what is left over becomes trouble."""
        loaded = self.modules.pop(name)
        loaded.close(self.module_manager.moduleAboutToBeUnloaded.emit)
        self.module_manager._modules.pop(name)
        self._settle()
        leftovers.report(loaded, self)

    def quit(self) -> None:
        """The application ends: it unloads its modules before anybody else hears `aboutToQuit()`, as it has connected
        itself to that first."""
        for name in list(self.modules):
            self.unload(name)
        self.application.aboutToQuit.emit()

    def close(self) -> list[Trouble]:
        """Unload everything and put the process back as it was; the troubles."""
        try:
            POPUPS.look()
            for name in list(self.modules):
                self.unload(name)
            self._settle()
        except Exception as error:
            TROUBLES.add_exception("unloading", error)
        POPUPS.report_missing()
        self._stop()
        self._listening.stop()
        return list(TROUBLES.found)

    def _stop(self) -> None:
        leftovers.stop_everything()
        slicer.mrmlScene.Clear(1)
        if self.window is not None:
            shiboken6.delete(self.window.layout_manager)
            shiboken6.delete(self.window.main)
            self.window = None
        observers.watch(False)
        environment.uninstall(self._before)
        QtWidgets.QApplication.processEvents()

    @staticmethod
    def _settle() -> None:
        gc.collect()
        QtWidgets.QApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
        QtWidgets.QApplication.processEvents()

    def process(self, until: Callable[[], Any] | None = None, timeout: float = 10.0) -> None:
        """Let the event loop run: what is waiting, or until something holds, at most `timeout` s (AssertionError)."""
        end = time.monotonic() + timeout
        while True:
            QtWidgets.QApplication.processEvents()
            POPUPS.look()
            POPUPS.bury()
            QtWidgets.QApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
            if until is None or until():
                return
            assert time.monotonic() < end, (
                f"Still waiting after {timeout} s. Troubles: {[str(t) for t in TROUBLES.found]}"
            )
            time.sleep(0.005)

    def wait(self, seconds: float) -> None:
        """Let the event loop run for a time."""
        end = time.monotonic() + seconds
        self.process(lambda: time.monotonic() >= end, seconds + 10)

    def expect(self, pattern: str, answer: Any = None) -> None:
        """Announce a window (message, question, file, folder, menu, web page) whose words match, and the answer to it:
        the text of a button or an action, a path, or a function of the window."""
        POPUPS.expect(pattern, answer)

    def find(self, name: str, inside: Wrapper | None = None) -> Wrapper:
        """The one widget of that object name, in the panels or inside a widget."""
        roots = [native_of(inside)] if inside is not None else [m.page for m in self.modules.values() if m.page]
        found = [widget for root in roots for widget in root.findChildren(QtWidgets.QWidget, name)]
        shown = [widget for widget in found if widget.isVisibleTo(widget.window())] if len(found) > 1 else found
        assert len(shown) == 1, f"{len(shown)} widgets are called {name!r}"
        return to_wrapper(shown[0])

    def forgive(self, pattern: str) -> list[Trouble]:
        """Take out the troubles that match; there must be one."""
        return TROUBLES.forgive(pattern)

    @property
    def main_window(self) -> Any:
        """The main window, None without one."""
        return self.window.main if self.window is not None else None

    @property
    def layout_manager(self) -> Any:
        return self.window.layout_manager if self.window is not None else None

    @property
    def troubles(self) -> list[Trouble]:
        return list(TROUBLES.found)

    @property
    def popups(self) -> list[str]:
        """The words of the windows that came."""
        return list(POPUPS.seen)

    def slowest(self) -> tuple[str, float]:
        """The slot, timer or observer that held the GUI thread longest, and its milliseconds."""
        where = max(SLOWEST, key=lambda key: SLOWEST[key], default="nothing")
        return where, 1000 * SLOWEST.get(where, 0.0)

    def screenshot(self, widget: Any, path: Path) -> Path:
        """A picture of a widget, of its natural height where it is taller than its place."""
        native = native_of(widget) if isinstance(widget, Wrapper) else widget
        self.process()
        picture = native.grab()
        assert picture.save(str(path)), path
        return path

    def theme(self, dark: bool) -> None:
        """A light or a dark palette."""
        palette = QtGui.QPalette(QtGui.QColor(53, 53, 53) if dark else QtGui.QColor(239, 239, 239))
        self.application.setPalette(palette)

    def save_scene(self, path: Path) -> None:
        """Save the scene as .mrml or .mrb."""
        assert slicer.util.saveScene(str(path), properties={}), path

    def load_scene(self, path: Path) -> None:
        """Close the scene and open a saved one, as a person does."""
        self.close_scene()
        slicer.util.loadScene(str(path), properties={"clear": False})
        self.process()

    def close_window(self) -> bool:
        """The person closes Slicer: False when somebody (an event filter on the main window) did not let it happen."""
        closed = bool(self.main_window.close())
        self.process()
        return closed

    def close_scene(self) -> None:
        slicer.mrmlScene.Clear(0)
        self.process()

    @staticmethod
    def pip_outcome(outcome: str) -> None:
        """How the next installations end: "install" (as if it worked), "decline" (the person says no) or "fail"."""
        from .files import packaging

        packaging.OUTCOME[-1] = outcome

    @staticmethod
    def translate_by(translator: Callable[[str], str]) -> None:
        """The user's language."""
        from .files import i18n

        i18n.TRANSLATOR[-1] = translator

    @property
    def log(self) -> SimpleNamespace:
        """What the module asked of the application: pip calls, sample data, texts to translate, exit code."""
        from .files import i18n, packaging, sample_data

        return SimpleNamespace(
            pip=packaging.CALLS, samples=sample_data.SOURCES, texts=i18n.ASKED, exit_code=self.exit_code
        )
