"""The built-in study as a cohort to run the loop on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.phantom.spec import preset
from LiverSegSSLLib.cohort.phantom.study import write_phantom_cohort
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.jobs.executors import open_executor


def write_demo_data(data: Path, where: str, workers: int, report: Reporter, name: str = "demo") -> Path:
    """Write the built-in cohort into ``data`` unless it is there; returns the folder of its truth, beside it.

    :param name: of the phantom's preset.
    """
    truth = data.parent / "truth"
    with open_executor(where, workers) as executor:
        write_phantom_cohort(data, truth, preset(name), executor, report)
    return truth


def sample_cohort(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """As a job: the built-in cohort (``preset``) in the folder ``data``, its truth in ``truth`` beside it."""
    data = Path(parameters["data"])
    truth = write_demo_data(data, "local", parameters.get("workers", 0), report, parameters["preset"])
    return {"files": {"Data": str(data), "Truth": str(truth)}}
