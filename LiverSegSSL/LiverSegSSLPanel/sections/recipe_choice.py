"""Choosing a recipe: one that is shipped, or a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ctk
from slicer.i18n import tr as _

_FILE = ""


class RecipeChoice:
    """A combo box with the shipped recipes, and a line for the path of a file.

    :param changed: called with the recipe that was chosen: a name, or the path of a file.
    """

    def __init__(self, box: Any, path: Any, changed: Callable[[str], None]) -> None:
        from LiverSegSSLLib.rounds.recipe import load_recipe, recipe_names

        self._box, self._path, self._changed = box, path, changed
        path.filters = ctk.ctkPathLineEdit.Files
        self.descriptions = {name: load_recipe(name).description for name in recipe_names()}
        for name in self.descriptions:
            box.addItem(name, name)
        box.addItem(_("A file …"), _FILE)
        box.connect("currentIndexChanged(int)", self._chosen)
        path.connect("currentPathChanged(QString)", self._typed)

    def show(self, recipe: str) -> None:
        """Show which recipe the parameters mean."""
        for widget in (self._box, self._path):
            widget.blockSignals(True)
        if recipe in self.descriptions and not self._waits_for_file:
            self._box.setCurrentIndex(self._box.findData(recipe))
        elif recipe not in self.descriptions:
            self._box.setCurrentIndex(self._box.findData(_FILE))
            if self._path.currentPath != recipe:
                self._path.currentPath = recipe
        self._path.visible = self._box.currentData == _FILE
        for widget in (self._box, self._path):
            widget.blockSignals(False)

    def forget(self) -> None:
        """Another scene: a file that was asked for and not given is asked for no more."""
        self._path.blockSignals(True)
        self._path.currentPath = ""
        self._path.blockSignals(False)
        self._box.blockSignals(True)
        self._box.setCurrentIndex(0)
        self._box.blockSignals(False)

    @property
    def recipe(self) -> str:
        """The name of a shipped recipe, or the path of a file; empty: the file is still to be chosen."""
        return str(self._box.currentData or "") or str(self._path.currentPath).strip()

    @property
    def _waits_for_file(self) -> bool:
        return self._box.currentData == _FILE and not self._path.currentPath

    def _chosen(self, index: int) -> None:
        self._path.visible = self._box.currentData == _FILE
        self._changed(self.recipe)

    def _typed(self, path: str) -> None:
        self._changed(path.strip())
