"""A plot by itself: its nodes are real, the lines are a plain picture of the tables."""

import math
from typing import Any

from PySide6 import QtCore, QtGui

from .mrml_boxes import qMRMLWidget

_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 8, 8, 34
_PENS = {
    "LineStyleDash": QtCore.Qt.PenStyle.DashLine,
    "LineStyleDot": QtCore.Qt.PenStyle.DotLine,
    "LineStyleDashDot": QtCore.Qt.PenStyle.DashDotLine,
    "LineStyleDashDotDot": QtCore.Qt.PenStyle.DashDotDotLine,
}

Line = list[tuple[float, float]]


class qMRMLPlotView(qMRMLWidget):
    """White, as in the application; lines, axes, their titles and the legend."""

    def setMRMLPlotViewNode(self, node: Any) -> None:
        self._node = node
        self.update()

    def mrmlPlotViewNode(self) -> Any:
        return self.__dict__.get("_node")

    def fitToContent(self) -> None:
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), QtGui.QColor(255, 255, 255))
        node = self.mrmlPlotViewNode()
        chart = node.GetPlotChartNode() if node is not None and node.GetScene() is not None else None
        if chart is None:
            return
        series = [chart.GetNthPlotSeriesNode(index) for index in range(chart.GetNumberOfPlotSeriesNodes())]
        lines = [(one, _points(one)) for one in series]
        inside = self.rect().adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)
        points = [point for _one, line in lines for point in line]
        if not points:
            return
        frame = QtCore.QRectF(
            QtCore.QPointF(min(x for x, _y in points), min(y for _x, y in points)),
            QtCore.QPointF(max(x for x, _y in points), max(y for _x, y in points)),
        )
        _draw_axes(painter, inside, frame, chart)
        for one, line in lines:
            colour = QtGui.QColor.fromRgbF(*one.GetColor())
            style = _PENS.get(_style(one), QtCore.Qt.PenStyle.SolidLine)
            painter.setPen(QtGui.QPen(colour, 2, style))
            placed = [_place(inside, frame, x, y) for x, y in line]
            painter.drawPolyline(placed) if len(placed) > 1 else painter.drawEllipse(placed[0], 3, 3)
        _draw_legend(painter, inside, series)


def _style(series: Any) -> str:
    names = [name for name in _PENS if getattr(series, name) == series.GetLineStyle()]
    return names[0] if names else ""


def _points(series: Any) -> Line:
    table = series.GetTableNode().GetTable()
    x, y = (table.GetColumnByName(name) for name in (series.GetXColumnName(), series.GetYColumnName()))
    pairs = [(x.GetValue(row), y.GetValue(row)) for row in range(x.GetNumberOfTuples())]
    return [pair for pair in pairs if not any(math.isnan(number) for number in pair)]


def _place(inside: QtCore.QRect, frame: QtCore.QRectF, x: float, y: float) -> QtCore.QPointF:
    wide, high = frame.width() or 1.0, frame.height() or 1.0
    return QtCore.QPointF(
        inside.left() + (x - frame.left()) / wide * inside.width(),
        inside.bottom() - (y - frame.top()) / high * inside.height(),
    )


def _draw_axes(painter: QtGui.QPainter, inside: QtCore.QRect, frame: QtCore.QRectF, chart: Any) -> None:
    painter.setPen(QtGui.QColor(0, 0, 0))
    painter.drawLine(inside.bottomLeft(), inside.bottomRight())
    painter.drawLine(inside.bottomLeft(), inside.topLeft())
    for value, where in ((frame.top(), inside.bottom()), (frame.bottom(), inside.top() + 10)):
        painter.drawText(18, where, f"{value:.2f}")
    for value, across in ((frame.left(), inside.left()), (frame.right(), inside.right() - 14)):
        painter.drawText(across, inside.bottom() + 14, f"{value:.0f}")
    painter.drawText(inside.center().x() - 20, inside.bottom() + 28, chart.GetXAxisTitle() or "")
    painter.save()
    title = chart.GetYAxisTitle() or ""
    painter.translate(13, inside.center().y() + painter.fontMetrics().horizontalAdvance(title) / 2)
    painter.rotate(-90)
    painter.drawText(0, 0, title)
    painter.restore()


def _draw_legend(painter: QtGui.QPainter, inside: QtCore.QRect, series: list[Any]) -> None:
    metrics = painter.fontMetrics()
    wide = max(metrics.horizontalAdvance(one.GetName()) for one in series)
    box = QtCore.QRect(inside.right() - wide - 10, inside.top(), wide + 10, metrics.height() * len(series) + 6)
    painter.fillRect(box, QtGui.QColor(255, 255, 255, 200))
    for number, one in enumerate(series, 1):
        painter.setPen(QtGui.QColor.fromRgbF(*one.GetColor()))
        painter.drawText(box.left() + 5, box.top() + metrics.height() * number, one.GetName())
