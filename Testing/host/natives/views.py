"""Slice, 3D, table and plot views: the nodes and the logics are real, what they draw is a plain picture."""

from typing import Any

import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtkmodules.util.numpy_support import vtk_to_numpy

from .ctk_numbers import qMRMLSliderWidget
from .mrml_boxes import qMRMLWidget
from .overlays import overlay


class RenderWindow:
    """What a slice view draws with: one real renderer, which is asked for its texts and never renders."""

    def __init__(self) -> None:
        self._renderers = vtk.vtkRendererCollection()
        self._renderers.AddItem(vtk.vtkRenderer())

    def GetRenderers(self) -> Any:
        return self._renderers


class qMRMLSliceView(QtWidgets.QWidget):
    """The picture of a slice: the reslice of the real slice logic (volumes and label maps), the segments,
    the corner annotation and text actors; no marks."""

    def __init__(self, parent: QtWidgets.QWidget, logic: Any) -> None:
        super().__init__(parent)
        self._logic = logic
        self._corners = vtk.vtkCornerAnnotation()
        self._window = RenderWindow()
        self.renders = 0
        self.setMinimumSize(60, 60)

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def cornerAnnotation(self) -> Any:
        return self._corners

    def renderWindow(self) -> Any:
        return self._window

    def scheduleRender(self) -> None:
        self.update()

    def forceRender(self) -> None:
        self.repaint()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        if self._logic.GetSliceNode() is not None:
            self._logic.ResizeSliceNode(float(self.width()), float(self.height()))

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtGui.QColor(0, 0, 0))
        picture = self._picture()
        if picture is not None:
            painter.drawImage(self.rect(), picture)
        segments = overlay(self._logic.GetSliceNode()) if self._logic.GetSliceNode() is not None else None
        if segments is not None:
            painter.drawImage(self.rect(), segments)
        painter.setPen(QtGui.QColor(230, 230, 230))
        places = (
            QtCore.Qt.AlignmentFlag.AlignBottom | QtCore.Qt.AlignmentFlag.AlignLeft,
            QtCore.Qt.AlignmentFlag.AlignBottom | QtCore.Qt.AlignmentFlag.AlignRight,
            QtCore.Qt.AlignmentFlag.AlignTop | QtCore.Qt.AlignmentFlag.AlignLeft,
            QtCore.Qt.AlignmentFlag.AlignTop | QtCore.Qt.AlignmentFlag.AlignRight,
        )
        for corner, place in enumerate(places):
            painter.drawText(self.rect().adjusted(5, 5, -5, -5), place, self._corners.GetText(corner) or "")
        for prop in self._window.GetRenderers().GetFirstRenderer().GetViewProps():
            if prop.IsA("vtkTextActor") and prop.GetVisibility():
                self._draw_text(painter, prop)

    def _draw_text(self, painter: QtGui.QPainter, actor: Any) -> None:
        """A text actor that hangs from its place in the view (0 to 1, from below)."""
        x, y = actor.GetPosition()
        style = actor.GetTextProperty()
        font = QtGui.QFont(self.font())
        font.setPixelSize(style.GetFontSize())
        font.setBold(bool(style.GetBold()))
        painter.setFont(font)
        painter.setPen(QtGui.QColor.fromRgbF(*style.GetColor()))
        place = QtGui.QFontMetrics(font).boundingRect(actor.GetInput())
        place.moveTopLeft(QtCore.QPoint(round(x * self.width()), round((1 - y) * self.height())))
        painter.drawText(place.adjusted(0, 0, 2, 0), QtCore.Qt.AlignmentFlag.AlignCenter, actor.GetInput())
        if style.GetFrame():
            painter.drawRect(place.adjusted(-4, -1, 4, 1))

    def _picture(self) -> QtGui.QImage | None:
        composite = self._logic.GetSliceCompositeNode()
        if composite is None or not composite.GetBackgroundVolumeID():
            return None
        self._logic.UpdatePipeline()
        connection = self._logic.GetImageDataConnection()
        if connection is None:
            return None
        connection.GetProducer().Update()
        image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
        scalars = image.GetPointData().GetScalars() if image is not None else None
        if scalars is None or scalars.GetDataType() != vtk.VTK_UNSIGNED_CHAR:
            return None
        wide, high, _ = image.GetDimensions()
        pixels = vtk_to_numpy(scalars).reshape(high, wide, -1)[::-1, :, :3].copy()
        return QtGui.QImage(pixels.data, wide, high, 3 * wide, QtGui.QImage.Format.Format_RGB888).copy()


class qMRMLSliceControllerWidget(qMRMLWidget):
    """The bar over a slice view."""

    def __init__(self, parent: QtWidgets.QWidget, logic: Any) -> None:
        super().__init__(parent)
        self._logic = logic
        self._slider = qMRMLSliderWidget(self)
        self._slider.setRange(-500.0, 500.0)
        self._slider.valueChanged.connect(self.setSliceOffsetValue)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def sliceLogic(self) -> Any:
        return self._logic

    def sliceOffsetSlider(self) -> qMRMLSliderWidget:
        return self._slider

    def setSliceOffsetValue(self, offset: float) -> None:
        self._logic.SetSliceOffset(offset)

    def setSliceVisible(self, visible: bool) -> None:
        self._logic.GetSliceNode().SetSliceVisible(visible)

    def setSliceLink(self, linked: bool) -> None:
        self._logic.GetSliceCompositeNode().SetLinkedControl(linked)

    def setHotLinked(self, hot: bool) -> None:
        self._logic.GetSliceCompositeNode().SetHotLinkedControl(hot)

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToAll()

    def rotateSliceToLowestVolumeAxes(self) -> None:
        self._logic.RotateSliceToLowestVolumeAxes()


class qMRMLSliceWidget(qMRMLWidget):
    """A slice view with its bar."""

    def __init__(self, parent: QtWidgets.QWidget | None, logic: Any) -> None:
        super().__init__(parent)
        self._logic = logic
        self._bar, self._view = qMRMLSliceControllerWidget(self, logic), qMRMLSliceView(self, logic)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._bar)
        layout.addWidget(self._view, 1)

    def sliceController(self) -> qMRMLSliceControllerWidget:
        return self._bar

    def sliceView(self) -> qMRMLSliceView:
        return self._view

    def viewWidget(self) -> qMRMLSliceView:
        return self._view

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToAll()

    def setSliceOrientation(self, orientation: str) -> None:
        self._logic.GetSliceNode().SetOrientation(orientation)


class _NodeView(qMRMLWidget):
    """A view of which only the node is real."""

    def __init__(self, parent: QtWidgets.QWidget | None, node: Any) -> None:
        super().__init__(parent)
        self._node = node
        label = QtWidgets.QLabel(f"{node.GetName()} ({node.GetClassName()})", self)
        label.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        QtWidgets.QVBoxLayout(self).addWidget(label)


class qMRMLThreeDWidget(_NodeView):
    def mrmlViewNode(self) -> Any:
        return self._node

    def threeDView(self) -> "qMRMLThreeDWidget":
        return self

    def resetFocalPoint(self) -> None: ...

    def resetCamera(self) -> None: ...


class qMRMLPlotWidget(_NodeView):
    def mrmlPlotViewNode(self) -> Any:
        return self._node

    def plotView(self) -> "qMRMLPlotWidget":
        return self

    def fitToContent(self) -> None: ...


class qMRMLTableWidget(_NodeView):
    def mrmlTableViewNode(self) -> Any:
        return self._node
