"""Who has a run: a second command says so and changes nothing; a dead one has it no more; others go on beside it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from LiverSegSSLLib.labels.store import LabelStore
from Testing.integration.loop_cohort import RECIPE, write_small_cohort
from Testing.together.people import ROOT
from Testing.together.soundness import require_sound

WAIT_SECONDS = 300.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four studies."""
    return write_small_cohort(tmp_path_factory.mktemp("cohort"))[0]


def recipe(folder: Path, name: str, verb: str) -> Path:
    """A recipe of this name; nothing slow in it unless it is to be run as a whole."""
    path = folder / f"{name}.yaml"
    whole = RECIPE if verb == "run" else re.sub(r"  - .*(atlas|labelled).*\n", "", RECIPE)
    path.write_text(whole.replace("name: small", f"name: {name}"), encoding="utf-8")
    return path


def command(verb: str, data: Path, workspace: Path, name: str = "small") -> subprocess.Popen[str]:
    """Start a verb of the command line."""
    words = [verb, str(data), "--workspace", str(workspace), "--recipe", str(recipe(data.parent, name, verb))]
    return subprocess.Popen(
        [sys.executable, "-m", "LiverSegSSLLib.cli.main", *words, "--workers", "1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def holder(workspace: Path, name: str = "small") -> int:
    """The process that has a run, as soon as one has."""
    who = workspace / "runs" / name / "run.who"
    deadline = time.monotonic() + WAIT_SECONDS
    while not who.is_file():
        assert time.monotonic() < deadline, "nobody has taken the run"
        time.sleep(0.02)
    found = re.match(r"process (\d+), since ", who.read_text(encoding="utf-8"))
    assert found
    return int(found[1])


@pytest.fixture
def running(data: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """A run that stands still: the command, the process that has it, the workspace."""
    workspace = tmp_path / "work"
    first = command("propose", data, workspace)
    pid = holder(workspace)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield first, pid, workspace
    finally:
        for process in (pid, first.pid):
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        first.communicate()


def contents(workspace: Path) -> dict[str, bytes]:
    """All files but the log of each command."""
    files = (path for path in workspace.rglob("*") if path.is_file() and "jobs" not in path.parts)
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
def test_a_second_command_says_who_has_the_run_and_a_dead_process_has_it_no_more(
    data: Path, running: tuple[subprocess.Popen[str], int, Path]
) -> None:
    first, pid, workspace = running
    before = contents(workspace)
    second = command("propose", data, workspace)
    said, _ = second.communicate()
    assert second.returncode == 1
    line = rf"this run is under way \(process {pid}, since \d{{4}}-\d\d-\d\d .*, on {re.escape(socket.gethostname())}\)"
    assert re.search(line + " – wait for it, or stop it", " ".join(said.split())), said
    assert "Traceback" not in said, said
    assert contents(workspace) == before

    os.kill(pid, signal.SIGKILL)
    first.wait()
    third = command("propose", data, workspace)
    said, _ = third.communicate()
    assert third.returncode == 0, said
    assert f"process {pid}, since" in said and "ended without a word; its run goes on" in " ".join(said.split())
    assert not (workspace / "runs" / "small" / "run.who").exists()
    with LabelStore.open(workspace) as store:
        require_sound(store)


@pytest.mark.slow
def test_two_recipes_run_beside_each_other(data: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "work"
    both = [command("propose", data, workspace, name) for name in ("one", "two")]
    for process in both:
        said, _ = process.communicate()
        assert process.returncode == 0, said
    with LabelStore.open(workspace) as store:
        require_sound(store)
        of_case = [label.round for label in store.labels() if label.source == "transfer"]
        assert len(of_case) % 2 == 0 and of_case, "each recipe has labels of its own"
        assert len([label for label in store.labels() if label.source == "expert"]) == 2, "those are shared"


@pytest.mark.slow
def test_two_whole_runs_go_on_beside_each_other(data: Path, tmp_path: Path, url: str | None) -> None:
    """Proposals, scores, training, prediction and measurement of two recipes at once."""
    workspace = tmp_path / "work"
    with pytest.MonkeyPatch.context() as environment:
        if url is not None:
            environment.setenv("LIVERSEGSSL_LEDGER", url)
        both = [command("run", data, workspace, name) for name in ("one", "two")]
        for process in both:
            said, _ = process.communicate()
            assert process.returncode == 0, said
        with LabelStore.open(workspace) as store:
            require_sound(store)
    manifests = [(workspace / "runs" / name / "manifest.json").is_file() for name in ("one", "two")]
    assert all(manifests)
