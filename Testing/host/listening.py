"""What is printed while a test runs: Qt's and VTK's warnings and whatever goes to stderr."""

import sys
from typing import Any

import vtk
from PySide6 import QtCore

from .rules.troubles import TROUBLES

# The offscreen platform says these whatever the panel does.
HARMLESS = ("propagateSizeHints", "Populating font family aliases", "QStandardPaths: XDG_RUNTIME_DIR")


class Listening:
    """On from `start` to `stop`."""

    _printed: list[str]

    def start(self) -> None:
        # The method and not sys.stderr: pytest puts its own stream back between set-up and test.
        self._stream, self._printed = sys.stderr, []
        write = self._stream.write

        def keep(text: str) -> int:
            self._printed.append(text)
            return write(text)

        self._stream.write = keep  # type: ignore[method-assign]
        self._handler = QtCore.qInstallMessageHandler(_qt_message)
        self._window = vtk.vtkOutputWindow.GetInstance()
        self._quiet = vtk.vtkStringOutputWindow()
        vtk.vtkOutputWindow.SetInstance(self._quiet)

    def stop(self) -> None:
        vtk.vtkOutputWindow.SetInstance(self._window)
        QtCore.qInstallMessageHandler(self._handler)
        del self._stream.write
        printed = "".join(self._printed).strip()
        if printed:
            TROUBLES.add("stderr", printed)
        said = self._quiet.GetOutput().strip()
        if said:
            TROUBLES.add("vtk", said)


def _qt_message(kind: QtCore.QtMsgType, context: Any, text: str) -> None:
    if kind != QtCore.QtMsgType.QtDebugMsg and not any(harmless in text for harmless in HARMLESS):
        TROUBLES.add("qt", text)
