"""Small pictures that say the state of a label: a sign on a colour, to be told apart without the colour too."""

from __future__ import annotations

from typing import Any

import qt

WIDTH, HEIGHT = 22, 17
_SCALE = 2  # sharp on fine screens
_CORNER = 4

# White signs on middle tones can be read on light and dark backgrounds.
_LOOKS = {
    "expert": ("★", "#1f5fa8"),
    "corrected": ("✎", "#6a4a9c"),
    "accepted": ("✓", "#2b7a46"),
    "proposed": ("?", "#a05a00"),
    "rejected": ("✗", "#b3261e"),
    "none": ("–", ""),
}


class Badges:
    """The icons, each painted when it is first asked for."""

    def __init__(self) -> None:
        self._icons: dict[str, Any] = {}

    def icon(self, state: str) -> Any:
        """The icon of a state: ``expert``, ``corrected``, ``accepted``, ``proposed``, ``rejected`` or ``none``."""
        if state not in self._icons:
            self._icons[state] = _paint(*_LOOKS[state])
        return self._icons[state]


def _paint(sign: str, colour: str) -> Any:
    wide, high = WIDTH * _SCALE, HEIGHT * _SCALE
    picture = qt.QPixmap(wide, high)
    picture.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter()
    painter.begin(picture)
    painter.setRenderHint(qt.QPainter.Antialiasing, True)
    if colour:
        painter.setPen(qt.QPen(qt.QColor(colour)))
        painter.setBrush(qt.QBrush(qt.QColor(colour)))
        painter.drawRoundedRect(1, 1, wide - 2, high - 2, _CORNER * _SCALE, _CORNER * _SCALE)
    font = qt.QFont()
    font.setPixelSize(round(high * 0.72))
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(qt.QPen(qt.QColor("#ffffff" if colour else "#808080")))
    painter.drawText(0, 0, wide, high, qt.Qt.AlignCenter, sign)
    painter.end()
    picture.setDevicePixelRatio(_SCALE)
    icon = qt.QIcon(picture)
    icon.addPixmap(picture, qt.QIcon.Selected)  # as it is, not tinted
    return icon
