"""Train an ensemble of folds with nnU-Net; killed at any moment, the same call continues."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from LiverSegSSLLib import errors
from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.checksum import sha256_of
from LiverSegSSLLib.engine import Child, Folders, environment
from LiverSegSSLLib.errors import BadInputError, LiverSegError, TrainingError
from LiverSegSSLLib.events import SILENT, Event, Reporter
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.learn.card import images_seen, write_card
from LiverSegSSLLib.learn.cases import TrainingCase, check_cases
from LiverSegSSLLib.learn.dataset import dataset_name, export_dataset
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.methods import METHOD_OPTIONS, SUPERVISED, TRAINERS, Method
from LiverSegSSLLib.learn.options import Preset, load_preset
from LiverSegSSLLib.learn.planned import moved_plans
from LiverSegSSLLib.learn.plans import CONFIGURATION, PLANS
from LiverSegSSLLib.learn.preprocess import image_key, label_key
from LiverSegSSLLib.learn.splits import Fold, FoldName, held_out_fold, make_folds
from LiverSegSSLLib.learn.warm_start import Origin, Start, find_origin

_POLL_S = 0.2


@dataclass(frozen=True)
class TrainSpec:
    """What to train.

    :param name: of the training, for example ``round1``; the same name and folder continue it.
    :param cases: images with labels.
    :param folder: nnU-Net's files go into ``raw``, ``preprocessed`` and ``results`` below it.
    :param preset: a plan under ``Resources/Plans``.
    :param folds: number of folds; 1: one model trained on everything, none held out.
    :param options: changes to the preset, see :class:`LiverSegSSLLib.learn.options.TrainingOptions`.
    :param device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    :param threads: processor cores to use in all; 0: those of this machine.
    :param parallel_folds: folds trained at once; 0: one on a GPU, as many as there are cores without.
    :param init: what to begin with: a model folder of an earlier training (of this or another dataset), the path of a
        checkpoint, or ``models:NAME`` (see :func:`LiverSegSSLLib.learn.warm_start.find_origin`). Fold i begins with
        fold i of a model folder, or another that was not trained on a case which fold i holds out now; if there is
        none, from scratch, with a warning.
    :param network: a preset whose network takes the place of this one's.
    :param method: how to learn, see :mod:`LiverSegSSLLib.learn.methods`; all but ``supervised`` need unlabelled cases.
    :param splits: exactly these folds, numbered as they stand, instead of ``folds``. They may name any labelled case
        as unlabelled.
    """

    name: str
    cases: tuple[TrainingCase, ...]
    folder: Path
    preset: str = "cpu"
    folds: int = 5
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    threads: int = 0
    parallel_folds: int = 0
    init: Path | str | None = None
    network: str | None = None
    method: Method = SUPERVISED
    splits: tuple[Fold, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """A trained ensemble.

    ``held_out``: case → the fold whose model was not trained on that case's pseudo label; predict the case with that
    fold alone and the prediction may become its next pseudo label. ``curves``: fold → one dictionary an epoch.
    """

    name: str
    model_folder: Path
    folds: tuple[FoldName, ...]
    held_out: Mapping[str, int]
    curves: Mapping[FoldName, tuple[dict[str, float], ...]]
    seconds: float


def train(spec: TrainSpec, report: Reporter = SILENT) -> RunResult:
    """Plan, preprocess and train every fold.

    What is finished is not done again; changed images, labels or options start the training anew.

    :raises BadInputError: the cases or options cannot be trained with.
    :raises TrainingError: a process failed; the message ends with what it said last, its log stays in the model
        folder.
    """
    start = time.monotonic()
    preset = load_preset(spec.preset, spec.options, spec.seed, spec.init is not None, spec.network)
    origin = None if spec.init is None else find_origin(spec.init)
    cases = check_cases(spec.cases, report)
    splits = _splits(spec, cases)
    names: tuple[FoldName, ...] = tuple(range(len(splits))) if splits else ("all",)
    held_out = {} if spec.splits else held_out_fold(splits)
    folders = Folders(spec.folder.absolute())
    run = _Run(spec, preset, cases, splits, folders, dataset_name(folders, spec.name), origin, report)
    _begin_or_continue(run)
    _tell_curves(run, names)
    todo = [name for name in names if not (run.fold(name) / FINAL).is_file()]
    if todo:
        _train_folds(run, todo, _prepare(run))
    curves = {name: tuple(_curve(run.fold(name))) for name in names}
    write_card(run.model, spec.name, preset, spec.method, cases, held_out, {name: _seen(run, name) for name in names})
    seconds = time.monotonic() - start
    return RunResult(spec.name, run.model, names, MappingProxyType(held_out), MappingProxyType(curves), seconds)


def _splits(spec: TrainSpec, cases: Sequence[TrainingCase]) -> tuple[Fold, ...]:
    """The folds; none: one model trained on everything.

    :raises BadInputError: the method learns from unlabelled cases too, and there is none.
    """
    if spec.splits:
        splits = spec.splits
    else:
        splits = make_folds(cases, spec.folds, spec.seed) if spec.folds > 1 else ()
        # Of a single group no fold can be held out.
        splits = splits if len(splits) > 1 else ()
    seen = [fold.unlabelled for fold in splits] or [tuple(case.case_id for case in cases if case.label is None)]
    if spec.method != SUPERVISED and not all(seen):
        remedy = "add images without a label, or use the method supervised"
        raise BadInputError(f"learns from unlabelled images too, and there is none: {spec.method}", spec.name, remedy)
    return splits


@dataclass(frozen=True)
class _Run:
    """A training with everything that follows from its specification."""

    spec: TrainSpec
    preset: Preset
    cases: Sequence[TrainingCase]
    splits: Sequence[Fold]
    folders: Folders
    dataset: str
    origin: Origin | None
    report: Reporter

    @property
    def trainer(self) -> str:
        """The class that nnU-Net looks up by name."""
        return TRAINERS[self.spec.method]

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.folders.results / self.dataset / f"{self.trainer}__{PLANS}__{CONFIGURATION}"

    @property
    def preprocessed(self) -> Path:
        """nnU-Net's folder of this dataset under ``preprocessed``."""
        return self.folders.preprocessed / self.dataset

    @property
    def cores(self) -> int:
        """Processor cores to use."""
        return self.spec.threads or usable_cores()

    def fold(self, name: FoldName) -> Path:
        """The folder of a fold."""
        return self.model / f"fold_{name}"


