"""What to train, as the person chooses it: combo boxes filled from what the library has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from slicer.i18n import tr as _

from LiverSegSSLPanel.training import Training
from LiverSegSSLPanel.training_words import methods_in_words

if TYPE_CHECKING:
    from LiverSegSSLLib.rounds.recipe import Learn


class TrainingForm:
    """The widgets that say what to train, and the parameters of the scene behind them."""

    def __init__(self, ui: Any, changed: Callable[[], None]) -> None:
        from LiverSegSSLLib.learn.methods import Method
        from LiverSegSSLLib.learn.options import load_preset, network_names, preset_names

        self._ui = ui
        self._changed = changed
        self._parameters: Any = None
        self._presets = {name: load_preset(name).description for name in preset_names()}
        self._methods = methods_in_words()
        self._combos = {
            "trainMethod": ui.methodBox,
            "trainPreset": ui.presetBox,
            "trainNetwork": ui.networkBox,
        }
        for combo in self._combos.values():
            combo.addItem("", "")
        for method in get_args(Method):
            ui.methodBox.addItem(self._methods[method][0] if method in self._methods else method, method)
        for name in self._presets:
            ui.presetBox.addItem(name, name)
        for name in network_names():
            ui.networkBox.addItem(name, name)
        for combo in self._combos.values():
            combo.connect("currentIndexChanged(int)", self._chosen)
        ui.changesEdit.connect("textChanged()", self._chosen)

    def bind(self, parameters: Any) -> None:
        """Show the parameters of a scene."""
        self._parameters = parameters
        self.follow()

    def unbind(self) -> None:
        """The scene is closed."""
        self._parameters = None

    def follow(self) -> None:
        """Show what the parameters say by now."""
        if self._parameters is None:
            return
        for name, combo in self._combos.items():
            combo.blockSignals(True)
            combo.setCurrentIndex(max(0, combo.findData(getattr(self._parameters, name))))
            combo.blockSignals(False)
        # Not tied by its name: the text would be set anew at every key, and the cursor go to its beginning.
        if self._ui.changesEdit.toPlainText() != self._parameters.trainChanges:
            self._ui.changesEdit.setPlainText(self._parameters.trainChanges)

    def training(self) -> Training:
        """What is asked for."""
        parameters = self._parameters
        method, preset, network = (_value(combo) for combo in self._combos.values())
        if parameters is None:
            return Training(method, preset, network)
        changes = (line.strip() for line in parameters.trainChanges.splitlines())
        return Training(
            method,
            preset,
            network,
            parameters.trainFolds,
            max(1, parameters.trainRounds),
            recipe=parameters.recipe,
            changes=tuple(line for line in changes if line),
        )

    def explain(self, recipe: Learn, learn: Learn) -> None:
        """Say what each choice is.

        :param recipe: what the recipe itself says; ``learn``: with what was chosen here.
        """
        ui, as_recipe = self._ui, _("As the recipe says: {what}")
        method = self._methods[recipe.method][0] if recipe.method in self._methods else recipe.method
        ui.methodBox.setItemText(0, as_recipe.format(what=method))
        ui.presetBox.setItemText(0, as_recipe.format(what=recipe.preset))
        ui.networkBox.setItemText(0, as_recipe.format(what=recipe.network or _("the preset's own")))
        ui.foldsBox.specialValueText = as_recipe.format(what=recipe.folds)
        ui.methodLabel.text = self._methods[learn.method][1] if learn.method in self._methods else ""
        ui.presetLabel.text = self._presets[learn.preset]
        ui.networkLabel.text = self._presets[learn.network] if learn.network else ""
        ui.networkLabel.visible = bool(learn.network)
        ui.foldsLabel.text = (
            _("One model, trained on everything: nothing is kept out to judge it by.")
            if learn.folds == 1
            else _("{folds} models, each with other cases kept out; their mean counts.").format(folds=learn.folds)
        )

    def _chosen(self) -> None:
        if self._parameters is None:
            return
        for name, combo in self._combos.items():
            if getattr(self._parameters, name) != _value(combo):
                setattr(self._parameters, name, _value(combo))
        text = self._ui.changesEdit.toPlainText()
        if self._parameters.trainChanges != text:
            self._parameters.trainChanges = text
        self._changed()


def _value(combo: Any) -> str:
    return str(combo.itemData(combo.currentIndex) or "")
