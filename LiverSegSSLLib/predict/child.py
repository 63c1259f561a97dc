"""Child process: predict cases with one model. ``python -m LiverSegSSLLib.predict.child SPEC PARENT``."""

from __future__ import annotations

import sys
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.engine import child_failed, child_reporter, child_specification
from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.volume import read_volume, write_volume


def main() -> int:
    """Entry point; the specification is what :func:`LiverSegSSLLib.predict.predict.predict` writes."""
    specification = child_specification()
    report = child_reporter()
    try:
        report.send(Event("result", "predict", "", {"cases": predict_cases(specification, report)}))
    except Exception as error:  # everything must reach the parent as one line
        return child_failed(report, "predict", error)
    return 0


def predict_cases(specification: dict[str, Any], report: Reporter) -> list[dict[str, Any]]:
    """Predict and write each case; a case that cannot be read is reported and left out."""
    import torch

    from LiverSegSSLLib.predict.predictor import Ensemble
    from LiverSegSSLLib.predict.settings import PredictionSettings

    device = specification["device"]
    torch.set_num_threads(int(specification["threads"]) if device == "cpu" else 1)
    settings = PredictionSettings(**specification["settings"])
    total, results = len(specification["cases"]), list[dict[str, Any]]()
    for folds, cases in groupby(specification["cases"], key=lambda case: case["folds"]):
        ensemble = Ensemble(Path(specification["model"]), folds, device, settings)
        for case in cases:
            results.append(_one(ensemble, case, report))
            report.progress(specification["stage"], len(results), total, case["case_id"])
    return results


def _one(ensemble: Any, case: dict[str, Any], report: Reporter) -> dict[str, Any]:
    start = time.monotonic()
    outcome: dict[str, Any] = {"case_id": case["case_id"], "failure": "", "empty": False}
    try:
        prediction = ensemble.predict(read_volume(Path(case["image"])))
        if case["probability"]:
            write_volume(prediction.probability, Path(case["probability"]), np.float32)
        if case["mask"]:  # last: it says that the case is done
            write_volume(prediction.mask, Path(case["mask"]), case["dtype"] or np.uint8)
        outcome["empty"] = not prediction.mask.array.any()
    except LiverSegError as error:
        outcome["failure"] = str(error)
        report.warn(f"{case['case_id']} is not predicted: {error}", "predict")
    outcome["seconds"] = time.monotonic() - start
    outcome["folds"] = list(ensemble.folds)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
