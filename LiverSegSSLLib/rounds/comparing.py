"""The compare verb: train, predict and measure method by method, and write what came out after each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LiverSegSSLLib.evaluate.report.comparison_rows import CellRow
from LiverSegSSLLib.evaluate.report.comparison_summary import summarise_comparison
from LiverSegSSLLib.evaluate.report.comparison_tables import terminal_table
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.learn.methods import SUPERVISED
from LiverSegSSLLib.rounds.comparison import Comparison, Trained, open_comparison
from LiverSegSSLLib.rounds.comparison_options import PSEUDO, ComparisonOptions
from LiverSegSSLLib.rounds.comparison_predicting import measure_cells
from LiverSegSSLLib.rounds.comparison_progress import Progress
from LiverSegSSLLib.rounds.comparison_results import write_results
from LiverSegSSLLib.rounds.comparison_training import train_cells, train_on_predictions
from LiverSegSSLLib.rounds.opening import RunOptions, read_cohort


def compare_methods(run: RunOptions, options: ComparisonOptions, report: Reporter) -> dict[str, Any]:
    """Compare; killed at any moment, the same call goes on. A result as verbs give it.

    :raises BadInputError: the options or the cohort do not allow it.
    :raises TrainingError: a training failed.
    """
    cohort = read_cohort(run, report)
    with open_comparison(run, options, cohort, report) as comparison:
        rows, files = _compare(comparison)
    lines = summarise_comparison(rows)
    tables = [terminal_table(lines, phase.value) for phase in comparison.plan.phases]
    return {"tables": tables, "files": {name: str(path) for name, path in files.items()}}


def _compare(comparison: Comparison) -> tuple[list[CellRow], dict[str, Path]]:
    methods = comparison.options.methods
    progress = Progress(comparison.report, len(methods) * len(comparison.plan.cells))
    done: dict[str, Trained] = {}
    rows: list[CellRow] = []
    files: dict[str, Path] = {}
    for method in methods:
        if method == PSEUDO:
            done[method] = train_on_predictions(comparison, done[SUPERVISED], progress)
        else:
            done[method] = train_cells(comparison, method, progress)
        rows += measure_cells(comparison, done[method])
        files = write_results(comparison, rows, done[method].model)
    return rows, files
