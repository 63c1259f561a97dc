"""The built-in study as a cohort to run the loop on."""

from __future__ import annotations

from pathlib import Path

from LiverSegSSLLib.cohort.phantom.spec import preset
from LiverSegSSLLib.cohort.phantom.study import write_phantom_cohort
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.jobs.executors import open_executor


def write_demo_data(data: Path, where: str, workers: int, report: Reporter) -> Path:
    """Write the built-in cohort into ``data`` unless it is there; returns the folder of its truth, beside it."""
    truth = data.parent / "truth"
    with open_executor(where, workers) as executor:
        write_phantom_cohort(data, truth, preset("demo"), executor, report)
    return truth
