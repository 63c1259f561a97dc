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


_STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
_BREEDER = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(100):
    subprocess.Popen([sys.executable, "-S", "-c", "{_STUBBORN}"])
    time.sleep(0.2)
time.sleep(300)
"""
_LEAVING = """
import subprocess, sys
subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(300)"], start_new_session=True)
"""


def sprawl(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """All that makes a family hard to end: who does not listen, who leaves the session, orphans, one that goes on
    having children, workers; and shares memory, a temporary folder and a file half written meanwhile."""
    from multiprocessing.shared_memory import SharedMemory

    from LiverSegSSLLib.atomic import writing
    from LiverSegSSLLib.jobs.executors import open_executor
    from LiverSegSSLLib.jobs.scratch import scratch_folder

    folder = Path(parameters["folder"])
    subprocess.Popen([sys.executable, "-S", "-c", _STUBBORN])
    subprocess.Popen([sys.executable, "-S", "-c", _STUBBORN], start_new_session=True)
    subprocess.run([sys.executable, "-S", "-c", _LEAVING], check=True)
    subprocess.Popen([sys.executable, "-S", "-c", _BREEDER])
    shared = SharedMemory(create=True, size=1 << 16)
    with scratch_folder() as scratch, writing(folder / "result.txt") as half, open_executor("local", 2) as executor:
        half.write_text("half")
        waiting = [executor.submit(sleep_in_worker, str(folder / f"worker {number}")) for number in range(2)]
        while not all((folder / f"worker {number}").is_file() for number in range(2)):
            time.sleep(0.02)
        (folder / "ready.tmp").write_text(f"{os.getpid()}\n{shared.name}\n{scratch}\n{half}\n")
        (folder / "ready.tmp").rename(folder / "ready")
        for one in waiting:
            one.result()
    return {}
