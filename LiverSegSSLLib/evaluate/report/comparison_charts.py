"""Dice and Hausdorff distance of each method against the number of labelled studies."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.evaluate.report.charts import INK, STYLE, draw_svg
from LiverSegSSLLib.evaluate.report.comparison_summary import BASELINE, Line
from LiverSegSSLLib.evaluate.report.comparison_tables import HEADS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = ("dice", "hd_mm")

COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00")
"""Okabe and Ito's, for what is compared with the baseline, which has the colour of the text."""

MARKERS = "sD^vPX"
DOTS_PER_INCH = 200


def comparison_svg(lines: Sequence[Line]) -> str:
    """One row of charts a phase; empty without lines."""
    if not lines:
        return ""
    return draw_svg(_drawing(lines), _size(lines), "Dice and Hausdorff distance by number of labelled studies", "cells")


def comparison_png(lines: Sequence[Line]) -> bytes:
    """The same for a slide: black on white."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    data = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=_size(lines), layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        _drawing(lines)(figure)
        figure.savefig(data, format="png", dpi=DOTS_PER_INCH)
    return data.getvalue()


def _size(lines: Sequence[Line]) -> tuple[float, float]:
    return 8.6, 0.5 + 3.0 * len({line.phase for line in lines})


def _drawing(lines: Sequence[Line]) -> Callable[[Figure], None]:
    phases = list(dict.fromkeys(line.phase for line in lines))

    def draw(figure: Figure) -> None:
        many: Any = figure.subplots(len(phases), len(SHOWN), squeeze=False)
        for row, phase in zip(many, phases, strict=True):
            for axes, measure in zip(row, SHOWN, strict=True):
                _chart(axes, [line for line in lines if line.phase == phase], measure)
                axes.set_ylabel(f"{phase}: {HEADS[measure]}" if len(phases) > 1 else HEADS[measure])
        handles, names = many[0][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)

    return draw


def _chart(axes: Axes, lines: Sequence[Line], measure: str) -> None:
    """One line a method through the means; bars of one standard deviation; a pale dot each seed."""
    numbers = sorted({line.labelled for line in lines})
    methods = list(dict.fromkeys(line.method for line in lines))
    others = [method for method in methods if method != BASELINE]
    step = min(0.05, 0.3 / len(methods))
    for place, method in enumerate(methods):
        own = sorted((line for line in lines if line.method == method), key=lambda line: line.labelled)
        # Side by side, so that no spread hides another.
        x = [numbers.index(line.labelled) + (place - (len(methods) - 1) / 2) * step for line in own]
        kind = others.index(method) if method in others else 0
        look: dict[str, Any] = {"color": INK, "marker": "o"}
        if method in others:
            look = {"color": COLOURS[kind % len(COLOURS)], "marker": MARKERS[kind % len(MARKERS)]}
        means = [line.mean(measure) for line in own]
        spread = [line.spread(measure) for line in own]
        axes.errorbar(x, means, yerr=spread, label=method, markersize=4.5, linewidth=1.3, capsize=2, **look)
        for centre, line in zip(x, own, strict=True):
            seeds = line.means[measure]
            axes.plot([centre] * len(seeds), seeds, ".", color=look["color"], markersize=4, alpha=0.4)
    axes.set_xticks(range(len(numbers)), [str(number) for number in numbers])
    axes.set_xlim(-0.5, len(numbers) - 0.5)
    axes.set_xlabel("labelled studies")
    axes.grid(axis="y", color="#808080", alpha=0.3, linewidth=0.6)
