"""What a verb's result looks like on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from LiverSegSSLLib.errors import one_line

WIDTH = 132
"""Columns where no terminal says how many there are: a table in a log must not break in mid-word."""


def show_result(verb: str, result: dict[str, Any]) -> None:
    """Print the tables and places of a result."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    for table in result.get("tables", []):
        console.print(_table(table["title"], table["columns"], table["rows"]))
    for line in result.get("lines", []):
        console.print(one_line(line), markup=False, highlight=False, soft_wrap=True)
    for problem in result.get("problems", []):
        console.print(f"! {one_line(problem)}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    for name, path in result.get("files", {}).items():
        console.print(f"{name}: {one_line(str(path))}", markup=False, highlight=False, soft_wrap=True)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    table = Table(title=escape(one_line(title)), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        side: Literal["left", "right"] = "left" if column in _WORDS else "right"
        table.add_column(column, justify=side, no_wrap=column not in _LONG, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else escape(one_line(str(value))) for value in row))
    return table


_LONG = frozenset({"Why", "What", "Found", "To do", "Licence"})
"""Columns of sentences, which may break."""

_NAMES = {
    "Study",
    "Case",
    "Phase",
    "Vendor",
    "Label",
    "State",
    "Source",
    "Recipe",
    "Reviewer",
    "Weights",
    "Item",
    "Method",
}
_WORDS = _LONG | _NAMES
"""Columns of text, set left; the rest are numbers."""