# --- steps ------------------------------------------------------------------------------------------------------


def _begin_or_continue(run: _Run) -> None:
    """Checkpoints of the same name but other inputs are not continued."""
    stamp, identity = run.model / "liversegssl_run.json", _identity(run)
    if stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")).get("identity") == identity:
        return
    if stamp.is_file():
        run.report.warn("labels, images or options changed: the training starts anew", "train")
    if run.model.is_dir():
        shutil.rmtree(run.model)
    write_json(stamp, {"identity": identity})


def _tell_curves(run: _Run, names: Sequence[FoldName]) -> None:
    """How far a training that goes on had come: who draws its curves has them from the first epoch on."""
    for name in names:
        for point in _curve(run.fold(name)):
            run.report.metric(f"train fold {name}", **point)


def _prepare(run: _Run) -> str:
    """Export, plan, preprocess; returns the device."""
    raw = run.folders.raw / run.dataset
    export_dataset(run.cases, raw)
    write_json(run.preprocessed / "splits_final.json", [asdict(fold) for fold in run.splits])
    specification = {
        "cases": [{**asdict(case), **_as_text(case)} for case in run.cases],
        "raw": str(raw),
        "preprocessed": str(run.preprocessed),
        "preset": run.preset.model_dump(mode="json"),
        "workers": run.cores,
        "device": run.spec.device,
        "init": [] if run.origin is None else [str(path) for path in run.origin.checkpoints],
    }
    path, log = run.model / "prepare.json", run.model / "prepare.log"
    write_json(path, specification)
    # nnU-Net's planner computes with as many threads as there are augmenters: none would be too few.
    variables = environment(run.folders, threads=1, augmentation_workers=1)
    child = Child("LiverSegSSLLib.learn.prepare", path, log, variables, run.report.send)
    try:
        _require_success(child, "the data could not be prepared")
    finally:
        child.stop()
    assert child.result is not None
    return str(child.result["device"])


