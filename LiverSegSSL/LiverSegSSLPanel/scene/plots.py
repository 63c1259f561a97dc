"""Curves in the scene: a table for each fold, series, and two charts of them. Free of Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
from vtk.util.numpy_support import numpy_to_vtk

from LiverSegSSLPanel.curves import EPOCH

if TYPE_CHECKING:
    from LiverSegSSLPanel.curves import Curves

TAG = "LiverSegSSL.Curves"
"""Attribute of all our nodes: what a node is for."""

LOSS, JUDGED = "loss", "judged"

_COLOURS = ((0.12, 0.47, 0.71), (0.89, 0.47, 0.10), (0.20, 0.63, 0.17), (0.84, 0.15, 0.16), (0.58, 0.40, 0.74))
"""Of the folds, in turn; told apart on white and by people who see no red."""

_LINES = {"loss": "LineStyleSolid", "val_loss": "LineStyleDash"}


class CurvePlot:
    """The nodes of one training's curves. They are hidden, go with the scene, and are not saved with it.

    :param owner: the node that the view belongs to: the layout of the application leaves it alone.
    :param words: titles: of the axes :data:`EPOCH`, ``loss``, ``dice``, ``agreement``; of the series ``val_loss`` and
        ``fold`` (with ``{fold}``) and ``all``.
    """

    def __init__(self, scene: Any, owner: Any, words: dict[str, str]) -> None:
        self._scene = scene
        self._words = words
        self.charts = {name: self._add("vtkMRMLPlotChartNode", name) for name in (LOSS, JUDGED)}
        self.view = self._add("vtkMRMLPlotViewNode", "view", owner)
        self.view.SetDoPropagatePlotChartSelection(False)  # what is chosen in other plots is not for this one
        self.tables: dict[str, Any] = {}
        """By fold."""
        self._series: dict[tuple[str, str], Any] = {}

    def show(self, curves: Curves, news: set[str]) -> None:
        """Bring the folds that have news up to date."""
        for fold in sorted(set(self.tables) - set(curves.folds)):
            self._forget(fold)
        for fold in sorted(news):
            columns = curves.columns(fold)
            if fold not in self.tables:
                self.tables[fold] = self._add("vtkMRMLTableNode", self._fold_in_words(fold))
            _fill(self.tables[fold], columns)
            for name in columns:
                if name in (*_LINES, curves.judged) and (fold, name) not in self._series:
                    self._series[fold, name] = self._add_series(fold, name)
                    self._order()
            self._mark(fold, len(columns[EPOCH]))
        for name, title in ((LOSS, self._words["loss"]), (JUDGED, self._words.get(curves.judged, ""))):
            chart = self.charts[name]
            chart.SetTitle("")
            chart.SetXAxisTitle(self._words[EPOCH])
            chart.SetYAxisTitle(title)

    def choose(self, name: str) -> None:
        """Show one of the charts: :data:`LOSS` or :data:`JUDGED`."""
        self.view.SetPlotChartNodeID(self.charts[name].GetID())

    def remove(self) -> None:
        """Take all of it out of the scene."""
        for node in (self.view, *self.charts.values(), *self._series.values(), *self.tables.values()):
            self._remove(node)
        self._series.clear()
        self.tables.clear()

    def _add_series(self, fold: str, name: str) -> Any:
        series = self._add("vtkMRMLPlotSeriesNode", self._series_in_words(fold, name))
        series.SetAndObserveTableNodeID(self.tables[fold].GetID())
        series.SetXColumnName(EPOCH)
        series.SetYColumnName(name)
        series.SetPlotType(series.PlotTypeScatter)
        series.SetLineStyle(getattr(series, _LINES.get(name, "LineStyleSolid")))
        series.SetColor(*_COLOURS[(int(fold) if fold.isdecimal() else 0) % len(_COLOURS)])
        return series

    def _order(self) -> None:
        """Fold by fold in the charts and their legends, whichever was heard of first."""
        for chart in self.charts.values():
            chart.RemoveAllPlotSeriesNodeIDs()
        for (_fold, name), series in sorted(self._series.items(), key=lambda item: (len(item[0][0]), *item[0])):
            self.charts[LOSS if name in _LINES else JUDGED].AddAndObservePlotSeriesNodeID(series.GetID())

    def _mark(self, fold: str, epochs: int) -> None:
        """A single epoch makes no line, so it is a dot."""
        for (of_fold, _name), series in self._series.items():
            if of_fold == fold:
                series.SetMarkerStyle(series.MarkerStyleCircle if epochs == 1 else series.MarkerStyleNone)

    def _forget(self, fold: str) -> None:
        for key in [key for key in self._series if key[0] == fold]:
            self._remove(self._series.pop(key))
        self._remove(self.tables.pop(fold))
        self._order()

    def _remove(self, node: Any) -> None:
        if self._scene.IsNodePresent(node):  # a person may have deleted it
            self._scene.RemoveNode(node)

    def _fold_in_words(self, fold: str) -> str:
        return self._words["fold"].format(fold=int(fold) + 1) if fold.isdecimal() else self._words["all"]

    def _series_in_words(self, fold: str, name: str) -> str:
        which = self._fold_in_words(fold)
        return f"{which}, {self._words[name]}" if name == "val_loss" else which

    def _add(self, kind: str, name: str, owner: Any = None) -> Any:
        node = self._scene.CreateNodeByClass(kind)
        node.UnRegister(None)
        node.SetName(f"LiverSegSSL {name}" if kind != "vtkMRMLPlotSeriesNode" else name)
        node.SetAttribute(TAG, name)
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        if owner is not None:
            node.SetAndObserveParentLayoutNodeID(owner.GetID())
        return self._scene.AddNode(node)


def in_scene(scene: Any) -> list[Any]:
    """Our nodes in a scene."""
    nodes = slicer.util.getNodesByClass("vtkMRMLNode", scene)
    return [node for node in nodes if node.GetAttribute(TAG) is not None]


def _fill(node: Any, columns: dict[str, list[float]]) -> None:
    """Put columns of numbers into a table node, in place of those that it has."""
    modified = node.StartModify()
    node.RemoveAllColumns()
    for name, values in columns.items():
        array = numpy_to_vtk(np.array(values, np.float64), True)
        array.SetName(name)
        node.AddColumn(array)
    node.EndModify(modified)
