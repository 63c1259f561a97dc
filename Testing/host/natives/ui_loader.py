"""Loading a .ui file: every class is built as the application builds it, and what it does not know is a trouble."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any, ClassVar

from PySide6 import QtCore, QtUiTools, QtWidgets

from ..rules.members import meta_object
from ..rules.signals import connect
from ..rules.troubles import TROUBLES
from ..rules.wrapping import to_wrapper


class UiLoader(QtUiTools.QUiLoader):
    """QUiLoader with our stand-ins. `classes` maps the names of CTK's and Slicer's widgets to them."""

    _host_shell = True
    classes: ClassVar[dict[str, type]] = {}

    def createWidget(
        self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        if class_name in self.classes:
            widget: QtWidgets.QWidget = self.classes[class_name](parent) if parent else self.classes[class_name]()
            widget.setObjectName(name)
            return widget
        if class_name not in self.availableWidgets():
            TROUBLES.add("ui", f"The class {class_name} of the widget {name!r} is not known")
        return super().createWidget(class_name, parent, name)

    def load(self, device: Any, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        """Qt would connect signals by their C++ spelling, which our stand-ins do not have; they are connected here."""
        root = ElementTree.fromstring(bytes(device.readAll().data()))
        links = root.findall("./connections/connection")
        for part in root.findall("connections"):
            root.remove(part)
        data = QtCore.QBuffer()
        data.setData(ElementTree.tostring(root))
        data.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        widget = super().load(data, parent)
        _check_properties(root, widget)
        for link in links:
            _connect(widget, *(link.findtext(key, "") for key in ("sender", "signal", "receiver", "slot")))
        return widget


def _find(root: QtWidgets.QWidget, name: str) -> Any:
    found = root if root.objectName() == name else root.findChild(QtCore.QObject, name)
    if found is None:
        TROUBLES.add("ui", f"A connection names {name!r}, which is not there")
    return found


def _connect(root: QtWidgets.QWidget, sender: str, signal: str, receiver: str, slot: str) -> None:
    source, target = _find(root, sender), _find(root, receiver)
    if source is None or target is None:
        return
    method = getattr(to_wrapper(target), slot.partition("(")[0], None)
    if method is None:
        TROUBLES.add("ui", f"{receiver} has no slot {slot!r}")
        return
    takes = 0 if slot.endswith("()") else slot.count(",") + 1
    # A lambda with exactly the slot's arguments: the rules pass as many as it takes.
    adapters: dict[int, Callable] = {0: lambda: method(), 1: lambda a: method(a), 2: lambda a, b: method(a, b)}
    connect(source, signal, adapters[takes])


def _check_properties(root: ElementTree.Element, widget: QtWidgets.QWidget) -> None:
    """A property that a class does not have would become a dynamic one without a word, unless it says stdset="0"."""
    for element in root.iter("widget"):
        name = element.get("name", "")
        made = widget if widget.objectName() == name else widget.findChild(QtWidgets.QWidget, name)
        if made is None:
            continue
        for described in element.findall("property"):
            key = described.get("name", "")
            if described.get("stdset") != "0" and meta_object(made).indexOfProperty(key) < 0:
                TROUBLES.add("ui", f"{element.get('class')} {name!r} has no property {key!r}")
