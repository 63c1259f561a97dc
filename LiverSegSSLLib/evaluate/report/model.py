"""What a report is made of, as plain data. Who runs the loop fills it in; this package draws and writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from LiverSegSSLLib.types import NOTHING, MetricRow

TRUTH = "truth"
"""Name of the outline that the others are compared with."""

_NUMBER = re.compile(r"–|[-+]?[\d.,]+( ± [\d.,]+)?( ?(%|mm|mL|s|MB))?")


@dataclass(frozen=True)
class Table:
    """A table of text. Columns whose cells are all numbers are set flush right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For every column, whether all its cells are numbers (with a unit or ± spread) or dashes."""
        return tuple(all(_NUMBER.fullmatch(row[place]) for row in self.rows) for place in range(len(self.columns)))


@dataclass(frozen=True)
class Step:
    """One step of the run: what it did, in a sentence, and how long it took."""

    name: str
    seconds: float
    what: str


@dataclass(frozen=True)
class CasePicture:
    """A case to show.

    ``image`` and ``contours`` (name → mask file, in drawing order) lie on the case's grid, as does ``probability``.
    ``doubtful``: slices to show and mark, most doubtful first, as array indices along z of the files.
    ``nameless``: where a file cannot be used, it is not named.
    """

    case_id: str
    image: Path
    contours: Mapping[str, Path] = field(default_factory=lambda: NOTHING)
    probability: Path | None = None
    caption: str = ""
    reason: str = ""
    doubtful: tuple[int, ...] = ()
    nameless: bool = False


@dataclass(frozen=True)
class Curve:
    """Numbers of one training by epoch. ``series``: name → one value an epoch, NaN where there is none."""

    stage: str
    epochs: tuple[float, ...]
    series: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class QueueRow:
    """One line of "what the reviewer should look at first". ``slices`` as in :class:`CasePicture`."""

    rank: int
    case_id: str
    reason: str
    slices: tuple[int, ...] = ()


@dataclass(frozen=True)
class Report:
    """Everything that stands in a report; what is empty is left out.

    ``limits``: plain sentences on what the numbers do not show, set apart at the top. ``rows`` make the tables and
    the figure of the results; ``tables`` are further ones.
    """

    title: str
    subtitle: str = ""
    created: str = ""
    summary: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    given: tuple[Table, ...] = ()
    steps: tuple[Step, ...] = ()
    rows: tuple[MetricRow, ...] = ()
    tables: tuple[Table, ...] = ()
    queue: tuple[QueueRow, ...] = ()
    cases: tuple[CasePicture, ...] = ()
    curves: tuple[Curve, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


PHANTOM_LIMIT = (
    "The studies are the built-in digital phantom: simulated anatomy and simulated images. They show that the program "
    "works from end to end. They are no clinical evidence: do not expect these numbers on patients."
)
"""The sentence that a report on the phantom must carry."""
