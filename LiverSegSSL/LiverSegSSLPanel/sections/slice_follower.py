"""Which slice of a case the views show, heard from the view itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import vtk
from slicer.util import VTKObservationMixin

from LiverSegSSLPanel.scene.planes import slice_at


class SliceFollower(VTKObservationMixin):
    """Listens to one slice view.

    :param moved: is told the index of the slice, along the first axis of the array.
    """

    def __init__(self, moved: Callable[[int], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._moved = moved
        self._image: Any = None

    def follow(self, view: Any, image: Any) -> None:
        """Listen to a slice node, and say where it is in an image; ``None``: to none any more."""
        self.removeObservers()
        self._image = image
        if view is not None and image is not None:
            self.addObserver(view, vtk.vtkCommand.ModifiedEvent, self._view_moved)
            self._view_moved(view, None)

    def _view_moved(self, view: Any, event: Any) -> None:
        if self._image is None or self._image.GetImageData() is None:
            return
        matrix = view.GetSliceToRAS()
        self._moved(slice_at(self._image, 0, np.array([matrix.GetElement(row, 3) for row in range(3)])))
