"""Each kind of job, ended at random moments in every way that people and computers have: nothing is left of it, and the
same command goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from LiverSegSSLLib.atomic import UNFINISHED, is_abandoned
from LiverSegSSLLib.jobs.found import find_jobs
from LiverSegSSLLib.jobs.job import Job
from LiverSegSSLLib.jobs.runner import start
from LiverSegSSLLib.jobs.scratch import PREFIX, scratch_folder
from LiverSegSSLLib.processes import has_ended
from Testing.integration.loop_cohort import write_small_cohort
from Testing.unit.jobs.test_ending import Traces, traces

__all__ = ["traces"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RECIPE = """
name: small
phases: [GED4, T2]
rounds: 1
propose: [{method: transfer}]
propose_again: []
learn:
  preset: cpu
  folds: 2
  options: {epochs: 200, iterations_per_epoch: 3, val_iterations: 1, save_every: 1, augmentation_workers: 2}
"""

LONGEST_S = {"propose": 30.0, "train": 30.0, "predict": 12.0, "run": 30.0, "compare": 30.0}
"""Until the end of a job; it may have come before."""

MOMENTS = 1
"""Of each kind and way."""

SHORT = RECIPE.replace("epochs: 200", "epochs: 1")


class Cohort:
    """A cohort with a workspace in which a model was trained; each job gets a copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data, self.truth, _ = write_small_cohort(folder)
        (folder / "short.yaml").write_text(SHORT, encoding="utf-8")
        (folder / "long.yaml").write_text(RECIPE, encoding="utf-8")
        handle = start(Job("train", self.parameters(folder / "trained", "short")))
        assert handle.wait(1200) == 0, handle.tail

    def parameters(self, workspace: Path, recipe: str, **more: object) -> dict[str, object]:
        plain = {"data": str(self.data), "workspace": str(workspace), "device": "cpu", "workers": 2}
        return {**plain, "recipe": str(self.folder / f"{recipe}.yaml"), **more}

    def job(self, kind: str, workspace: Path) -> Job:
        if kind == "predict":
            shutil.copytree(self.folder / "trained", workspace)
        more: dict[str, object] = {}
        if kind == "compare":
            more = {"methods": "supervised", "labelled": "1", "seeds": 1, "test": 1, "changes": ["epochs=500"]}
        elif kind == "propose":
            more = {"method": "atlas", "targets": ["GED4"]}
        recipe = "short" if kind == "predict" else "long"
        folder = workspace / "jobs" / f"1-{kind}"
        return Job(kind, self.parameters(workspace, recipe, **more), folder, detached=True)  # as the panel starts them


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return Cohort(tmp_path_factory.mktemp("cancelling"))


def require_nothing(traces: Traces, workspace: Path) -> None:
    traces.require_gone()
    halves = list(workspace.rglob(f"{UNFINISHED}*"))
    assert all(is_abandoned(path) for path in halves), halves
    with scratch_folder() as mine:  # which removes those of processes that were killed
        names = [path.name.removeprefix(PREFIX) for path in mine.parent.glob(f"{PREFIX}*~*")]
    assert not any(map(has_ended, names))


def through_handle(job: Job, seconds: float, traces: Traces) -> None:
    handle = start(job)
    time.sleep(seconds)
    traces.note_shared()
    ended = not handle.running
    handle.cancel()
    assert ended or handle.state == "cancelled"


def through_folder(job: Job, seconds: float, traces: Traces) -> None:
    assert job.folder is not None
    handle = start(job)
    time.sleep(seconds)
    traces.note_shared()
    found = find_jobs(job.folder.parent)
    assert len(found) == 1 or seconds < 10 or handle.exit_code is not None, "it says that it is under way"
    for one in found:
        one.cancel()
    handle.cancel()


def as_a_process(job: Job, seconds: float, traces: Traces, end: Callable[[subprocess.Popen[bytes]], None]) -> None:
    """The command line's own way to run a job, in a session as a terminal makes it."""
    code = (
        "import sys; from pathlib import Path; from LiverSegSSLLib.cli.follow import run_job\n"
        f"sys.exit(run_job({job.verb!r}, {job.parameters!r}, Path({str(job.folder)!r}), True)[0])"
    )
    shell = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.DEVNULL)
    time.sleep(seconds)
    traces.note_shared()
    end(shell)
    shell.wait(30)


def by_ctrl_c(job: Job, seconds: float, traces: Traces) -> None:
    as_a_process(job, seconds, traces, lambda shell: os.killpg(shell.pid, signal.SIGINT))


def by_killing_the_parent(job: Job, seconds: float, traces: Traces) -> None:
    as_a_process(job, seconds, traces, lambda shell: shell.kill())


def by_killing_the_job(job: Job, seconds: float, traces: Traces) -> None:
    """As by a system that is out of memory."""
    handle = start(job)
    time.sleep(seconds)
    traces.note_shared()
    os.kill(handle.process.pid, signal.SIGKILL)
    handle.process.wait()


WAYS = {
    "handle": through_handle,
    "found": through_folder,
    "ctrl-c": by_ctrl_c,
    "parent-killed": by_killing_the_parent,
    "job-killed": by_killing_the_job,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["propose", "train", "predict", "run", "compare"])
def test_nothing_is_left_of_a_job_that_was_ended(
    cohort: Cohort, tmp_path: Path, traces: Traces, kind: str, way: str
) -> None:
    moments = random.Random(f"{kind} {way}")
    for number in range(MOMENTS):
        workspace = tmp_path / str(number)
        WAYS[way](cohort.job(kind, workspace), moments.uniform(2.0, LONGEST_S[kind]), traces)
        require_nothing(traces, workspace)
