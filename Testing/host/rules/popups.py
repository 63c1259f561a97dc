"""Windows that wait for the person: a test announces them and answers; one that nobody announced is a trouble."""

import re
from dataclasses import dataclass
from typing import Any

import shiboken6
from PySide6 import QtCore, QtWidgets

from .enums import EnumInt
from .troubles import TROUBLES, guarded

WATCHDOG_MS = 10_000
QUESTIONS = {"question", "information", "warning", "critical", "about"}
FILES = {"getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory"}
INPUTS = {"getText", "getInt", "getDouble", "getItem", "getMultiLineText"}


@dataclass(frozen=True)
class Expected:
    """`pattern`: found in the title and text; `answer`: the text of a button, of a menu's action, a path, or a function
    of the window that does what the person does."""

    pattern: str
    answer: Any


@dataclass(frozen=True)
class Answer:
    value: Any


class Popups:
    """The announced windows of the test that runs, and the texts of those that came."""

    def __init__(self) -> None:
        self.expected: list[Expected] = []
        self.seen: list[str] = []
        self._doomed: list[Any] = []

    def expect(self, pattern: str, answer: Any = None) -> None:
        self.expected.append(Expected(pattern, answer))

    def clear(self) -> None:
        self.expected, self.seen = [], []

    def report_missing(self) -> None:
        for expected in self.expected:
            TROUBLES.add("popup", f"announced, but never came: {expected.pattern!r}")

    def take(self, text: str) -> Expected | None:
        """The expectation that a window meets, used up; None (and a trouble) when nobody announced it."""
        self.seen.append(text)
        found = next((expected for expected in self.expected if re.search(expected.pattern, text, re.DOTALL)), None)
        if found is None:
            TROUBLES.add("popup", f"nobody announced: {text!r}")
        else:
            self.expected.remove(found)
        return found

    def static(self, class_name: str, method: str, args: tuple) -> Answer | None:
        """The answer of a static function that would open a window, None where the function opens none."""
        words = "\n".join(value for value in args if isinstance(value, str))
        if class_name == "QMessageBox" and method in QUESTIONS:
            found = self.take(words)
            name = found.answer if found is not None and found.answer is not None else "Cancel"
            return Answer(EnumInt(QtWidgets.QMessageBox.StandardButton[name]))
        if class_name in ("QFileDialog", "ctkFileDialog") and method in FILES:
            found = self.take(words)
            nothing: Any = () if method == "getOpenFileNames" else ""
            return Answer(nothing if found is None or found.answer is None else found.answer)
        if class_name == "QInputDialog" and method in INPUTS:
            found = self.take(words)
            return Answer("" if found is None else found.answer)
        if class_name == "QDesktopServices" and method == "openUrl":
            self.take(f"open {args[0].toString()}")
            return Answer(True)
        return None

    def delete_later(self, native: Any) -> None:
        """Delete a window once it is closed. Qt does so where an event loop runs, as it always does in the application;
        a test that calls a function directly has none, and there the window would vanish before it is shown."""
        self._doomed.append(native)

    def bury(self) -> None:
        for native in self._doomed:
            if shiboken6.isValid(native):
                native.deleteLater()
        self._doomed = []

    def look(self) -> None:
        """Find the dialogs that Qt itself showed, such as a progress dialog that took long enough."""
        for native in QtWidgets.QApplication.topLevelWidgets():
            if isinstance(native, QtWidgets.QDialog) and native.isVisible() and not native.property("_host_seen"):
                native.setProperty("_host_seen", True)
                self.take(describe(native))

    def opens_window(self, native: Any, method: str) -> bool:
        if isinstance(native, QtWidgets.QMenu):
            return method in ("exec", "exec_", "popup")
        return isinstance(native, QtWidgets.QDialog) and method in ("exec", "exec_", "open", "show")

    def run(self, wrapper: Any, native: Any, args: tuple) -> Any:
        """Open a window in the event loop and let the test answer it."""
        expected = self.take(describe(native))
        if isinstance(native, QtWidgets.QMenu):
            return _choose(native, expected)
        native.setProperty("_host_seen", True)
        if isinstance(native, QtWidgets.QProgressDialog):
            native.setVisible(True)
            return None
        answer = guarded(lambda: _reply(wrapper, native, expected), "the answer of the test to a window", timed=False)
        QtCore.QTimer.singleShot(0, answer)
        watchdog = QtCore.QTimer()
        watchdog.setSingleShot(True)
        watchdog.timeout.connect(guarded(lambda: _give_up(native), "the watchdog of a window"))
        watchdog.start(WATCHDOG_MS)
        result = native.exec()
        watchdog.stop()
        self.bury()
        return result


def describe(native: Any) -> str:
    """The words of a window: title and texts, or the actions of a menu."""
    if isinstance(native, QtWidgets.QMenu):
        return "\n".join([native.title(), *(action.text() for action in native.actions())])
    words = [native.windowTitle()]
    if isinstance(native, QtWidgets.QMessageBox):
        words += [native.text(), native.informativeText()]
    elif isinstance(native, QtWidgets.QProgressDialog):
        words += [native.labelText()]
    else:
        words += [label.text() for label in native.findChildren(QtWidgets.QLabel)]
    return "\n".join(filter(None, words))


def _choose(menu: QtWidgets.QMenu, expected: Expected | None) -> Any:
    if expected is None or expected.answer is None:
        return None
    action = next((one for one in menu.actions() if plain(one.text()) == expected.answer), None)
    assert action is not None and action.isEnabled(), f"The menu offers no {expected.answer!r}"
    action.trigger()
    return action


def _reply(wrapper: Any, native: Any, expected: Expected | None) -> None:
    if expected is not None and callable(expected.answer):
        expected.answer(wrapper)
        return
    buttons = native.findChildren(QtWidgets.QAbstractButton)
    wanted = expected.answer if expected is not None else None
    if wanted is None:
        native.reject()
        return
    button = next((one for one in buttons if plain(one.text()) in (wanted, wanted.replace("&", ""))), None)
    if button is None or not button.isEnabled():
        native.reject()
        names = ", ".join(plain(one.text()) for one in buttons)
        raise AssertionError(f"The window {describe(native)!r} offers no button {wanted!r} ({names})")
    button.click()


def _give_up(native: Any) -> None:
    if shiboken6.isValid(native) and native.isVisible():
        TROUBLES.add("popup", f"still open after {WATCHDOG_MS} ms: {describe(native)!r}")
        native.reject()


def plain(text: str) -> str:
    """The text of a button or an action without its mnemonic."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&")


POPUPS = Popups()
