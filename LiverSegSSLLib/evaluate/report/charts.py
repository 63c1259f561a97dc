"""Charts as SVG that takes its text colour from the page, so that it reads in light, dark and print."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.evaluate.report.model import TRUTH, Curve
from LiverSegSSLLib.evaluate.report.palette import colours
from LiverSegSSLLib.types import MetricRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the page's text colour while matplotlib draws."""

STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **{key: INK for key in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")},
}


def dice_chart(rows: Sequence[MetricRow], palette: Mapping[str, str]) -> str:
    """Dice of every case by phase, a bar at the mean; ``palette``: source → colour. Empty without rows."""
    phases = [phase.value for phase in Phase if any(row.phase == phase.value for row in rows)]
    sources = list(dict.fromkeys(row.source for row in rows))
    if not phases:
        return ""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        step = min(0.3, 0.8 / len(sources))
        for number, source in enumerate(sources):
            for place, phase in enumerate(phases):
                values = [row.dice for row in rows if row.source == source and row.phase == phase]
                if not values:
                    continue
                centre = place + (number - (len(sources) - 1) / 2) * step
                spread = [centre + 0.33 * step * math.sin(2.4 * index) for index in range(len(values))]
                label = source if source not in axes.get_legend_handles_labels()[1] else None
                axes.plot(spread, values, "o", color=palette[source], markersize=4, alpha=0.8, label=label)
                mean = sum(values) / len(values)
                axes.plot([centre - 0.43 * step, centre + 0.43 * step], [mean, mean], color=INK, linewidth=1.5)
        axes.set_xticks(range(len(phases)), phases)
        axes.set_xlim(-0.6, len(phases) - 0.4)
        lowest = min(row.dice for row in rows)
        axes.set_ylim(max(0.0, math.floor(lowest * 10 - 0.5) / 10), 1.005)
        axes.set_ylabel("Dice")
        axes.grid(axis="y", color="#808080", alpha=0.3, linewidth=0.6)
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)

    return draw_svg(draw, (1.2 + 1.1 * len(phases), 3.0), "Dice of every case by phase", "dice")


def curve_chart(curve: Curve) -> str:
    """Losses on the left, what lies between 0 and 1 (agreement, Dice, disagreement) on the right."""
    losses = [name for name in curve.series if "loss" in name.lower()]
    groups = [group for group in (losses, [name for name in curve.series if name not in losses]) if group]
    if not groups or not curve.epochs:
        return ""

    def draw(figure: Figure) -> None:
        many: Any = figure.subplots(1, len(groups), squeeze=False)
        for axes, names in zip(many[0], groups, strict=True):
            palette = colours([TRUTH, *names])
            for name in names:
                marker = "o" if len(curve.epochs) < 3 else None
                axes.plot(
                    curve.epochs, curve.series[name], color=palette[name], label=name, marker=marker, linewidth=1.4
                )
            _finish(axes)

    return draw_svg(draw, (3.4 * len(groups), 2.3), f"Training curves of {curve.stage}", repr(curve))


def _finish(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.grid(color="#808080", alpha=0.3, linewidth=0.6)
    axes.legend(frameon=False, fontsize=8)


def draw_svg(draw: Callable[[Figure], None], size_inches: tuple[float, float], title: str, salt: str) -> str:
    """What ``draw`` puts on a figure, tidied up; :data:`INK` becomes the text colour of the page.

    :param salt: keeps identifiers of two charts in a page apart, and the same from run to run.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    text = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": salt}):
        figure = Figure(figsize=size_inches, layout="constrained")
        figure.patch.set_alpha(0)
        FigureCanvasSVG(figure)
        draw(figure)
        for axes in figure.axes:
            axes.patch.set_alpha(0)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", metadata=nothing)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :].replace(INK, "currentColor")
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    used = set(re.findall(r"#([\w.-]+)", drawing))
    drawing = re.sub(r' id="([^"]*)"', lambda found: found.group() if found.group(1) in used else "", drawing)
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{_escaped(title)}" class="chart" ', 1)


def _escaped(text: str) -> str:
    from html import escape

    return escape(text, quote=True)
