"""CTK's buttons, boxes and line edits."""

import enum
import re
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ..rules.popups import POPUPS
from .stored import stored


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A header that folds the layout below it away."""

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, *args: Any) -> None:
        text = args[0] if args and isinstance(args[0], str) else ""
        super().__init__(args[-1] if args and isinstance(args[-1], QtWidgets.QWidget) else None)
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, self._header(), 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Minimum, QtWidgets.QSizePolicy.Policy.Preferred)
        self._folded: list[QtWidgets.QWidget] = []
        self.toggled.connect(lambda on: self._fold(not on))

    def _header(self) -> int:
        return self.fontMetrics().height() + 8

    def _is_collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _is_collapsed, setCollapsed)
    flat, setFlat = stored("flat", "bool", False)
    collapsedHeight, setCollapsedHeight = stored("collapsedHeight", "int", 10)
    indicatorAlignment, setIndicatorAlignment = stored("indicatorAlignment", "int", 0x81)

    def _fold(self, collapsed: bool) -> None:
        if collapsed:
            self._folded = [child for child in self._widgets() if not child.isHidden()]
        for child in self._folded:
            child.setVisible(not collapsed)
        self.setMaximumHeight(self._header() + 4 if collapsed else 16777215)
        self.contentsCollapsed.emit(collapsed)

    def _widgets(self) -> list[QtWidgets.QWidget]:
        return [child for child in self.children() if isinstance(child, QtWidgets.QWidget)]

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        child = event.child()
        if event.added() and not self.isChecked() and isinstance(child, QtWidgets.QWidget):
            child.setVisible(False)
            self._folded.append(child)
        super().childEvent(event)

    def sizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        inner = layout.totalSizeHint() if layout is not None and self.isChecked() else QtCore.QSize(80, 0)
        return QtCore.QSize(max(inner.width(), 120), max(inner.height(), self._header() + 4))

    def minimumSizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(80, self._header() + 4)

    def hitButton(self, position: QtCore.QPoint) -> bool:
        return position.y() <= self._header()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), self._header())
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        sign = "▾" if self.isChecked() else "▸"
        painter.drawText(
            option.rect.adjusted(6, 0, -6, 0), QtCore.Qt.AlignmentFlag.AlignVCenter, f"{sign}  {self.text()}"
        )


class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box whose contents fold away with its check mark."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._fold)

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, lambda self: not self.isChecked(), setCollapsed)
    collapsedHeight, setCollapsedHeight = stored("collapsedHeight", "int", 14)

    def _fold(self, on: bool) -> None:
        """A child that was hidden by itself stays hidden when the box is unfolded."""
        explicit = QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide
        for child in self.children():
            if not isinstance(child, QtWidgets.QWidget):
                continue
            if not on:
                child.setProperty("hostHidden", child.isHidden())
                child.setVisible(False)
                continue
            hidden = child.property("hostHidden")
            if not (child.testAttribute(explicit) and child.isHidden() if hidden is None else hidden):
                child.setVisible(True)
        self.setMaximumHeight(16777215 if on else self.fontMetrics().height() + 12)


class ctkCheckBox(QtWidgets.QCheckBox):
    indeterminate, setIndeterminate = stored("indeterminate", "bool", False)


class ctkComboBox(QtWidgets.QComboBox):
    defaultText, setDefaultText = stored("defaultText", "QString", "")
    forceDefault, setForceDefault = stored("forceDefault", "bool", False)
    scrollWheelEnabled, setScrollWheelEnabled = stored("scrollWheelEnabled", "bool", True)


class ctkPushButton(QtWidgets.QPushButton):
    elideMode, setElideMode = stored("elideMode", "int", 3)


class ctkCheckablePushButton(ctkPushButton):
    """A push button with a box of its own that keeps it pressed."""

    checkBoxToggled = QtCore.Signal(bool)
    checkBoxControlsButton, setCheckBoxControlsButton = stored("checkBoxControlsButton", "bool", True)
    checkBoxControlsButtonToggleState, setCheckBoxControlsButtonToggleState = stored(
        "checkBoxControlsButtonToggleState", "bool", True
    )
    checkState, setCheckState = stored("checkState", "int", 0)


class ctkSearchBox(QtWidgets.QLineEdit):
    showSearchIcon, setShowSearchIcon = stored("showSearchIcon", "bool", False)
    alwaysShowClearIcon, setAlwaysShowClearIcon = stored("alwaysShowClearIcon", "bool", False)
    defaultText, setDefaultText = stored("defaultText", "QString", "Search...")


class ctkMessageBox(QtWidgets.QMessageBox):
    dontShowAgainSettingsKey, setDontShowAgainSettingsKey = stored("dontShowAgainSettingsKey", "QString", "")
    dontShowAgainVisible, setDontShowAgainVisible = stored("dontShowAgainVisible", "bool", False)
    dontShowAgain, setDontShowAgain = stored("dontShowAgain", "bool", False)


class ctkFileDialog(QtWidgets.QFileDialog):
    """Answers like a QFileDialog: through the announced windows."""


class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    """A text browser as tall as its text."""

    def setCollapsibleText(self, text: str) -> None:
        self.setHtml(text)

    collapsibleText = QtCore.Property(str, lambda self: self.toHtml(), setCollapsibleText)
    collapsed, setCollapsed = stored("collapsed", "bool", True)
    showMoreText, setShowMoreText = stored("showMoreText", "QString", "More...")


class ctkDirectoryButton(QtWidgets.QWidget):
    """A button with the folder on it; clicking it asks for another one."""

    directoryChanged = QtCore.Signal(str)
    directorySelected = QtCore.Signal(str)

    def __init__(self, *args: Any) -> None:
        super().__init__(next((one for one in args if isinstance(one, QtWidgets.QWidget)), None))
        self._path = next((one for one in args if isinstance(one, str)), ".")
        self._button = QtWidgets.QPushButton(self._path, self)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.clicked.connect(self.browse)

    def setDirectory(self, path: str) -> None:
        # The original gives the absolute path back, also for "".
        path = QtCore.QDir(path).absolutePath()
        if path == self._path:
            return
        self._path = path
        self._button.setText(path)
        self.directoryChanged.emit(path)
        self.directorySelected.emit(path)

    directory = QtCore.Property(str, lambda self: QtCore.QDir(self._path).absolutePath(), setDirectory)
    caption, setCaption = stored("caption", "QString", "")
    text, setText = stored("text", "QString", "")
    displayAbsolutePath, setDisplayAbsolutePath = stored("displayAbsolutePath", "bool", True)

    def browse(self) -> None:
        answer = POPUPS.static(
            "QFileDialog", "getExistingDirectory", (None, self.caption or "Select directory", self._path)
        )
        if answer is not None and answer.value:
            self.setDirectory(answer.value)


class ctkPathLineEdit(QtWidgets.QWidget):
    """A path to type or to browse for."""

    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)

    class Filter(enum.IntFlag):
        Dirs = 0x1
        Files = 0x2
        Drives = 0x4
        NoSymLinks = 0x8
        Readable = 0x10
        Writable = 0x20
        Executable = 0x40
        Hidden = 0x100
        AllEntries = 0x7

    Dirs, Files, Drives = Filter.Dirs, Filter.Files, Filter.Drives
    Readable, Writable, Executable, Hidden = Filter.Readable, Filter.Writable, Filter.Executable, Filter.Hidden

    def __init__(self, *args: Any) -> None:
        super().__init__(next((one for one in args if isinstance(one, QtWidgets.QWidget)), None))
        self._edit = QtWidgets.QComboBox(self)
        self._edit.setEditable(True)
        self._browse = QtWidgets.QToolButton(self)
        self._browse.setText("...")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit, 1)
        layout.addWidget(self._browse)
        self._valid = False
        self._edit.editTextChanged.connect(self._typed)
        self._browse.clicked.connect(self.browse)

    def _typed(self, path: str) -> None:
        """Only a text that the name filters accept is told; an empty line is never accepted."""
        was_valid, self._valid = self._valid, self._accepts(path)
        if self._valid:
            self.currentPathChanged.emit(path)
        if self._valid != was_valid:
            self.validInputChanged.emit(self._valid)

    def _accepts(self, path: str) -> bool:
        ends = re.findall(r"\*\.(\w+)", " ".join(self.nameFilters))
        return bool(re.fullmatch("|".join(rf".*\.{end}?" for end in ends) or ".+", path))

    def setCurrentPath(self, path: str) -> None:
        if path != self._edit.currentText():
            self._edit.setEditText(path)

    currentPath = QtCore.Property(str, lambda self: self._edit.currentText(), setCurrentPath)
    filters, setFilters = stored("filters", "int", 0x7)
    nameFilters, setNameFilters = stored("nameFilters", "QStringList", [])
    settingKey, setSettingKey = stored("settingKey", "QString", "")
    label, setLabel = stored("label", "QString", "")
    showBrowseButton, setShowBrowseButton = stored("showBrowseButton", "bool", True)
    showHistoryButton, setShowHistoryButton = stored("showHistoryButton", "bool", True)

    def addCurrentPathToHistory(self) -> None:
        if self._edit.findText(self._edit.currentText()) < 0:
            self._edit.addItem(self._edit.currentText())

    def browse(self) -> None:
        kind = "getOpenFileName" if self.filters & self.Filter.Files else "getExistingDirectory"
        answer = POPUPS.static("QFileDialog", kind, (None, self.label or "Select a path", self._edit.currentText()))
        if answer is not None and answer.value:
            self.setCurrentPath(answer.value)