def _as_text(case: TrainingCase) -> dict[str, str | None]:
    return {
        "image": str(case.image),
        "label": None if case.label is None else str(case.label),
        "probability": None if case.probability is None else str(case.probability),
    }


def _train_folds(run: _Run, todo: Sequence[FoldName], device: str) -> None:
    at_once = run.spec.parallel_folds or (run.cores if device == "cpu" else 1)
    at_once = max(1, min(at_once, len(todo)))
    threads = max(1, run.cores // at_once) if device == "cpu" else 1
    waiting, running = list(todo), dict[FoldName, Child]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                running[name] = _start_fold(run, name, device, threads)
            while all(child.running for child in running.values()):
                time.sleep(_POLL_S)
            for name in [name for name, child in running.items() if not child.running]:
                _require_success(running.pop(name), f"the training of fold {name} failed")
    finally:
        for child in running.values():
            child.stop()


def _start_fold(run: _Run, name: FoldName, device: str, threads: int) -> Child:
    folder, stage = run.fold(name), f"train fold {name}"
    specification = {
        "stage": stage,
        "fold": name,
        "trainer": run.trainer,
        "device": device,
        "threads": threads,
        "preprocessed": str(run.preprocessed),
        "init": _beginning(run, name),
    }
    write_json(folder / "fold.json", specification)
    run.report.send(Event("state", stage, "", {"state": "running"}))
    variables = environment(run.folders, threads, run.preset.training.augmentation_workers)
    return Child("LiverSegSSLLib.learn.fold", folder / "fold.json", folder / "log.txt", variables, run.report.send)


def _beginning(run: _Run, name: FoldName) -> dict[str, Any] | None:
    """What a fold's child begins with; ``None``: random weights."""
    start = _start(run, name)
    if run.origin is None:
        return None
    if start is None:
        what = f"{run.origin.label} knows cases that are held out now: begins from scratch"
        run.report.warn(what, f"train fold {name}")
        return None
    return {
        "checkpoint": str(start.checkpoint),
        "keep_heads": start.keep_heads,
        "label": run.origin.label,
        "sha256": sha256_of(start.checkpoint),
    }


def _start(run: _Run, name: FoldName) -> Start | None:
    """The weights that a fold may begin with: they know none of the cases it holds out."""
    if run.origin is None:
        return None
    held_out = run.splits[name].val if isinstance(name, int) else ()
    return run.origin.start(
        name, {case.case_id: image_key(case.image) for case in run.cases if case.case_id in held_out}
    )


def _seen(run: _Run, name: FoldName) -> frozenset[str]:
    """The images whose labels a fold's weights know, from this training and from what it began with."""
    start = _start(run, name)
    own = images_seen(run.cases, run.splits, name)
    return own if start is None else own | start.seen


def _require_success(child: Child, what: str) -> None:
    code = child.wait()
    if code == 0 and child.result is not None:
        return
    if child.error is not None and "kind" in child.error.data:
        kind = getattr(errors, child.error.data["kind"], TrainingError)
        if issubclass(kind, LiverSegError):
            data = child.error.data
            raise kind(data["what"], data["where"], data["remedy"])
    raise TrainingError(f"{what}: {child.complaint()}", child.log, "the log says more")


# --- identity and description of a training -----------------------------------------------------------------------


def _identity(run: _Run) -> str:
    # (with_init has done its work; options of other methods change nothing here.)
    others = {name for name in METHOD_OPTIONS if name != run.spec.method.replace("-", "_")}
    unused: dict[str, Any] = {"with_init": True, "training": others}
    parts: list[Any] = [
        run.preset.model_dump(mode="json", exclude=unused),
        [[case.case_id, image_key(case.image), *label_key(case), case.role] for case in run.cases],
        [asdict(fold) for fold in run.splits],
        None if run.origin is None else [sha256_of(path) for path in run.origin.checkpoints],
    ]
    if run.preset.plan_from is not None:
        parts.append(moved_plans(Path(run.preset.plan_from), run.dataset))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _curve(fold: Path) -> list[dict[str, float]]:
    path = fold / "curve.json"
    curve: list[dict[str, float]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return curve
