"""A verb that runs in a child process until it is told to go on."""

import sys
import time
from pathlib import Path
from typing import Any

from LiverSegSSLLib.events import Reporter

LIMIT_S = 120.0


def slow_count(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Count, after the file ``go`` has appeared in the working folder of the job."""
    sign = Path(parameters["folder"]) / "go"
    limit = time.monotonic() + LIMIT_S
    while not sign.exists() and time.monotonic() < limit:
        time.sleep(0.05)
    print("printed with nobody listening", file=sys.stderr)
    for number in range(parameters["to"]):
        report.progress("counting", number + 1, parameters["to"])
    return {"sum": sum(range(parameters["to"]))}


export = slow_count
"""The same under the name of a verb that ends with Slicer."""
