"""What is printed while a test runs: Qt's and VTK's warnings and whatever goes to stderr."""

import sys
from typing import Any

import vtk
from PySide6 import QtCore

from .rules.troubles import TROUBLES

# The offscreen platform says these whatever the panel does.
HARMLESS = ("propagateSizeHints", "Populating font family aliases", "QStandardPaths: XDG_RUNTIME_DIR")


class StandardError:
    """sys.stderr that also keeps what passes."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return int(self._real.write(text) or 0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class Listening:
    """On from `start` to `stop`."""

    def start(self) -> None:
        self._stderr = StandardError(sys.stderr)
        sys.stderr = self._stderr
        self._handler = QtCore.qInstallMessageHandler(_qt_message)
        self._window = vtk.vtkOutputWindow.GetInstance()
        self._quiet = vtk.vtkStringOutputWindow()
        vtk.vtkOutputWindow.SetInstance(self._quiet)

    def stop(self) -> None:
        vtk.vtkOutputWindow.SetInstance(self._window)
        QtCore.qInstallMessageHandler(self._handler)
        if sys.stderr is self._stderr:
            sys.stderr = self._stderr._real
        printed = "".join(self._stderr.written).strip()
        if printed:
            TROUBLES.add("stderr", printed)
        said = self._quiet.GetOutput().strip()
        if said:
            TROUBLES.add("vtk", said)


def _qt_message(kind: QtCore.QtMsgType, context: Any, text: str) -> None:
    if kind != QtCore.QtMsgType.QtDebugMsg and not any(harmless in text for harmless in HARMLESS):
        TROUBLES.add("qt", text)
