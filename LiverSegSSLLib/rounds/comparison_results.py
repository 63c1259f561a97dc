"""What a comparison leaves behind: tables for people and programs, the chart and the page."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import replace
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
from LiverSegSSLLib.rounds.pseudonyms import AS_THEY_ARE, Names, hidden_names

UNSAID_CHANGE = "what names files or studies"


def write_results(comparison: Comparison, rows: Sequence[CellRow], model: Path) -> dict[str, Path]:
    """Write all of them; name → path.

    With ``--pseudonyms`` no study key stands in them; what the comparison itself goes on from keeps the keys.

    :param model: a model folder of the comparison, whose plans say what all its networks are.
    """
    names = AS_THEY_ARE
    if comparison.run.pseudonyms:
        names = hidden_names(comparison.run.workspace, comparison.cohort)
    rows = _called(rows, names)
    folder, lines = comparison.folder, summarise_comparison(rows)
    limits = (PHANTOM_LIMIT,) if is_phantom(comparison.cohort.root) else ()
    given = (_studies(comparison, names), _cells(comparison, names), _settings(comparison, model, names))
    phases = ", ".join(phase.value for phase in comparison.plan.phases)
    page = ComparisonPage(
        title="Comparison of methods",
        subtitle=phases if names.hidden else f"{comparison.cohort.root.name}, {phases}",
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


def _called(rows: Sequence[CellRow], names: Names) -> list[CellRow]:
    """Rows with the names of their cases, those of one training in their order."""
    called = [replace(row, case_id=names.case(row.case_id)) for row in rows]
    if not names.hidden:
        return called
    trainings = list(dict.fromkeys((row.method, row.labelled, row.seed) for row in rows))
    return sorted(called, key=lambda row: (trainings.index((row.method, row.labelled, row.seed)), row.case_id))


def _studies(comparison: Comparison, names: Names) -> Table:
    plan = comparison.plan
    rows = [
        ("Test cases, in no training", str(len(plan.test)), ", ".join(names.cases(plan.test))),
        ("Labelled studies to choose from", str(len(plan.pool)), ", ".join(names.studies(plan.pool))),
    ]
    if plan.left_out:
        left_out = ", ".join(names.cases(plan.left_out))
        rows.append(("Not used: other studies of a tested patient", str(len(plan.left_out)), left_out))
    return Table("Who is what", ("Use", "Number", "Which"), tuple(rows))


def _cells(comparison: Comparison, names: Names) -> Table:
    rows = [
        (str(cell.labelled), str(cell.seed), ", ".join(names.cases(cell.train)), str(len(cell.unlabelled)))
        for cell in comparison.plan.cells
    ]
    note = "The smaller sets of a seed lie within the larger. Masks of studies not chosen are hidden."
    return Table("Trainings", ("Labelled", "Seed", "Labelled cases", "Unlabelled images"), tuple(rows), note)


def _settings(comparison: Comparison, model: Path, names: Names) -> Table:
    training, changed = comparison.preset.training, dict(comparison.options.training)
    plans: dict[str, Any] = json.loads((model / "plans.json").read_text(encoding="utf-8"))
    planned = plans["configurations"][CONFIGURATION]
    rows = [
        ("Preset", comparison.preset.name),
        ("Changed", (names.own_words(json.dumps(changed)) or UNSAID_CHANGE) if changed else "nothing"),
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
