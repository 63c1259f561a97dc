"""What a comparison leaves behind: tables for people and programs, the chart and the page."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from LiverSegSSLLib import __version__
from LiverSegSSLLib.atomic import write_bytes, write_text
from LiverSegSSLLib.cohort.phantom.study import is_phantom
from LiverSegSSLLib.engine import resolved_device
from LiverSegSSLLib.evaluate.report.comparison import ComparisonPage, render_comparison, result_tables
from LiverSegSSLLib.evaluate.report.comparison_charts import comparison_png, comparison_svg
from LiverSegSSLLib.evaluate.report.comparison_rows import CellRow, write_records, write_rows
from LiverSegSSLLib.evaluate.report.comparison_summary import summarise_comparison
from LiverSegSSLLib.evaluate.report.comparison_tables import markdown, summary_records
from LiverSegSSLLib.evaluate.report.model import PHANTOM_LIMIT, Table
from LiverSegSSLLib.learn.plans import CONFIGURATION
from LiverSegSSLLib.rounds.comparison import Comparison


def write_results(comparison: Comparison, rows: Sequence[CellRow], model: Path) -> dict[str, Path]:
    """Write all of them; name → path.

    :param model: a model folder of the comparison, whose plans say what all its networks are.
    """
    folder, lines = comparison.folder, summarise_comparison(rows)
    limits = (PHANTOM_LIMIT,) if is_phantom(comparison.cohort.root) else ()
    given = (_studies(comparison), _cells(comparison), _settings(comparison, model))
    page = ComparisonPage(
        title="Comparison of methods",
        subtitle=f"{comparison.cohort.root.name}, {', '.join(phase.value for phase in comparison.plan.phases)}",
        created=f"{datetime.now():%Y-%m-%d %H:%M}",
        lines=lines,
        limits=limits,
        given=given,
    )
    write_rows(rows, folder / "cells.csv")
    write_records(*summary_records(lines), folder / "summary.csv")
    text = "\n\n".join([f"# {page.title}: {page.subtitle}", *limits, markdown((*result_tables(lines), *given))])
    write_text(folder / "summary.md", text)
    write_text(folder / "comparison.svg", comparison_svg(lines))
    write_bytes(folder / "comparison.png", comparison_png(lines))
    write_text(folder / "comparison.html", render_comparison(page))
    return {"Page": folder / "comparison.html", "Table": folder / "summary.md", "Rows": folder / "cells.csv"}


def _studies(comparison: Comparison) -> Table:
    plan = comparison.plan
    rows = [
        ("Test cases, in no training", str(len(plan.test)), ", ".join(plan.test)),
        ("Labelled studies to choose from", str(len(plan.pool)), ", ".join(plan.pool)),
    ]
    if plan.left_out:
        rows.append(("Not used: other studies of a tested patient", str(len(plan.left_out)), ", ".join(plan.left_out)))
    return Table("Who is what", ("Use", "Number", "Which"), tuple(rows))


def _cells(comparison: Comparison) -> Table:
    rows = [
        (str(cell.labelled), str(cell.seed), ", ".join(cell.train), str(len(cell.unlabelled)))
        for cell in comparison.plan.cells
    ]
    note = "The smaller sets of a seed lie within the larger. Masks of studies not chosen are hidden."
    return Table("Trainings", ("Labelled", "Seed", "Labelled cases", "Unlabelled images"), tuple(rows), note)


def _settings(comparison: Comparison, model: Path) -> Table:
    training = comparison.preset.training
    plans: dict[str, Any] = json.loads((model / "plans.json").read_text(encoding="utf-8"))
    planned = plans["configurations"][CONFIGURATION]
    rows = [
        ("Preset", comparison.preset.name),
        ("Changed", json.dumps(dict(comparison.options.training)) if comparison.options.training else "nothing"),
        ("Network", str(planned["architecture"]["network_class_name"]).rpartition(".")[2]),
        ("Spacing (z, y, x), mm", _listed(planned["spacing"])),
        ("Patch (z, y, x)", _listed(planned["patch_size"])),
        ("Labelled patches an iteration", str(planned["batch_size"])),
        ("Epochs × iterations", f"{training.epochs} × {training.iterations_per_epoch}"),
        ("Optimiser", f"{training.optimizer}, learning rate {training.learning_rate:g}"),
        ("Borders moved to edges", "yes" if comparison.settings.edges else "no"),
        ("Computed on", _device(comparison.run.device)),
        ("Versions", ", ".join(["liversegssl " + __version__, *map(_version, ("nnunetv2", "torch"))])),
    ]
    note = "The same for every method. Options of each method stand in the plans of its model."
    return Table("Settings", ("Setting", "Value"), tuple(rows), note)


def _listed(values: Sequence[float]) -> str:
    return " × ".join(f"{value:.3g}" for value in values)


def _device(asked: str) -> str:
    device = resolved_device(asked)
    if device != "cuda":
        return device
    import torch

    return str(torch.cuda.get_device_name())


def _version(package: str) -> str:
    return f"{package} {importlib.metadata.version(package)}"
