"""How labels are to be made, as the person chooses it, and the parameters of the scene behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _

from LiverSegSSLPanel.cohort_rows import StudyRow
from LiverSegSSLPanel.propose_words import method_line, method_names, phase_text, support_text
from LiverSegSSLPanel.proposing import (
    FROM_SUPPORTS,
    MODEL,
    RECIPE,
    TRAININGS,
    TrainedModel,
    Wish,
    entries,
    labelled_cases,
    phase_counts,
)
from LiverSegSSLPanel.sections.model_choice import ModelChoice
from LiverSegSSLPanel.sections.recipe_choice import RecipeChoice
from LiverSegSSLPanel.sections.tick_list import Entry, TickList


class ProposalForm:
    """The widgets of Propose.

    :param changed: called when the person has chosen something else.
    """

    def __init__(self, ui: Any, changed: Callable[[], None]) -> None:
        self._ui = ui
        self._changed = changed
        self._parameters: Any = None
        self.supports = TickList(ui.supportsList, lambda keys: self._keep("proposeSupports", keys))
        self.targets = TickList(ui.targetsList, lambda keys: self._keep("proposeTargets", keys))
        self.model = ModelChoice(ui.modelBox, ui.modelPath, lambda folder: self._keep("predictModel", folder))
        self.recipe = RecipeChoice(ui.recipeBox, ui.recipePath, self._recipe_chosen)
        for method, name in method_names().items():
            ui.methodBox.addItem(name, method)
        ui.methodBox.connect("currentIndexChanged(int)", self._method_chosen)
        ui.optionsText.connect("textChanged()", self._options_typed)
        ui.changesText.connect("textChanged()", self._changes_typed)

    def bind(self, parameters: Any) -> None:
        """Show the parameters of a scene."""
        self._parameters = parameters
        self.recipe.forget()

    def unbind(self) -> None:
        """The scene is closed."""
        self._parameters = None

    def show(self, rows: Sequence[StudyRow], models: Sequence[TrainedModel]) -> None:
        """Show what there is to choose from, and what the parameters say of it."""
        parameters = self._parameters
        if parameters is None:
            return
        self._ui.methodBox.blockSignals(True)
        self._ui.methodBox.setCurrentIndex(max(0, self._ui.methodBox.findData(parameters.proposeMethod)))
        self._ui.methodBox.blockSignals(False)
        supports = [
            Entry(cell.case_id, support_text(row, cell), cell.state == "expert") for row, cell in labelled_cases(rows)
        ]
        phases = [Entry(count.phase, phase_text(count), count.open > 0) for count in phase_counts(rows)]
        self.supports.show(supports, parameters.proposeSupports)
        self.targets.show(phases, parameters.proposeTargets)
        self.model.show(models, parameters.predictModel)
        self.recipe.show(parameters.recipe)
        _write(self._ui.optionsText, parameters.proposeOptions)
        _write(self._ui.changesText, parameters.proposeChanges)
        self._show_method()

    def wish(self) -> Wish:
        """What is asked for."""
        method = self._method
        parameters = self._parameters
        return Wish(
            method=method,
            targets=tuple(self.targets.ticked),
            supports=tuple(self.supports.ticked) if method in FROM_SUPPORTS else (),
            options=entries(parameters.proposeOptions) if method in (*FROM_SUPPORTS, *TRAININGS) else (),
            recipe=self.recipe.recipe,
            changes=entries(parameters.proposeChanges),
            model=self.model.folder if method == MODEL else "",
        )

    @property
    def _method(self) -> str:
        return str(self._ui.methodBox.itemData(self._ui.methodBox.currentIndex) or RECIPE)

    def _show_method(self) -> None:
        """Show what the method has use for."""
        ui, method = self._ui, self._method
        recipe = self.recipe.descriptions.get(self.recipe.recipe, "")
        ui.methodLabel.text = method_line(method, recipe or _("The steps that the chosen file names."))
        ui.recipeLabel.text = recipe
        ui.recipeLabel.visible = bool(recipe) and method != RECIPE
        for widget in (ui.supportsLabel, ui.supportsList):
            widget.visible = method in FROM_SUPPORTS
        for widget in (ui.modelLabel, ui.modelBox):
            widget.visible = method == MODEL
        ui.modelPath.visible = method == MODEL and self.model.asks_path
        for widget in (ui.optionsLabel, ui.optionsText):
            widget.visible = method in (*FROM_SUPPORTS, *TRAININGS)

    def _keep(self, name: str, value: Any) -> None:
        if self._parameters is None:
            return
        known = getattr(self._parameters, name)
        if (list(known) if isinstance(value, list) else known) != value:
            setattr(self._parameters, name, value)
        self._changed()

    def _method_chosen(self, index: int) -> None:
        self._show_method()
        self._keep("proposeMethod", self._method)

    def _recipe_chosen(self, recipe: str) -> None:
        if recipe:
            self._keep("recipe", recipe)
        else:
            self._changed()

    def _options_typed(self) -> None:
        self._keep("proposeOptions", self._ui.optionsText.toPlainText())

    def _changes_typed(self) -> None:
        self._keep("proposeChanges", self._ui.changesText.toPlainText())


def _write(field: Any, text: str) -> None:
    """Not while it says so already: setting a text moves the cursor to its beginning."""
    if field.toPlainText() != text:
        field.blockSignals(True)
        field.setPlainText(text)
        field.blockSignals(False)
