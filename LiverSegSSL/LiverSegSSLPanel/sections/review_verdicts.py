"""The buttons of a verdict, with shortcuts that work in this section alone, and tooltips that say what is possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt
from slicer.i18n import tr as _

KEYS = {
    "accept": "Ctrl+Return",
    "correct": "Ctrl+Shift+Return",
    "reject": "Ctrl+Delete",
    "skip": "Ctrl+N",
    "back": "Ctrl+P",
}


class VerdictButtons:
    """*Accept*, *Correct and next*, *Reject*, *Skip* and *Back*.

    :param page: the widget inside which the shortcuts work.
    :param ui: has ``acceptButton`` and so on.
    :param act: is told which one was meant.
    """

    def __init__(self, page: Any, ui: Any, act: Callable[[str], None]) -> None:
        self._act = act
        self._buttons = {name: getattr(ui, f"{name}Button") for name in KEYS}
        self._shortcuts = []
        actions = {
            "accept": self._accept,
            "correct": self._correct,
            "reject": self._reject,
            "skip": self._skip,
            "back": self._back,
        }
        for name, keys in KEYS.items():
            self._buttons[name].connect("clicked()", actions[name])
            shortcut = qt.QShortcut(qt.QKeySequence(keys), page)
            shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
            shortcut.connect("activated()", actions[name])
            self._shortcuts.append(shortcut)

    def offer(self, reasons: Mapping[str, str]) -> None:
        """Say what is possible.

        :param reasons: by name: why not; empty: it is.
        """
        tips = {
            "accept": _("The label is good as it is."),
            "correct": _("What is drawn becomes a new version of the label."),
            "reject": _("The label is useless; another one can be proposed or drawn."),
            "skip": _("Look at this case later."),
            "back": _("Return to the case before."),
        }
        for name, button in self._buttons.items():
            reason = reasons.get(name, "")
            button.enabled = not reason
            keys = qt.QKeySequence(KEYS[name]).toString(qt.QKeySequence.NativeText)
            button.toolTip = f"{reason or tips[name]}\n{keys}"

    def _do(self, name: str) -> None:
        if self._buttons[name].enabled:
            self._act(name)

    def _accept(self) -> None:
        self._do("accept")

    def _correct(self) -> None:
        self._do("correct")

    def _reject(self) -> None:
        self._do("reject")

    def _skip(self) -> None:
        self._do("skip")

    def _back(self) -> None:
        self._do("back")
