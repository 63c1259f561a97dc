"""Choosing a trained model: the last one, an earlier one of the workspace, or a folder from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ctk
from slicer.i18n import tr as _

from LiverSegSSLPanel.propose_words import model_text
from LiverSegSSLPanel.proposing import TrainedModel
from LiverSegSSLPanel.sections.section import follow_path

_LAST, _OTHER = "", "other"


class ModelChoice:
    """A combo box with the models, and a line for the path of another one.

    :param changed: called with the parameter's new value: a folder; empty: the last model.
    """

    def __init__(self, box: Any, path: Any, changed: Callable[[str], None]) -> None:
        self._box, self._path, self._changed = box, path, changed
        path.filters = ctk.ctkPathLineEdit.Dirs
        self._models: list[TrainedModel] | None = None
        box.connect("currentIndexChanged(int)", self._chosen)
        follow_path(path, changed)

    def show(self, models: Sequence[TrainedModel], parameter: str) -> None:
        """Show the models, and which of them the parameter means."""
        for widget in (self._box, self._path):
            widget.blockSignals(True)
        # (Where there was no model yet, nobody has chosen the other one.)
        chosen = bool(self._models) and self._box.currentData == _OTHER
        asks_other = chosen and not parameter and not self._path.currentPath
        if list(models) != self._models:
            self._fill(models)
        index = self._box.findData(_OTHER if asks_other else parameter)
        if index < 0:
            index = self._box.findData(_OTHER)
            self._path.currentPath = parameter
        self._box.setCurrentIndex(index)
        for widget in (self._box, self._path):
            widget.blockSignals(False)

    @property
    def folder(self) -> str:
        """The folder of the model that is chosen; empty: there is none."""
        data = self._box.currentData
        if data == _OTHER:
            return str(self._path.currentPath).strip()
        return str(data or (self._models[0].folder if self._models else ""))

    @property
    def asks_path(self) -> bool:
        """Whether the folder is to be typed or looked for."""
        return bool(self._box.currentData == _OTHER)

    def _fill(self, models: Sequence[TrainedModel]) -> None:
        self._models = list(models)
        self._box.clear()
        if models:
            self._box.addItem(_("The last one: {model}").format(model=model_text(models[0])), _LAST)
        for model in models[1:]:
            self._box.addItem(model_text(model), str(model.folder))
        self._box.addItem(_("Another folder …"), _OTHER)

    def _chosen(self, index: int) -> None:
        data = str(self._box.currentData or "")
        self._changed(self.folder if data == _OTHER else data)
