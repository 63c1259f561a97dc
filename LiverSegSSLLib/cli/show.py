"""What a verb's result looks like on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show_result(verb: str, result: dict[str, Any]) -> None:
    """Print the tables and places of a result."""
    console = Console()
    for table in result.get("tables", []):
        console.print(_table(table["title"], table["columns"], table["rows"]))
    for line in result.get("lines", []):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for problem in result.get("problems", []):
        console.print(f"! {problem}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    for name, path in result.get("files", {}).items():
        console.print(f"{name}: {path}", markup=False, highlight=False, soft_wrap=True)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column in _WORDS else "right", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    return table


_WORDS = frozenset({"Study", "Case", "Labels", "Phase", "Vendor", "Why", "Label", "State", "What", "Source", "Recipe"})
"""Columns of text, set left; the rest are numbers."""
