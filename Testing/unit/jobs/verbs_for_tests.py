"""Verbs that the job tests run in a child process."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.events import Reporter


def count(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    print("a library that prints")
    for number in range(parameters["to"]):
        report.progress("counting", number + 1, parameters["to"], f"Größe {number}")
    return {"sum": sum(range(parameters["to"]))}


def bad_input(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    raise ImageError("cannot be read", "liver.nii.gz", "export it again")


def defect(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    raise ZeroDivisionError("oops")


def family(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Starts a grandchild, says both process ids, and sleeps."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    report.metric("pids", child=os.getpid(), grandchild=child.pid)
    time.sleep(120)
    return {}


def sudden_death(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    os._exit(9)


def square(number: int) -> int:
    return number * number


def sleep_in_worker(marker: str) -> None:
    Path(marker).write_text(str(os.getpid()))
    time.sleep(120)


def pool(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    from LiverSegSSLLib.jobs.executors import open_executor

    with open_executor("local", 1) as executor:
        executor.submit(sleep_in_worker, parameters["marker"]).result()
    return {}
