"""Names in the corners of slice views.

The module DataProbe writes its own texts into the corner annotation of every slice view, over and over; so a name is an
actor of its own.
"""

from __future__ import annotations

from typing import Any

import vtk

SIZE_PT = 18
_MARGIN = 0.02


class CornerNames:
    """The names that stand in views now, by name of the view."""

    def __init__(self) -> None:
        self._placed: dict[str, tuple[Any, Any, Any]] = {}

    def put(self, name: str, view: Any, text: str) -> None:
        """Write a text into the upper left corner of a slice view, instead of the one that was there.

        :param name: of the view; ``view``: the qMRMLSliceView.
        """
        if name not in self._placed:
            renderer = view.renderWindow().GetRenderers().GetFirstRenderer()
            if renderer is None:
                return
            actor = _text_actor()
            renderer.AddViewProp(actor)
            self._placed[name] = (view, renderer, actor)
        self._placed[name][2].SetInput(text)
        view.scheduleRender()

    def frame(self, framed: str) -> None:
        """Draw a frame around the name in one view, and none around the others; empty: around none."""
        for name, (view, _renderer, actor) in self._placed.items():
            actor.GetTextProperty().SetFrame(name == framed)
            view.scheduleRender()

    def remove(self, keep: tuple[str, ...] = ()) -> None:
        """Take the names away, but for those of some views."""
        for name in [name for name in self._placed if name not in keep]:
            view, renderer, actor = self._placed.pop(name)
            renderer.RemoveViewProp(actor)
            view.scheduleRender()


def _text_actor() -> Any:
    actor = vtk.vtkTextActor()
    style = actor.GetTextProperty()
    style.SetFontFamilyToArial()
    style.SetFontSize(SIZE_PT)
    style.SetBold(True)
    style.SetShadow(True)  # to be read over a bright image too
    style.SetColor(1.0, 1.0, 1.0)
    style.SetFrameColor(1.0, 1.0, 1.0)
    style.SetFrameWidth(2)
    style.SetVerticalJustificationToTop()
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(_MARGIN, 1.0 - _MARGIN)
    return actor
