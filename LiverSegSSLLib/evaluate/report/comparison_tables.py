"""A comparison in words: tables to read, Markdown, records of a CSV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from LiverSegSSLLib.evaluate.report.comparison_rows import MEASURES
from LiverSegSSLLib.evaluate.report.comparison_summary import BASELINE, FEWEST_CASES, Difference, Line
from LiverSegSSLLib.evaluate.report.model import Table
from LiverSegSSLLib.evaluate.report.results import duration

DIGITS = {"dice": 3, "hd_mm": 1, "hd95_mm": 1, "assd_mm": 2, "nsd": 3}
HEADS = {"dice": "Dice", "hd_mm": "HD (mm)", "hd95_mm": "HD95 (mm)", "assd_mm": "ASSD (mm)", "nsd": "NSD"}
COMPARED = ("dice", "hd_mm", "hd95_mm")
"""Measures whose differences are shown; the CSV has all."""

MEANS_NOTE = (
    "Mean ± standard deviation over seeds (other first weights, and other labelled studies where there is a choice) of "
    "the mean over the test cases. HD is the full Hausdorff distance. A mask without a voxel has Dice 0 and no "
    "distance: it is counted under Empty and left out of the distances. Time: of one training with its validation, in "
    "relation to the supervised one."
)
DIFFERENCES_NOTE = (
    "Mean over pairs that share labelled studies, first weights and test case. Better is higher for Dice, lower for HD "
    "and HD95. In brackets the 95 % interval of 5000 resamples of seeds and cases; p is of Wilcoxon's two-sided "
    "signed-rank test over cases, adjusted after Holm over all rows of the table. The test asks whether the difference "
    "would hold for other patients, given these trainings; of few seeds the interval is too narrow for what other "
    f"trainings would do. With fewer than {FEWEST_CASES} test cases there is neither."
)


def means_table(lines: Iterable[Line], phase: str) -> Table:
    """What each method reaches on a phase."""
    rows = [
        (
            str(line.labelled),
            line.method,
            *(mean_text(line, measure) for measure in MEASURES),
            f"{line.empty}",
            f"{line.relative:.2f}" if line.relative == line.relative else "–",
        )
        for line in lines
        if line.phase == phase
    ]
    heads = ("Labelled", "Method", *HEADS.values(), "Empty", "Time")
    return Table(f"{phase}: what each method reaches", heads, tuple(rows), MEANS_NOTE)


def differences_table(lines: Iterable[Line], phase: str) -> Table | None:
    """How far each method is from supervised training; ``None`` without that."""
    rows = []
    for line in lines:
        if line.phase == phase and line.differences:
            cells = [cell for name in COMPARED for cell in _difference(line.differences[name], DIGITS[name])]
            rows.append((str(line.labelled), line.method, *cells))
    if not rows:
        return None
    heads = [head for name in COMPARED for head in (f"{HEADS[name]} − {BASELINE}", "p")]
    return Table(f"{phase}: against {BASELINE}", ("Labelled", "Method", *heads), tuple(rows), DIFFERENCES_NOTE)


def terminal_table(lines: Iterable[Line], phase: str) -> dict[str, Any]:
    """The main figures of a phase."""
    rows = []
    for line in lines:
        if line.phase == phase:
            found = line.differences.get("dice")
            difference = ["", ""] if found is None else [f"{found.mean:+.3f}", p_text(found.p)]
            means = [mean_text(line, measure) for measure in COMPARED]
            rows.append([line.labelled, line.method, *means, *difference, line.empty, duration(line.seconds)])
    title = f"{phase}: mean ± sd over seeds; difference in Dice to {BASELINE}"
    heads = [HEADS[name].replace(" (mm)", " mm") for name in COMPARED]
    return {"title": title, "columns": ["Labelled", "Method", *heads, "Difference", "p", "Empty", "Time"], "rows": rows}


def markdown(tables: Iterable[Table]) -> str:
    """Tables as Markdown, each with its note."""
    parts = []
    for table in tables:
        lines = [_row(table.columns), _row(["---:" if number else "---" for number in table.numeric])]
        lines += [_row(row) for row in table.rows]
        parts.append("\n".join([f"## {table.title}", "", *lines, *(["", table.note] if table.note else [])]))
    return "\n\n".join(parts) + "\n"


def summary_records(lines: Iterable[Line]) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and records of ``summary.csv``: all measures, all numbers unrounded."""
    records = []
    for line in lines:
        record: dict[str, Any] = {
            name: getattr(line, name) for name in ("phase", "labelled", "method", "seeds", "cases", "empty")
        }
        for name in MEASURES:
            record |= {f"{name}_mean": line.mean(name), f"{name}_sd": line.spread(name)}
            nothing = Difference(*[float("nan")] * 4)
            found = line.differences.get(name, nothing)
            record |= {
                f"{name}_difference": found.mean,
                f"{name}_low": found.low,
                f"{name}_high": found.high,
                f"{name}_p": found.p,
            }
        record |= {"seconds": line.seconds, "relative_seconds": line.relative, "iterations": line.iterations}
        records.append(record)
    return list(records[0]) if records else [], records


def mean_text(line: Line, measure: str) -> str:
    """``0.912 ± 0.034``; a dash where no case has a value."""
    mean, spread, digits = line.mean(measure), line.spread(measure), DIGITS[measure]
    if mean != mean:
        return "–"
    return f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread == spread else "")


def p_text(p: float) -> str:
    """Three digits, or that it is smaller; a dash where there is none."""
    return "–" if p != p else "<0.001" if p < 0.001 else f"{p:.3f}"


def _difference(found: Difference, digits: int) -> tuple[str, str]:
    if found.mean != found.mean:
        return "–", "–"
    bounds = f" [{found.low:+.{digits}f}, {found.high:+.{digits}f}]" if found.low == found.low else ""
    return f"{found.mean:+.{digits}f}{bounds}", p_text(found.p)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
