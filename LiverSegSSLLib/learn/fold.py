"""Child process: train one fold. ``python -m LiverSegSSLLib.learn.fold SPEC PARENT``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.engine import child_failed, child_reporter, child_specification, trainer_class
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.learn.card import BEGINNING
from LiverSegSSLLib.learn.plans import CONFIGURATION, PLANS
from LiverSegSSLLib.plan_names import require_known_names

FINAL = "checkpoint_final.pth"
"""A fold that has it is trained."""

_LATEST = "checkpoint_latest.pth"


def main() -> int:
    """Entry point."""
    specification = child_specification()
    report = child_reporter()
    stage = str(specification["stage"])
    try:
        report.send(Event("result", stage, "", train_fold(specification, report)))
    except Exception as error:  # everything must reach the parent as one line
        return child_failed(report, stage, error)
    return 0


def train_fold(specification: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Train, or continue from the last checkpoint; events: one metric and one progress an epoch.

    :raises TrainingError: the loss is not a number.
    :raises WeightsError: the weights to begin with do not fit.
    """
    import torch

    stage, device = str(specification["stage"]), torch.device(specification["device"])
    if device.type == "cpu":
        torch.set_num_threads(int(specification["threads"]))
    else:
        torch.set_num_threads(1)
        torch.backends.cudnn.benchmark = True
    # Products of tiny numbers are slow on many processors and change nothing.
    torch.set_flush_denormal(True)
    folder = Path(specification["preprocessed"])
    plans = json.loads((folder / f"{PLANS}.json").read_text(encoding="utf-8"))
    require_known_names(plans, folder / f"{PLANS}.json")
    dataset_json = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    trainer = trainer_class(specification["trainer"])(
        plans={**plans, "continue_training": True},
        configuration=CONFIGURATION,
        fold=specification["fold"],
        dataset_json=dataset_json,
        device=device,
    )
    trainer.warn = lambda message: report.warn(message, stage)
    _begin(trainer, specification.get("init"), report, stage)

    def listen(numbers: dict[str, float]) -> None:
        left = int(numbers["epochs"]) - int(numbers["epoch"])
        report.metric(stage, **numbers, seconds_left=left * numbers["seconds"])
        report.progress(stage, int(numbers["epoch"]), int(numbers["epochs"]))

    trainer.listener = listen
    trainer.run_training()
    return {"curve": trainer.curve()}


def _begin(trainer: Any, init: dict[str, Any] | None, report: Reporter, stage: str) -> None:
    folder = Path(trainer.output_folder)
    if (folder / _LATEST).is_file():
        trainer.load_checkpoint(str(folder / _LATEST))
        report.info(f"continues after epoch {trainer.current_epoch}", stage)
        return
    trainer.initialize()
    if init is None:
        return
    note = trainer.begin_with(Path(init["checkpoint"]), init["keep_heads"])
    write_json(folder / BEGINNING, {"from": init["label"], "sha256": init["sha256"], "note": note})
    report.info(f"begins with the weights of {init['label']} ({note})", stage)


if __name__ == "__main__":
    sys.exit(main())
