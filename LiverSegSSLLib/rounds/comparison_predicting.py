"""What the cells of a comparison find: predicted and measured once for each set of weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.checksum import sha256_of
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.evaluate.masks import Evaluation, MaskPair, evaluate_masks
from LiverSegSSLLib.evaluate.report.comparison_rows import CellRow, cell_row
from LiverSegSSLLib.jobs.executors import open_executor, usable_cores
from LiverSegSSLLib.learn.preprocess import image_key
from LiverSegSSLLib.predict.predict import PredictionTask, predict
from LiverSegSSLLib.rounds.comparison import Comparison, Trained
from LiverSegSSLLib.rounds.comparison_plan import Cell
from LiverSegSSLLib.rounds.state import digest_of

FEWEST_MASKS = 4
"""Masks to measure a process; a further one takes as long to start as several to measure."""


@dataclass(frozen=True)
class Found:
    """The masks of one cell by case id; a case that could not be read has no file.

    ``seconds``: that predicting them took; those of a prediction that was killed are not known and count 0.
    """

    masks: Mapping[str, Path]
    seconds: float


def predict_cells(
    comparison: Comparison, trained: Trained, wanted: Mapping[Cell, Sequence[str]], what: str
) -> dict[Cell, Found]:
    """Segment cases (by id) with the weights of each cell; masks that exist are kept.

    :param what: is predicted, for the progress.
    """
    places = {cell: _place(comparison, trained, cell, case_ids) for cell, case_ids in wanted.items()}
    tasks, fold_of = list[PredictionTask](), dict[str, int]()
    for cell, case_ids in wanted.items():
        for case_id in case_ids:
            mask = places[cell] / f"{case_id}.nii.gz"
            if not mask.is_file():
                name = f"{cell.number}/{case_id}"
                tasks.append(PredictionTask(name, comparison.cohort.case(case_id).image, mask))
                fold_of[name] = cell.number
    results = predict(
        trained.model,
        tasks,
        held_out=fold_of,  # one process for all cells
        settings=comparison.settings,
        device=comparison.run.device,
        stage=f"{trained.method}: {what}",
        report=comparison.report,
    )
    found = {}
    for cell, case_ids in wanted.items():
        seconds = sum(result.seconds for result in results if fold_of[result.case_id] == cell.number)
        masks = {case_id: places[cell] / f"{case_id}.nii.gz" for case_id in case_ids}
        found[cell] = Found(masks, _noted(places[cell] / "seconds.json", seconds))
    return found


def measure_cells(comparison: Comparison, trained: Trained) -> list[CellRow]:
    """The test cases as each cell finds them, cell by cell; what was measured before is read.

    :raises BadInputError: no test case can be measured.
    """
    records = {cell: _record(comparison, trained, cell) for cell in comparison.plan.cells}
    waiting = [cell for cell, record in records.items() if not record.is_file()]
    if waiting:
        for cell, rows in _measured(comparison, trained, waiting).items():
            write_json(records[cell], [asdict(row) for row in rows])
    return [CellRow(**row) for file in records.values() for row in json.loads(file.read_text(encoding="utf-8"))]


def _measured(comparison: Comparison, trained: Trained, cells: Sequence[Cell]) -> dict[Cell, list[CellRow]]:
    found = predict_cells(comparison, trained, dict.fromkeys(cells, comparison.plan.test), "test cases")
    pairs = [
        MaskPair(comparison.cohort.case(case_id), mask, truth.file, str(cell.number), truth.value)
        for cell in cells
        for case_id, mask in found[cell].masks.items()
        for truth in [comparison.truths[case_id]]
    ]
    evaluation = _evaluated(comparison, pairs)
    if not evaluation.rows:
        problem = evaluation.problems[0]
        raise BadInputError(f"no test case can be measured: {problem.what}", problem.where, problem.remedy)
    rows: dict[Cell, list[CellRow]] = {cell: [] for cell in cells}
    by_number = {str(cell.number): cell for cell in cells}
    for row in evaluation.rows:
        cell = by_number[row.source]
        seconds = trained.seconds[cell.number]
        rows[cell].append(cell_row(trained.method, cell.labelled, cell.seed, row, seconds, comparison.iterations))
    return rows


def _evaluated(comparison: Comparison, pairs: Sequence[MaskPair]) -> Evaluation:
    workers = min(comparison.run.workers or usable_cores(), len(pairs) // FEWEST_MASKS)
    if comparison.run.executor == "local" and workers < 2:
        return evaluate_masks(pairs, report=comparison.report)
    with open_executor(comparison.run.executor, workers) as executor:
        return evaluate_masks(pairs, executor, report=comparison.report)


def _place(comparison: Comparison, trained: Trained, cell: Cell, case_ids: Sequence[str]) -> Path:
    """The folder of masks that weights, settings and images decide on."""
    images = [image_key(comparison.cohort.case(case_id).image) for case_id in case_ids]
    key = digest_of([sha256_of(trained.checkpoint(cell)), asdict(comparison.settings), list(case_ids), images])
    return comparison.folder / "masks" / f"{trained.method}-{cell.name}" / key[:12]


def _record(comparison: Comparison, trained: Trained, cell: Cell) -> Path:
    """The file of a cell's rows, which also depend on the true masks."""
    test = comparison.plan.test
    truths = [[sha256_of(comparison.truths[case_id].file), comparison.truths[case_id].value] for case_id in test]
    place = _place(comparison, trained, cell, test)
    return place / f"measured-{digest_of(truths)[:12]}.json"


def _noted(file: Path, seconds: float) -> float:
    """Add to what is noted in a file; the sum."""
    before = float(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else 0.0
    if seconds:
        write_json(file, before + seconds)
    return before + seconds
