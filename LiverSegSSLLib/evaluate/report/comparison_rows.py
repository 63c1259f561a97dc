"""What a comparison of methods has measured: one row a test case and training, and files of such rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import write_text
from LiverSegSSLLib.types import MetricRow

MEASURES = ("dice", "hd_mm", "hd95_mm", "assd_mm", "nsd")


@dataclass(frozen=True)
class CellRow:
    """One test case as one training finds it. Distances are NaN where the mask is empty.

    :param labelled: number of labelled studies of the training.
    :param seed: which choice of them.
    :param seconds: that the training took, validation included.
    :param iterations: optimiser steps of the training.
    """

    method: str
    labelled: int
    seed: int
    phase: str
    case_id: str
    vendor: str
    dice: float
    hd_mm: float
    hd95_mm: float
    assd_mm: float
    nsd: float
    empty: bool
    seconds: float
    iterations: int


def cell_row(method: str, labelled: int, seed: int, found: MetricRow, seconds: float, iterations: int) -> CellRow:
    """A measured mask with the training that it comes from."""
    measures = {name: getattr(found, name) for name in (*MEASURES, "empty")}
    return CellRow(
        method=method,
        labelled=labelled,
        seed=seed,
        phase=found.phase,
        case_id=found.case_id,
        vendor=found.vendor,
        seconds=seconds,
        iterations=iterations,
        **measures,
    )


def write_rows(rows: Iterable[CellRow], path: Path) -> None:
    """Write rows as CSV, see :func:`write_records`."""
    names = [field.name for field in fields(CellRow)]
    write_records(names, [{name: getattr(row, name) for name in names} for row in rows], path)


def write_records(columns: Sequence[str], records: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write dictionaries as CSV (UTF-8, NaN as an empty field); the file appears whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: "" if value != value else value for key, value in record.items()})
    write_text(path, text.getvalue())
