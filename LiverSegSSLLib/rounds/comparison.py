"""A comparison of methods: what all of them share, and the folder that holds it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.cohort.study import Cohort
from LiverSegSSLLib.engine import resolved_device
from LiverSegSSLLib.errors import BadInputError, RecipeError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.methods import SUPERVISED
from LiverSegSSLLib.learn.options import Preset, load_preset
from LiverSegSSLLib.predict.settings import PredictionSettings
from LiverSegSSLLib.rounds.comparison_options import ComparisonOptions
from LiverSegSSLLib.rounds.comparison_plan import Cell, ComparisonPlan, plan_comparison
from LiverSegSSLLib.rounds.damaged import damaged_inside
from LiverSegSSLLib.rounds.opening import RunOptions
from LiverSegSSLLib.rounds.state import only_one
from LiverSegSSLLib.volume import read_geometry, require_same_grid

SEED = 0
"""Of all trainings; the cells differ by the numbers of their folds."""


@dataclass(frozen=True)
class Truth:
    """The true mask of a case; ``value``: the liver's in it, ``None``: every value above 0."""

    file: Path
    value: int | None = None


@dataclass(frozen=True)
class Comparison:
    """What every method shares, and where it is kept. ``truths``: by case id."""

    options: ComparisonOptions
    run: RunOptions
    cohort: Cohort
    plan: ComparisonPlan
    preset: Preset
    truths: Mapping[str, Truth]
    report: Reporter

    @property
    def folder(self) -> Path:
        """Where everything goes."""
        parts = (self.preset.name, self.options.network, *(phase.value for phase in self.plan.phases))
        return self.run.workspace / "compare" / (self.options.name or "-".join(filter(None, parts)))

    @property
    def iterations(self) -> int:
        """Optimiser steps of every training."""
        return self.preset.training.epochs * self.preset.training.iterations_per_epoch

    @property
    def settings(self) -> PredictionSettings:
        """Of every prediction."""
        return PredictionSettings(edges=self.options.edges)


@dataclass(frozen=True)
class Trained:
    """One method's trainings. ``seconds``: of each cell, by its number; those of ``pseudo`` hold what it builds on."""

    method: str
    model: Path
    seconds: Mapping[int, float]

    def checkpoint(self, cell: Cell) -> Path:
        """The final weights of a cell."""
        return self.model / f"fold_{cell.number}" / FINAL


@contextmanager
def open_comparison(
    run: RunOptions, options: ComparisonOptions, cohort: Cohort, report: Reporter
) -> Iterator[Comparison]:
    """Plan a comparison, or take up one that was begun; holds its folder for this process.

    :raises BadInputError: the options or the cohort do not allow it, or its folder holds another comparison.
    """
    if run.truth is not None and not run.truth.is_dir():
        raise RecipeError("is not a folder", run.truth, "give the folder of true masks with --truth")
    name = options.preset or ("cpu" if resolved_device(run.device) == "cpu" else "default")
    preset = load_preset(name, options.training, SEED, network=options.network)
    cohort = _without_damaged(cohort, options, report)
    truths = _truths(cohort, options, run.truth)
    learns_from_images = any(method != SUPERVISED for method in options.methods)
    plan = plan_comparison(
        cohort, options.phases, truths, options.labelled, options.seeds, options.test, learns_from_images
    )
    for case_id in plan.test:
        file = truths[case_id].file
        require_same_grid(read_geometry(file), read_geometry(cohort.case(case_id).image), file)
    comparison = Comparison(options, run, cohort, plan, preset, truths, report)
    with only_one(comparison.folder / "compare.lock"):
        _claim(comparison)
        yield comparison


def _without_damaged(cohort: Cohort, options: ComparisonOptions, report: Reporter) -> Cohort:
    """The cohort without the cases whose images are damaged inside, which are told: all methods do without them."""
    images = {case.id: case.image for case in cohort.cases(frozenset(options.phases))}
    faults = damaged_inside(images)
    for case_id, what in faults.items():
        report.warn(f"{case_id}: left out: {what}", "compare")
    return cohort.without(faults)


def _truths(cohort: Cohort, options: ComparisonOptions, folder: Path | None) -> dict[str, Truth]:
    """The true masks there are: from the folder, else what came with the data."""
    truths: dict[str, Truth] = {}
    for case in cohort.cases(frozenset(options.phases)):
        file = None if folder is None else folder / f"{case.id}.nii.gz"
        if file is not None and file.is_file():
            truths[case.id] = Truth(file)
        elif case.expert is not None:
            truths[case.id] = Truth(case.expert, case.liver_value)
    return truths


def _claim(comparison: Comparison) -> None:
    """Write down what all methods share; refuse to mix two comparisons.

    :raises BadInputError: the folder holds another one.
    """
    file = comparison.folder / "plan.json"
    shared = {
        **asdict(comparison.plan),
        "preset": comparison.preset.model_dump(mode="json"),
        "prediction": asdict(comparison.settings),
    }
    mine = json.loads(json.dumps(shared))
    if not file.is_file():
        write_json(file, mine)
        return
    theirs = json.loads(file.read_text(encoding="utf-8"))
    other = [key for key in mine if mine[key] != theirs.get(key)]
    if other:
        what = f"holds another comparison, which differs in {', '.join(other)}"
        raise BadInputError(what, comparison.folder, "give this one a --name, or delete that one")
