"""A strip of bars, one for each slice of a case: how much doubt there is, where a person has drawn, where we are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

MARK_PX = 5
"""Height of the marks under slices that a person has changed."""

LEAP = 5
"""Slices that the keys Page up and Page down go."""


class SliceStrip(qt.QWidget):
    """Shows bars and says to which slice the person wants to go: by a click, by dragging, or by the keys.

    :param jump: is told the index of the slice.
    """

    def __init__(self, jump: Callable[[int], None]) -> None:
        qt.QWidget.__init__(self)
        self.jump = jump
        self.count = 0
        self.doubt: tuple[float, ...] = ()
        self.changed: frozenset[int] = frozenset()
        self.current = -1
        self.setMinimumHeight(56)
        self.setFocusPolicy(qt.Qt.StrongFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(_("Doubt by slice"))

    def show_case(self, count: int, doubt: Sequence[float] = ()) -> None:
        """Show another case.

        :param count: of its slices; 0: there is no case.
        :param doubt: of each slice, in voxels of full doubt; empty: not known.
        """
        self.count = count
        self.doubt = tuple(doubt) if len(doubt) == count else ()
        self.changed = frozenset()
        self.current = -1
        self.toolTip = ""
        self.update()

    def show_doubt(self, doubt: Sequence[float]) -> None:
        """Show the doubt of the same case."""
        self.doubt = tuple(doubt) if len(doubt) == self.count else ()
        self.update()

    def mark_changed(self, slices: Sequence[int]) -> None:
        """Mark the slices that the person has changed."""
        self.changed = frozenset(slices)
        self.update()

    def mark_current(self, index: int) -> None:
        """Mark the slice that the views show."""
        if index != self.current:
            self.current = index
            self.update()

    def words(self, index: int) -> str:
        """What there is to say of a slice."""
        if not 0 <= index < self.count:
            return ""
        words = [_("Slice {index} (0 to {last})").format(index=index, last=self.count - 1)]
        if self.doubt:
            words.append(_("doubt: {voxels} voxels").format(voxels=round(self.doubt[index])))
        if index in self.changed:
            words.append(_("drawn in"))
        return " · ".join(words)

    def left_of(self, index: int) -> int:
        """Where the bar of a slice begins, in pixels."""
        return index * self.width // max(1, self.count)

    def paintEvent(self, event: Any) -> None:
        painter = qt.QPainter(self)
        palette = self.palette
        painter.fillRect(0, 0, self.width, self.height, palette.color(qt.QPalette.Base))
        high = self.height - MARK_PX - 3
        most = max(self.doubt, default=0.0)
        for index in range(self.count):
            left, right = self.left_of(index), self.left_of(index + 1)
            wide = max(1, right - left - (1 if right - left > 3 else 0))  # a gap where there is room for one
            if most > 0:
                bar = round(high * self.doubt[index] / most)
                painter.fillRect(left, high - bar + 1, wide, bar, palette.color(qt.QPalette.Highlight))
            if index in self.changed:
                painter.fillRect(left, self.height - MARK_PX, wide, MARK_PX, palette.color(qt.QPalette.Text))
        painter.setPen(palette.color(qt.QPalette.Mid))
        painter.drawLine(0, high + 1, self.width, high + 1)
        if 0 <= self.current < self.count:
            left, right = self.left_of(self.current), self.left_of(self.current + 1)
            painter.setPen(palette.color(qt.QPalette.Text))
            painter.drawRect(left, 0, max(2, right - left - 1), self.height - 1)
        painter.end()

    def mousePressEvent(self, event: Any) -> None:
        self._go(self._under(event))

    def mouseMoveEvent(self, event: Any) -> None:
        index = self._under(event)
        if event.buttons() & qt.Qt.LeftButton:
            self._go(index)
        else:
            self.toolTip = self.words(index)

    def keyPressEvent(self, event: Any) -> None:
        steps = {
            qt.Qt.Key_Left: -1,
            qt.Qt.Key_Down: -1,
            qt.Qt.Key_Right: 1,
            qt.Qt.Key_Up: 1,
            qt.Qt.Key_PageDown: -LEAP,
            qt.Qt.Key_PageUp: LEAP,
            qt.Qt.Key_Home: -self.count,
            qt.Qt.Key_End: self.count,
        }
        step = steps.get(event.key())
        if step is None or not self.count:
            event.ignore()
            return
        self._go(self.current + step)

    def _under(self, event: Any) -> int:
        return event.pos().x() * self.count // max(1, self.width)

    def _go(self, index: int) -> None:
        if self.count:
            self.jump(min(max(index, 0), self.count - 1))
