"""The trainings of a comparison: every cell a fold of one dataset, the same for all methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.methods import SUPERVISED, Method
from LiverSegSSLLib.learn.splits import Fold
from LiverSegSSLLib.learn.train import RunResult, TrainSpec, train
from LiverSegSSLLib.rounds.comparison import SEED, Comparison, Trained
from LiverSegSSLLib.rounds.comparison_options import PSEUDO
from LiverSegSSLLib.rounds.comparison_plan import Cell
from LiverSegSSLLib.rounds.comparison_predicting import predict_cells
from LiverSegSSLLib.rounds.comparison_progress import Progress
from LiverSegSSLLib.volume import read_mask


def train_cells(comparison: Comparison, method: str, progress: Progress) -> Trained:
    """Train a method on every cell; what is finished is not done again.

    :raises TrainingError: a training failed.
    """
    plan = comparison.plan
    labelled = {case_id for cell in plan.cells for case_id in cell.train}
    used = labelled | {case_id for cell in plan.cells for case_id in cell.unlabelled}
    cases = [_case(comparison.cohort.case(case_id), learnt=case_id in labelled) for case_id in sorted(used)]
    folds = [Fold(cell.train, cell.train, cell.unlabelled) for cell in plan.cells]
    spec = replace(_spec(comparison, "compare", cases, folds), method=cast(Method, method))
    result = train(spec, progress.reporter(method, plan.cells))
    progress.trained(method, plan.cells)
    return Trained(method, result.model_folder, {cell.number: _seconds(result, cell) for cell in plan.cells})


def train_on_predictions(comparison: Comparison, supervised: Trained, progress: Progress) -> Trained:
    """Train from scratch on the labels of each cell and on what its supervised training finds in its other images.

    The labels differ from cell to cell, so each cell has cases of its own. They lie in one dataset all the same: its
    folds have the numbers, and so the first weights, of the other methods'.

    :raises TrainingError: a training failed.
    """
    plan = comparison.plan
    found = predict_cells(comparison, supervised, {cell: cell.unlabelled for cell in plan.cells}, "pseudo labels")
    cases, folds = list[TrainingCase](), list[Fold]()
    for cell in plan.cells:
        given = [_own(_case(comparison.cohort.case(case_id), learnt=True), cell) for case_id in cell.train]
        pseudo = [
            replace(_own(_case(comparison.cohort.case(case_id), learnt=False), cell), label=mask, role="pseudo")
            for case_id, mask in found[cell].masks.items()
            if mask.is_file() and read_mask(mask).array.any()
        ]
        missing = len(cell.unlabelled) - len(pseudo)
        if missing:
            comparison.report.warn(f"{cell}: no liver found in {missing} of {len(cell.unlabelled)} images", PSEUDO)
        cases += [*given, *pseudo]
        held = tuple(sorted(case.case_id for case in given))
        folds.append(Fold(tuple(sorted(case.case_id for case in (*given, *pseudo))), held))
    spec = _spec(comparison, "compare pseudo", cases, folds)
    if comparison.preset.planner is not None:
        # The same images would give nearly the same plan; this makes it the same.
        geometry = {key: value for key, value in spec.options.get("configuration", {}).items() if key != "spacing"}
        plan_from = {"configuration": geometry, "plan_from": str(supervised.model)}
        spec = replace(spec, options={**spec.options, **plan_from})
    result = train(spec, progress.reporter(PSEUDO, plan.cells))
    progress.trained(PSEUDO, plan.cells)
    before = {cell.number: supervised.seconds[cell.number] + found[cell].seconds for cell in plan.cells}
    seconds = {cell.number: before[cell.number] + _seconds(result, cell) for cell in plan.cells}
    return Trained(PSEUDO, result.model_folder, seconds)


def _spec(comparison: Comparison, name: str, cases: Sequence[TrainingCase], folds: Sequence[Fold]) -> TrainSpec:
    return TrainSpec(
        name=name,
        cases=tuple(cases),
        folder=comparison.folder / "nnunet",
        preset=comparison.preset.name,
        options=comparison.options.training,
        network=comparison.options.network,
        seed=SEED,
        device=comparison.run.device,
        parallel_folds=comparison.run.workers,
        method=SUPERVISED,
        splits=tuple(folds),
    )


def _case(case: Case, learnt: bool) -> TrainingCase:
    return TrainingCase(
        case_id=case.id,
        image=case.image,
        label=case.expert if learnt else None,
        role="expert" if learnt else "unlabelled",
        stratum=case.vendor,
        liver_value=case.liver_value if learnt else None,
    )


def _own(case: TrainingCase, cell: Cell) -> TrainingCase:
    """A case of one cell alone; no study key has a ``+``."""
    study, separator, phase = case.case_id.rpartition("__")
    return replace(case, case_id=f"{study}+{cell.number}{separator}{phase}")


def _seconds(result: RunResult, cell: Cell) -> float:
    return sum(epoch["seconds"] for epoch in result.curves[cell.number])
