"""Child process: fingerprint, plan and preprocess a dataset. ``python -m LiverSegSSLLib.learn.prepare SPEC PARENT``."""

from __future__ import annotations

import json
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.engine import child_failed, child_reporter, child_specification, resolved_device
from LiverSegSSLLib.errors import RecipeError, TrainingError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.options import Preset
from LiverSegSSLLib.learn.planned import moved_plans, with_geometry, with_network
from LiverSegSSLLib.learn.plans import CONFIGURATION, PLANS, plans_from_preset, with_options
from LiverSegSSLLib.learn.preprocess import (
    dataset_fingerprint,
    fingerprint_case,
    image_key,
    label_key,
    preprocess,
)
from LiverSegSSLLib.plan_names import require_known_names


def main() -> int:
    """Entry point; the specification is what :func:`LiverSegSSLLib.learn.train.train` writes."""
    specification = child_specification()
    report = child_reporter()
    try:
        report.send(Event("result", "prepare", "", prepare(specification, report)))
    except Exception as error:  # everything must reach the parent as one line
        return child_failed(report, "prepare", error)
    return 0


def prepare(specification: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Plan and preprocess; returns the device that training will use."""
    cases = [case_from(data) for data in specification["cases"]]
    raw, folder = Path(specification["raw"]), Path(specification["preprocessed"])
    preset = Preset.model_validate(specification["preset"])
    dataset_json = json.loads((raw / "dataset.json").read_text(encoding="utf-8"))
    workers = int(specification["workers"])
    # A worker takes as long to start as eight cases take to prepare.
    workers = min(workers, len(cases) // 8)
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None
    with pool or nullcontext():
        plans = _plans(cases, preset, folder, dataset_json, pool, report)
        for checkpoint in specification.get("init", ()):
            _require_fit(Path(checkpoint), plans, dataset_json)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "dataset.json", dataset_json)
        (folder / f"{PLANS}.json").write_text(json.dumps(plans, indent=2), encoding="utf-8")
        written = preprocess(cases, plans, dataset_json, folder, pool, report)
    report.info(f"{len(cases)} cases prepared, {len(cases) - written} of them before", "prepare")
    return {"device": resolved_device(specification["device"]), "written": written}


def case_from(data: dict[str, Any]) -> TrainingCase:
    """A training case from JSON."""
    paths = {name: Path(data[name]) for name in ("image", "label", "probability") if data[name] is not None}
    return TrainingCase(**{**data, **paths})


def _plans(
    cases: list[TrainingCase],
    preset: Preset,
    folder: Path,
    dataset_json: dict[str, Any],
    pool: Executor | None,
    report: Reporter,
) -> dict[str, Any]:
    """The plans; made anew when the cases, their labels or the preset's geometry changed."""
    key = {
        "cases": {case.case_id: [image_key(case.image), *label_key(case)] for case in cases},
        "planner": [preset.planner, preset.gpu_memory_gb, preset.configuration, *_other_than_planned(preset)],
    }
    store = folder / "planned.json"
    saved = _saved(store)
    if saved.get("key") == key:
        require_known_names(saved["plans"], store)
        return with_options(saved["plans"], preset)
    found = []
    for number, case in enumerate((pool.map if pool is not None else map)(fingerprint_case, cases), 1):
        found.append(case)
        report.progress("plan", number, len(cases))
    fingerprint = dataset_fingerprint(found)
    write_json(folder / "dataset_fingerprint.json", fingerprint)
    plans = _new_plans(preset, folder.name, fingerprint, len(cases))
    write_json(store, {"key": key, "plans": plans})
    return with_options(plans, preset)


def _saved(store: Path) -> dict[str, Any]:
    """What was planned before; empty: nothing that can be read."""
    try:
        saved = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return saved if isinstance(saved, dict) and isinstance(saved.get("plans"), dict) else {}


def _other_than_planned(preset: Preset) -> list[Any]:
    """What else the plans depend on; nothing for most presets."""
    if preset.network is None and preset.plan_from is None:
        return []
    network = None if preset.network is None else preset.network.model_dump(mode="json")
    return [network, None if preset.plan_from is None else moved_plans(Path(preset.plan_from), "")]


def _new_plans(preset: Preset, dataset: str, fingerprint: dict[str, Any], cases: int) -> dict[str, Any]:
    if preset.planner is None:
        if preset.plan_from is not None:
            raise RecipeError("has a geometry of its own and takes none over", preset.name, "leave out plan_from")
        plans = plans_from_preset(preset, dataset, fingerprint, cases)
        return plans if preset.network is None else with_network(plans, preset.network)
    if preset.plan_from is None:
        plans = _nnunet_plans(preset, dataset)
    elif "spacing" in preset.configuration:
        raise RecipeError("comes with plan_from", "configuration.spacing", "leave out one of the two")
    else:
        plans = moved_plans(Path(preset.plan_from), dataset)
    if preset.network is not None:
        plans = with_network(plans, preset.network)
    return with_geometry(plans, preset.configuration)


def _require_fit(checkpoint: Path, plans: dict[str, Any], dataset_json: dict[str, Any]) -> None:
    """Raise now, not after an hour of preprocessing, if the weights to begin with are those of another network."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    from LiverSegSSLLib.learn.networks.pretrained import fit, read_weights

    manager = PlansManager(plans)
    heads = manager.get_label_manager(dataset_json).num_segmentation_heads
    with torch.device("meta"):  # names and shapes alone
        network = nnUNetTrainer.build_network_architecture(
            manager, manager.get_configuration(CONFIGURATION), len(dataset_json["channel_names"]), heads
        )
    fit(network.state_dict(), read_weights(checkpoint, "meta"), False, checkpoint.name)


def _nnunet_plans(preset: Preset, dataset: str) -> dict[str, Any]:
    import nnunetv2
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class
    from nnunetv2.utilities.json_export import recursive_fix_for_json_export

    place = str(Path(nnunetv2.__path__[0]) / "experiment_planning")
    planner_class = recursive_find_python_class(place, preset.planner, "nnunetv2.experiment_planning")
    if planner_class is None:
        raise TrainingError("is not a planner of this nnU-Net", preset.planner, "correct the preset")
    wishes: dict[str, Any] = {}
    if preset.gpu_memory_gb is not None:
        wishes["gpu_memory_target_in_gb"] = preset.gpu_memory_gb
    if "spacing" in preset.configuration:
        wishes["overwrite_target_spacing"] = [float(value) for value in preset.configuration["spacing"]]
    planner = planner_class(dataset, plans_name=PLANS, **wishes)
    plans: dict[str, Any] = planner.plan_experiment()
    recursive_fix_for_json_export(plans)
    if CONFIGURATION not in plans["configurations"]:
        raise TrainingError("nnU-Net's planner made no 3-D configuration", dataset, "the images are single slices")
    plans["configurations"] = {CONFIGURATION: plans["configurations"][CONFIGURATION]}
    return plans


if __name__ == "__main__":
    sys.exit(main())
