"""Report → one HTML file without any outside reference."""

from __future__ import annotations

import re
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import write_text
from LiverSegSSLLib.evaluate.report.cases import CaseView, draw_case
from LiverSegSSLLib.evaluate.report.charts import curve_chart, dice_chart
from LiverSegSSLLib.evaluate.report.model import TRUTH, Report
from LiverSegSSLLib.evaluate.report.palette import DOUBT_COLOUR, colours
from LiverSegSSLLib.evaluate.report.results import case_line, duration, metric_tables
from LiverSegSSLLib.resources import resource


def render_report(report: Report, executor: Executor | None = None) -> str:
    """The report as HTML text. Reads the files of the cases; those it cannot read are said in the report.

    :param executor: draws the cases in parallel.
    """
    from markupsafe import Markup

    names = outline_names(report)
    views = _draw(report, names, executor)
    palette = colours([*(row.source for row in report.rows), *names])
    return render_page(
        "report.html.j2",
        report=report,
        outlines=[(place, name, palette[name]) for place, name in enumerate(names)],
        doubt_colour=DOUBT_COLOUR,
        any_doubt=any(picture.probability is not None for picture in report.cases),
        total_seconds=sum(step.seconds for step in report.steps),
        dice_chart=Markup(dice_chart(report.rows, palette)),
        metric_tables=metric_tables(report.rows),
        curves=[(curve.stage, Markup(curve_chart(curve))) for curve in report.curves],
        cases=[(view, [Markup(panel.svg) for panel in view.panels], Markup(view.strip)) for view in views],
        measured={view.case_id: case_line(report.rows, view.case_id) for view in views},
        shown={view.case_id for view in views},
        problems=(*report.problems, *(f"{view.case_id}: {view.problem}" for view in views if view.problem)),
    )


def render_page(template: str, **content: Any) -> str:
    """A template of ``Resources/Report`` filled in, with the style of all pages as ``style``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(resource("Report")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    environment.filters["anchor"] = anchor
    style = Markup(resource("Report", "report.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **content)


def write_report(report: Report, path: Path, executor: Executor | None = None) -> None:
    """Write the report as one HTML file; it appears whole or not at all."""
    write_text(path, render_report(report, executor))


def outline_names(report: Report) -> tuple[str, ...]:
    """Names of the outlines of all cases, the truth first."""
    names = list(dict.fromkeys(name for picture in report.cases for name in picture.contours))
    return tuple(sorted(names, key=lambda name: name != TRUTH))


def anchor(case_id: str) -> str:
    """An identifier within the page for a case id."""
    return "case-" + re.sub(r"[^A-Za-z0-9_-]", lambda match: f".{ord(match.group()):x}", case_id)


def _draw(report: Report, names: tuple[str, ...], executor: Executor | None) -> list[CaseView]:
    if executor is None:
        return [draw_case(picture, names) for picture in report.cases]
    return [future.result() for future in [executor.submit(draw_case, picture, names) for picture in report.cases]]
