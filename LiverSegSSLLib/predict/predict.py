"""Predict any number of cases with a trained ensemble, in a child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from LiverSegSSLLib import errors
from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.engine import Child, Folders, environment, resolved_device
from LiverSegSSLLib.errors import BadInputError, JobError, LiverSegError
from LiverSegSSLLib.events import SILENT, Event, Reporter
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.jobs.scratch import scratch_folder
from LiverSegSSLLib.predict.settings import DEFAULTS, PredictionSettings

MOST_AT_ONCE = 4
"""Processes that predict side by side on a CPU; each holds a network and one image."""

FEWEST_CASES = 4
"""Cases a process; a further one takes as long to start as a case or two to predict."""


@dataclass(frozen=True)
class PredictionTask:
    """One image to segment and where the results go (``None``: not wanted).

    ``dtype`` of the mask file; empty: uint8. Files that exist are replaced.
    """

    case_id: str
    image: Path
    mask: Path | None = None
    probability: Path | None = None
    dtype: str = ""


@dataclass(frozen=True)
class PredictionResult:
    """What became of one task. ``failure``: why there is no mask, in words; ``empty``: no liver was found."""

    case_id: str
    mask: Path | None
    probability: Path | None
    seconds: float
    folds: tuple[int | str, ...]
    empty: bool = False
    failure: str = ""


def predict(
    model_folder: Path,
    tasks: Sequence[PredictionTask],
    folds: Sequence[int | str] | None = None,
    held_out: Mapping[str, int] | None = None,
    settings: PredictionSettings = DEFAULTS,
    device: str = "auto",
    threads: int = 0,
    stage: str = "predict",
    report: Reporter = SILENT,
    most: int = MOST_AT_ONCE,
) -> tuple[PredictionResult, ...]:
    """Segment every task's image; masks and probabilities lie on the image's own grid, in its file shape.

    :param model_folder: the folder that holds ``plans.json`` and ``fold_…``.
    :param folds: models to average; ``None``: all that are trained.
    :param held_out: case id → fold; those cases are predicted by that fold alone, which has not seen their pseudo
        label (the out-of-fold rule).
    :param threads: processor cores; 0: those of this machine.
    :param most: processes side by side, at most :data:`MOST_AT_ONCE`.
    :return: one result a task, in the order of the tasks. A case that cannot be read has a ``failure``.
    :raises BadInputError: not a model, or it lacks a fold.
    :raises JobError: the process ended unexpectedly.
    """
    if not (model_folder / "plans.json").is_file():
        raise BadInputError("is not a model folder", model_folder, "give the folder that contains fold_0")
    if not tasks:
        return ()
    cases = sorted((_case(task, folds, held_out or {}) for task in tasks), key=lambda case: str(case["folds"]))
    device, threads = resolved_device(device), threads or usable_cores()
    # Resampling takes one core however many there are: cases side by side, each with its share of the cores.
    at_once = max(1, min(threads, most, MOST_AT_ONCE, len(cases) // FEWEST_CASES)) if device == "cpu" else 1
    specification = {
        "model": str(model_folder.absolute()),
        "settings": asdict(settings),
        "device": device,
        "threads": max(1, threads // at_once),
        "stage": stage,
    }
    specifications = [{**specification, "cases": cases[first::at_once]} for first in range(at_once)]
    outcomes = {outcome["case_id"]: outcome for outcome in _run(specifications, len(cases), model_folder, report)}
    return tuple(_result(task, outcomes[task.case_id]) for task in tasks)


def _case(task: PredictionTask, folds: Sequence[int | str] | None, held_out: Mapping[str, int]) -> dict[str, Any]:
    chosen: list[int | str] | None = None if folds is None else list(folds)
    if task.case_id in held_out:
        chosen = [held_out[task.case_id]]
    return {
        "case_id": task.case_id,
        "image": str(task.image),
        "mask": "" if task.mask is None else str(task.mask),
        "probability": "" if task.probability is None else str(task.probability),
        "dtype": task.dtype,
        "folds": chosen,
    }


def _run(
    specifications: Sequence[Mapping[str, Any]], total: int, model: Path, report: Reporter
) -> list[dict[str, Any]]:
    """One child a specification, side by side; what they say of every case."""
    lock, finished = Lock(), 0

    def tell(event: Event) -> None:
        nonlocal finished
        if event.kind == "progress":
            with lock:
                finished += 1
                event = replace(event, data={"done": finished, "total": total})
                report.send(event)
        else:
            report.send(event)

    with scratch_folder() as place, ExitStack() as started:
        children = []
        for number, specification in enumerate(specifications):
            path, log = place / f"predict {number}.json", place / f"predict {number}.log"
            write_json(path, specification)
            # The model is found by its folder; nnU-Net's own folders are not used in prediction.
            variables = environment(Folders(place), int(specification["threads"]))
            children.append(Child("LiverSegSSLLib.predict.child", path, log, variables, tell))
            started.callback(children[-1].stop)
        codes = [child.wait() for child in children]
    cases: list[dict[str, Any]] = []
    for child, code in zip(children, codes, strict=True):
        if code != 0 or child.result is None:
            raise _failure(child, model)
        cases += child.result["cases"]
    return cases


def _failure(child: Child, model: Path) -> LiverSegError:
    if child.error is not None and "kind" in child.error.data:
        kind = getattr(errors, child.error.data["kind"], JobError)
        if issubclass(kind, LiverSegError):
            data = child.error.data
            return kind(data["what"], data["where"], data["remedy"])
    return JobError(f"the prediction failed: {child.complaint()}", model)


def _result(task: PredictionTask, outcome: dict[str, Any]) -> PredictionResult:
    failed = bool(outcome["failure"])
    return PredictionResult(
        task.case_id,
        None if failed else task.mask,
        None if failed else task.probability,
        float(outcome["seconds"]),
        tuple(outcome["folds"]),
        bool(outcome["empty"]),
        str(outcome["failure"]),
    )
