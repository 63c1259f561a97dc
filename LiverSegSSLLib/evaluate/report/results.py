"""Metric rows as tables to read."""

from __future__ import annotations

import math
from collections.abc import Sequence

from LiverSegSSLLib.evaluate.report.model import Table
from LiverSegSSLLib.evaluate.tables import Summary, summarise
from LiverSegSSLLib.types import MetricRow

COLUMNS = ("Cases", "Empty", "Dice", "Dice, median", "HD (mm)", "HD95 (mm)", "ASSD (mm)", "NSD")
NOTE = (
    "Mean ± standard deviation over cases. HD is the full Hausdorff distance, NSD the surface Dice within "
    "{tolerance} mm. "
    "An empty mask has Dice 0 and no distance: it is counted under Empty and left out of the distances."
)


def metric_tables(rows: Sequence[MetricRow], tolerance_mm: float = 5.0) -> tuple[Table, ...]:
    """By phase, and by vendor and domain where there are several."""
    if not rows:
        return ()
    note = NOTE.format(tolerance=f"{tolerance_mm:g}")
    tables = [_table("By phase", summarise(rows, ("phase", "source")), ("Phase", "Labels"), note)]
    if len({(row.vendor, row.domain) for row in rows}) > 1:
        groups = summarise(rows, ("phase", "vendor", "domain", "source"))
        tables.append(_table("By phase, vendor and domain", groups, ("Phase", "Vendor", "Domain", "Labels"), DOMAINS))
    return tuple(tables)


DOMAINS = "ID: the vendor was seen in training. OOD: it was not."


def case_line(rows: Sequence[MetricRow], case_id: str) -> str:
    """The measures of one case in a line: ``proposal: Dice 0.93, HD 12 mm · model: empty``."""
    parts = []
    for row in rows:
        if row.case_id == case_id:
            measured = "empty mask" if row.empty else f"Dice {row.dice:.3f}, HD {_number(row.hd_mm, 1)} mm"
            parts.append(f"{row.source}: {measured}")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """Time as a person says it: ``0.4 s``, ``48 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if math.isnan(seconds):
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _table(title: str, summaries: Sequence[Summary], heads: tuple[str, ...], note: str) -> Table:
    lines = []
    for one in summaries:
        measures = one.measures
        lines.append(
            (
                *(value or "–" for value in one.group.values()),
                str(one.cases),
                str(one.empty),
                measures["dice"].text(3),
                _number(measures["dice"].median, 3),
                measures["hd_mm"].text(1),
                measures["hd95_mm"].text(1),
                measures["assd_mm"].text(2),
                measures["nsd"].text(3),
            )
        )
    return Table(title, (*heads, *COLUMNS), tuple(lines), note)


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
