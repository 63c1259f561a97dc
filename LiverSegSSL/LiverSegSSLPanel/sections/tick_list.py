"""A list in which things are chosen by ticking them, and how the choice stands in the parameters of a scene."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import qt

NOTHING = "none"
"""What stands in the parameters where a person has unticked everything; an empty list there means: the usual choice."""

MOST_ROWS = 7
"""Of more the list scrolls."""

_MARGIN = 4


@dataclass(frozen=True)
class Entry:
    """One line of the list. ``usual``: ticked until a person chooses otherwise."""

    key: str
    text: str
    usual: bool = True


class TickList:
    """A QListWidget whose entries have boxes.

    :param changed: called with the keys to keep when the person has ticked or unticked something.
    """

    def __init__(self, widget: Any, changed: Callable[[list[str]], None]) -> None:
        self._widget = widget
        self._changed = changed
        self._entries: tuple[Entry, ...] | None = None
        widget.connect("itemChanged(QListWidgetItem*)", self._item_changed)

    def show(self, entries: Sequence[Entry], kept: Iterable[str]) -> None:
        """Show entries, ticked as was kept; what was kept of entries that are gone is passed over."""
        chosen = set(kept)
        known = {entry.key for entry in entries}
        usual = not chosen & (known | {NOTHING})
        ticked = {entry.key for entry in entries if (entry.usual if usual else entry.key in chosen)}
        self._widget.blockSignals(True)
        if tuple(entries) != self._entries:
            self._fill(entries)
        self._tick(ticked)
        self._widget.blockSignals(False)

    @property
    def ticked(self) -> list[str]:
        """The keys that are ticked, in the order of the list."""
        items = [self._widget.item(row) for row in range(self._widget.count)]
        return [str(item.data(qt.Qt.UserRole)) for item in items if item.checkState() == qt.Qt.Checked]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tick."""
        return not self._entries

    def _fill(self, entries: Sequence[Entry]) -> None:
        self._entries = tuple(entries)
        self._widget.clear()
        for entry in entries:
            item = qt.QListWidgetItem(entry.text)
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            item.setData(qt.Qt.UserRole, entry.key)
            item.setCheckState(qt.Qt.Unchecked)
            self._widget.addItem(item)
        rows = min(max(len(entries), 1), MOST_ROWS)
        row_height = max(self._widget.sizeHintForRow(0), self._widget.fontMetrics().height())
        self._widget.setFixedHeight(rows * row_height + 2 * self._widget.frameWidth + _MARGIN)

    def _tick(self, keys: Collection[str]) -> None:
        for row in range(self._widget.count):
            item = self._widget.item(row)
            state = qt.Qt.Checked if item.data(qt.Qt.UserRole) in keys else qt.Qt.Unchecked
            if item.checkState() != state:
                item.setCheckState(state)

    def _item_changed(self, item: Any) -> None:
        self._changed(self.ticked or [NOTHING])
