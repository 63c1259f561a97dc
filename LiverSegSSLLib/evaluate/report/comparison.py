"""The page of a comparison: one HTML file without any outside reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from LiverSegSSLLib.evaluate.report.comparison_charts import comparison_svg
from LiverSegSSLLib.evaluate.report.comparison_summary import BASELINE, FEWEST_CASES, Line
from LiverSegSSLLib.evaluate.report.comparison_tables import DIGITS, HEADS, differences_table, means_table
from LiverSegSSLLib.evaluate.report.model import Table
from LiverSegSSLLib.evaluate.report.render import render_page


@dataclass(frozen=True)
class ComparisonPage:
    """What stands on the page. ``limits``: what the numbers do not show; ``given``: data and settings."""

    title: str
    subtitle: str
    created: str
    lines: tuple[Line, ...]
    limits: tuple[str, ...] = ()
    given: tuple[Table, ...] = ()


def render_comparison(page: ComparisonPage) -> str:
    """The page as HTML text."""
    from markupsafe import Markup

    return render_page(
        "comparison.html.j2",
        page=page,
        limits=(*page.limits, *_limits(page.lines)),
        summary=summary(page.lines),
        chart=Markup(comparison_svg(page.lines)),
        tables=result_tables(page.lines),
    )


def result_tables(lines: Sequence[Line]) -> tuple[Table, ...]:
    """Of every phase: what each method reaches, and how far it is from the baseline."""
    tables = []
    for phase in dict.fromkeys(line.phase for line in lines):
        tables += [means_table(lines, phase), differences_table(lines, phase)]
    return tuple(table for table in tables if table is not None)


def summary(lines: Sequence[Line]) -> tuple[str, ...]:
    """For each phase and number of labelled studies, who is better than the baseline and who is not."""
    sentences = []
    for phase, labelled in dict.fromkeys((line.phase, line.labelled) for line in lines):
        group = [line for line in lines if (line.phase, line.labelled) == (phase, labelled)]
        compared = [line for line in group if line.differences]
        if not compared:
            continue
        better = [line for line in compared if line.differences["dice"].mean > 0]
        others = [line for line in compared if line not in better]
        parts = [f"higher Dice than {BASELINE}: {_names(better)}"] if better else []
        parts += [f"not higher: {_names(others)}"] if others else []
        sentences.append(f"{phase}, {labelled} labelled – {'; '.join(parts)}.")
    return tuple(sentences)


def _names(lines: Sequence[Line]) -> str:
    return ", ".join(f"{line.method} ({_said(line)})" for line in lines)


def _said(line: Line) -> str:
    found = line.differences["dice"]
    interval = f", 95 % {found.low:+.3f} … {found.high:+.3f}" if found.low == found.low else ""
    return f"{found.mean:+.{DIGITS['dice']}f}{interval}"


def _limits(lines: Sequence[Line]) -> tuple[str, ...]:
    """What so few cases and seeds cannot show."""
    sentences = []
    cases = min((line.cases for line in lines), default=0)
    seeds = min((line.seeds for line in lines), default=0)
    if lines and cases < FEWEST_CASES:
        sentences.append(f"Only {cases} test cases: too few to tell a difference in {HEADS['dice']} from chance.")
    for phase in dict.fromkeys(line.phase for line in lines):
        compared = [line for line in lines if line.phase == phase and line.differences]
        least = min(1.0, len(compared) * 2 / 2**cases)  # every case on one side, after Holm
        if cases >= FEWEST_CASES and least > 0.05:
            what = f"{len(compared)} comparisons and {cases} test cases"
            sentences.append(
                f"{phase}: with {what} no adjusted p can be below {least:.2g}, however large a difference."
            )
    if lines and seeds < 3:
        many = "one seed" if seeds == 1 else f"{seeds} seeds"
        sentences.append(f"Only {many}: how much the choice of the labelled studies matters is hardly known.")
    return tuple(sentences)
