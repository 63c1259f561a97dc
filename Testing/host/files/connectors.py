"""Which widget may show which parameter (SLICER.md 4.2): exact classes, as the application compares them."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ctk
import qt
import slicer

from .parameter_fields import (
    Choice,
    Decimals,
    Field,
    Maximum,
    Minimum,
    SingleStep,
    WithinRange,
    is_enum,
    is_path,
    node_classes,
)

NO_LIMIT = float("inf")


@dataclass
class Connector:
    """Reads and writes one widget; `connect` calls back when the person changes it."""

    widget: Any
    signal: str
    read: Callable[[], Any]
    write: Callable[[Any], None]
    callback: Callable[[], None] | None = None

    def connect(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        getattr(self.widget, self.signal).connect(self._changed)

    def disconnect(self) -> None:
        getattr(self.widget, self.signal).disconnect(self._changed)
        self.callback = None

    def _changed(self) -> None:
        if self.callback is not None:
            self.callback()


def create(widget: Any, field: Field) -> Connector:
    """The connector of a widget to a field.

    Raises:
        RuntimeError: the application has none for this pair, or the field lacks the range or the choices that it needs.
    """
    kind, cls = field.kind, type(widget)
    if kind is bool and cls in (qt.QCheckBox, ctk.ctkCheckBox):
        return _attribute(widget, "checked", "stateChanged")
    if kind is bool and cls in (qt.QPushButton, ctk.ctkCheckablePushButton):
        widget.checkable = True
        return _attribute(widget, "checked", "toggled")
    if kind is int and cls in (qt.QSlider, qt.QSpinBox):
        _limit(widget, field, -(2**31), 2**31 - 1, needs_range=cls is qt.QSlider)
        return _attribute(widget, "value", "valueChanged")
    numbers = (
        qt.QDoubleSpinBox,
        ctk.ctkSliderWidget,
        ctk.ctkDoubleSpinBox,
        slicer.qMRMLSliderWidget,
        slicer.qMRMLSpinBox,
    )
    if kind is float and cls in numbers:
        _limit(widget, field, -1e300, 1e300, needs_range=cls in (ctk.ctkSliderWidget, slicer.qMRMLSliderWidget))
        return _attribute(widget, "value", "valueChanged")
    if cls in (qt.QComboBox, ctk.ctkComboBox) and (is_enum(kind) or kind in (int, float, str, bool)):
        return _choices(widget, field)
    if kind is str and cls is qt.QLineEdit:
        return _attribute(widget, "text", "textChanged")
    if kind is str and cls is qt.QLabel:
        return Connector(widget, "objectNameChanged", lambda: widget.text, lambda value: setattr(widget, "text", value))
    if kind is str and cls is qt.QTextEdit:
        return Connector(widget, "textChanged", lambda: widget.toPlainText(), lambda value: widget.setPlainText(value))
    if is_path(kind) and cls is ctk.ctkPathLineEdit:
        return _path(widget, kind, "currentPath", "currentPathChanged")
    if is_path(kind) and cls is ctk.ctkDirectoryButton:
        return _path(widget, kind, "directory", "directoryChanged")
    if node_classes(kind) and cls in (slicer.qMRMLNodeComboBox, slicer.qMRMLSubjectHierarchyComboBox):
        widget.nodeTypes = node_classes(kind)
        signal = "currentNodeChanged" if cls is slicer.qMRMLNodeComboBox else "currentItemChanged"
        return Connector(widget, signal, lambda: widget.currentNode(), lambda node: widget.setCurrentNode(node))
    raise RuntimeError(f"Unable to create GUI connector from datatype '{field.annotation}' to widget type '{cls}'")


def _attribute(widget: Any, name: str, signal: str) -> Connector:
    return Connector(widget, signal, lambda: getattr(widget, name), lambda value: setattr(widget, name, value))


def _path(widget: Any, kind: type, name: str, signal: str) -> Connector:
    return Connector(
        widget, signal, lambda: kind(getattr(widget, name)), lambda value: setattr(widget, name, str(value))
    )


def _hint(field: Field, kind: type) -> Any:
    return next((hint for hint in field.hints if isinstance(hint, kind)), None)


def _limit(widget: Any, field: Field, least: float, most: float, needs_range: bool) -> None:
    both, low, high = _hint(field, WithinRange), _hint(field, Minimum), _hint(field, Maximum)
    if needs_range and both is None and (low is None or high is None):
        raise RuntimeError(f"{field.name}: a slider needs WithinRange, or Minimum and Maximum")
    if _hint(field, Decimals) is not None:
        widget.decimals = _hint(field, Decimals).value
    if _hint(field, SingleStep) is not None:
        widget.singleStep = _hint(field, SingleStep).value
    widget.minimum = both.minimum if both else low.minimum if low else least
    widget.maximum = both.maximum if both else high.maximum if high else most


def _choices(widget: Any, field: Field) -> Connector:
    choice = _hint(field, Choice)
    if choice is None and not is_enum(field.kind):
        raise RuntimeError(f"{field.name}: a combo box needs the Choice annotation or an Enum")
    values = list(field.kind) if is_enum(field.kind) else choice.choices
    widget.clear()
    for value in values:
        widget.addItem(_label(value))

    def write(value: Any) -> None:
        widget.currentIndex = values.index(value)

    return Connector(widget, "currentIndexChanged", lambda: values[widget.currentIndex], write)


def _label(value: Any) -> str:
    """An Enum may have a method `label`, as in the application."""
    if isinstance(value, enum.Enum):
        return str(value.label()) if hasattr(value, "label") else value.name
    return str(value)
