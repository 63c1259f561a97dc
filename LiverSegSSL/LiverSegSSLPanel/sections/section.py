"""What every section of the panel is: a page from a file of its own, in a collapsible button."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import slicer

from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLPanel.panel import Panel

PARAMETER = "SlicerParameterName"
"""Dynamic property of a widget in a ``.ui``: the parameter that it shows."""


def follow_path(edit: Any, changed: Callable[[str], None]) -> None:
    """Have a function called with the text of a ctkPathLineEdit whenever that changes. The widget tells the text only
    while it is valid; of a line that was emptied it says no more than that it is not."""

    def tell() -> None:
        changed(str(edit.currentPath).strip())

    edit.connect("currentPathChanged(QString)", tell)
    edit.connect("validInputChanged(bool)", tell)


class Section:
    """One part of the panel.

    A subclass names its ``.ui`` (whose root is a qMRMLWidget and which has a label ``messageLabel``), connects its
    widgets in :meth:`setup` and undoes in :meth:`cleanup` what would outlive the widgets.

    :param button: the ctkCollapsibleButton that it lives in.
    """

    FILE: ClassVar[str] = ""

    def __init__(self, panel: Panel, button: Any) -> None:
        self.panel = panel
        self.button = button
        self.page = slicer.util.loadUI(panel.resource(f"UI/{self.FILE}"))
        self.ui = slicer.util.childWidgetVariables(self.page)
        button.layout().addWidget(self.page)
        self.page.setMRMLScene(slicer.mrmlScene)
        self.say("")
        self._bound: int | None = None
        self.setup()

    def setup(self) -> None:
        """Connect widgets and listen to notices."""

    def enter(self) -> None:
        """The user has come to the module."""

    def exit(self) -> None:
        """The user has gone to another module."""

    def cleanup(self) -> None:
        """The panel goes: stop timers, take filters and observers away."""

    def bind(self, parameters: Any) -> None:
        """Tie the widgets that name a parameter (SlicerParameterName) to the parameters of a scene."""
        self.unbind()
        named = {child.property(PARAMETER): child for child in vars(self.ui).values() if child.property(PARAMETER)}
        # Not connectGui, which in Slicer returns no tag: nothing could ever be disconnected.
        self._bound = parameters.connectParametersToGui(named)

    def unbind(self) -> None:
        """Let go of the parameters; a scene is closed, or the panel goes."""
        if self._bound is not None and self.panel.parameters is not None:
            self.panel.parameters.disconnectGui(self._bound)
        self._bound = None

    def say(self, text: str, wrong: bool = False) -> None:
        """Show a line of text in the section; empty: none. ``wrong``: something has failed."""
        label = self.ui.messageLabel
        label.text = f"⚠ {text}" if wrong and text else text
        label.visible = bool(text)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What goes wrong inside is said in the section instead of raised; what was said before goes."""
        self.say("")
        try:
            yield
        except (LiverSegError, OSError) as error:
            self.say(str(error), wrong=True)
