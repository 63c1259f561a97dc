"""What a person does with mouse and keyboard. What a person could not do fails the test."""

from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtTest, QtWidgets

from .natives.ctk_buttons import ctkCollapsibleButton, ctkDirectoryButton, ctkPathLineEdit
from .natives.mrml_boxes import qMRMLNodeComboBox
from .rules.wrapping import Wrapper, native_of

LEFT = QtCore.Qt.MouseButton.LeftButton


def reachable(widget: Wrapper) -> Any:
    """The PySide6 widget, which must be shown and enabled."""
    native = native_of(widget)
    name = native.objectName() or type(native).__name__
    assert native.isVisible(), f"{name} is not visible: nobody can click it"
    assert native.isEnabled(), f"{name} is disabled: {native.toolTip()!r}"
    return native


def click(widget: Wrapper, x: int | None = None, y: int | None = None, double: bool = False) -> None:
    """Click a widget, in the middle or at (x, y)."""
    native = reachable(widget)
    target = native.viewport() if isinstance(native, QtWidgets.QAbstractScrollArea) else native
    position = QtCore.QPoint(
        target.width() // 2 if x is None else x,
        target.height() // 2 if y is None else y,
    )
    if isinstance(native, ctkCollapsibleButton):
        position.setY(native._header() // 2)
    if isinstance(native, QtWidgets.QCheckBox | QtWidgets.QRadioButton) and x is None:
        position.setX(8)
    if double:
        QtTest.QTest.mouseClick(target, LEFT, pos=position)
        QtTest.QTest.mouseDClick(target, LEFT, pos=position)
    else:
        QtTest.QTest.mouseClick(target, LEFT, pos=position)


def click_cell(table: Wrapper, row: int, column: int = 0, double: bool = False) -> None:
    """Click a cell of a table, a list or a tree (there, the row counts the visible top-level items)."""
    native = reachable(table)
    index = native.model().index(row, column)
    assert index.isValid(), f"There is no cell {row}, {column}"
    native.scrollTo(index)
    middle = native.visualRect(index).center()
    click(table, middle.x(), middle.y(), double)


def type_text(widget: Wrapper, text: str) -> None:
    """Replace the text of a line, a text field, a spin box or a path by typing."""
    native = reachable(widget)
    if isinstance(native, ctkPathLineEdit):
        native = native._edit.lineEdit()
    native.setFocus()
    native.selectAll() if hasattr(native, "selectAll") else None
    QtTest.QTest.keyClick(native, QtCore.Qt.Key.Key_Delete)
    QtTest.QTest.keyClicks(native, text)
    if isinstance(native, QtWidgets.QAbstractSpinBox):
        QtTest.QTest.keyClick(native, QtCore.Qt.Key.Key_Return)


def press(widget: Wrapper, keys: str) -> None:
    """Press a shortcut such as "Ctrl+N" while the focus is in a widget."""
    native = native_of(widget)
    native.window().activateWindow()
    native.setFocus()
    QtWidgets.QApplication.processEvents()
    QtTest.QTest.keySequence(native, QtGui.QKeySequence(keys))


def choose(box: Wrapper, text: str) -> None:
    """Choose an entry of a combo box (also of nodes) by its text."""
    native = reachable(box)
    if isinstance(native, qMRMLNodeComboBox):
        native = native._box
    index = native.findText(text)
    assert index >= 0, f"{text!r} is not offered ({[native.itemText(i) for i in range(native.count())]})"
    native.setCurrentIndex(index)
    native.activated.emit(index)


def choose_folder(widget: Wrapper, path: Any) -> None:
    """Give a ctkDirectoryButton or a ctkPathLineEdit a path, as its browser would."""
    native = reachable(widget)
    if isinstance(native, ctkDirectoryButton):
        native.setDirectory(str(path))
    else:
        native.setCurrentPath(str(path))


def gone(widget: Wrapper) -> bool:
    return not shiboken6.isValid(widget._native)


def after(milliseconds: int, action: Callable[[], None]) -> None:
    """Do something later, while the event loop runs."""
    QtCore.QTimer.singleShot(milliseconds, action)
