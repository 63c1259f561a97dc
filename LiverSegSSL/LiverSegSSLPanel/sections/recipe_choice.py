"""Choosing a recipe: one that is shipped, or a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ctk
from slicer.i18n import tr as _

from LiverSegSSLPanel.sections.section import follow_path

_FILE = ""


class RecipeChoice:
    """A combo box with the shipped recipes, and a line for the path of a file.

    :param changed: called with the recipe that was chosen: a name, or the path of a file.
    """

    def __init__(self, box: Any, path: Any, changed: Callable[[str], None]) -> None:
        from LiverSegSSLLib.rounds.recipe import load_recipe, recipe_names

        self._box, self._path, self._changed = box, path, changed
        self._shown: str | None = None
        path.filters = ctk.ctkPathLineEdit.Files
        self.descriptions = {name: load_recipe(name).description for name in recipe_names()}
        for name in self.descriptions:
            box.addItem(name, name)
        box.addItem(_("A file …"), _FILE)
        box.connect("currentIndexChanged(int)", self._chosen)
        follow_path(path, changed)

    def show(self, recipe: str) -> None:
        """Show which recipe the parameters mean; what a person is typing stays until they mean another one."""
        if recipe != self._shown:
            self._shown = recipe
            for widget in (self._box, self._path):
                widget.blockSignals(True)
            is_file = recipe not in self.descriptions
            self._box.setCurrentIndex(self._box.findData(_FILE if is_file else recipe))
            if is_file and self._path.currentPath != recipe:
                self._path.currentPath = recipe
            for widget in (self._box, self._path):
                widget.blockSignals(False)
        self._path.visible = self._box.currentData == _FILE

    def forget(self) -> None:
        """Another scene: a file that was asked for and not given is asked for no more."""
        self._shown = None
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

    def _chosen(self, index: int) -> None:
        self._path.visible = self._box.currentData == _FILE
        self._changed(self.recipe)
