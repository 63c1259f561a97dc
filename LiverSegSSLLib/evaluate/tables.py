"""Metric rows as CSV, and their summaries per phase, vendor and domain."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.atomic import write_text
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.types import MetricRow

if TYPE_CHECKING:
    import pandas as pd

MEASURES = ("dice", "hd_mm", "hd95_mm", "assd_mm", "nsd")
KEYS = ("source", "phase", "vendor", "domain")

_COLUMNS = {field.name: str(field.type) for field in fields(MetricRow)}


@dataclass(frozen=True)
class Moments:
    """One measure over some cases. ``missing``: cases where it is undefined (NaN), left out of the rest."""

    mean: float
    sd: float
    median: float
    missing: int = 0

    def text(self, digits: int = 3) -> str:
        """``0.912 ± 0.034``; a dash when no case has a value."""
        if math.isnan(self.mean):
            return "–"
        spread = "" if math.isnan(self.sd) else f" ± {self.sd:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


@dataclass(frozen=True)
class Summary:
    """What some rows have in common (``group``: key → value) and their measures; ``empty``: masks without a voxel."""

    group: dict[str, str]
    cases: int
    empty: int
    measures: dict[str, Moments]


def write_csv(rows: Iterable[MetricRow], path: Path) -> None:
    """Write rows as CSV (UTF-8, NaN as an empty field); the file appears whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value != value else value for key, value in asdict(row).items()})
    write_text(path, text.getvalue())


def read_csv(path: Path) -> list[MetricRow]:
    """Read what :func:`write_csv` wrote.

    :raises BadInputError: the file is missing or is not such a table.
    """
    kinds: dict[str, Any] = {
        "str": str,
        "float": lambda text: float(text or "nan"),
        "bool": lambda text: text == "True",
    }
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            lines = list(reader)
            if not set(_COLUMNS) <= set(reader.fieldnames or ()):
                raise KeyError("columns are missing")
        return [MetricRow(**{name: kinds[kind](line[name]) for name, kind in _COLUMNS.items()}) for line in lines]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a table of metrics"
        raise BadInputError(f"cannot be read ({reason})", path, "run the evaluation again") from None


def frame(rows: Iterable[MetricRow]) -> pd.DataFrame:
    """The rows as a data frame, one column a field."""
    import pandas as pd

    return pd.DataFrame([asdict(row) for row in rows], columns=list(_COLUMNS))


def summarise(rows: Iterable[MetricRow], by: Sequence[str] = ("source", "phase")) -> tuple[Summary, ...]:
    """Mean, standard deviation (n − 1), median and missing values of every group of rows.

    Distances are undefined for an empty mask: such cases are left out of their mean and counted in ``empty`` and
    ``missing``. A mean over cases, as CARE has it: groups of different size weigh by their cases.

    :param by: fields of :class:`MetricRow`; none: one group of all. Sources stay in order of appearance, phases in
        the order of :class:`Phase`, the rest is alphabetical.
    """
    groups: dict[tuple[str, ...], list[MetricRow]] = {}
    for row in rows:
        groups.setdefault(tuple(str(getattr(row, key)) for key in by), []).append(row)
    sources = list(dict.fromkeys(row.source for members in groups.values() for row in members))
    phases = [phase.value for phase in Phase]
    order: dict[str, list[str]] = {"source": sources, "phase": phases}

    def place(values: tuple[str, ...]) -> list[tuple[int, str]]:
        known = (order.get(key, []) for key in by)
        return [
            (ranks.index(value) if value in ranks else len(ranks), value)
            for ranks, value in zip(known, values, strict=True)
        ]

    return tuple(
        Summary(
            group=dict(zip(by, values, strict=True)),
            cases=len(groups[values]),
            empty=sum(row.empty for row in groups[values]),
            measures={name: moments([getattr(row, name) for row in groups[values]]) for name in MEASURES},
        )
        for values in sorted(groups, key=place)
    )


def moments(values: Sequence[float]) -> Moments:
    """Mean, standard deviation and median of the values that are numbers."""
    import numpy as np

    numbers = np.array([value for value in values if not math.isnan(value)])
    missing = len(values) - numbers.size
    if not numbers.size:
        return Moments(math.nan, math.nan, math.nan, missing)
    spread = float(numbers.std(ddof=1)) if numbers.size > 1 else math.nan
    return Moments(float(numbers.mean()), spread, float(np.median(numbers)), missing)
