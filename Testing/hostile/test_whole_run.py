"""A whole small run, watched in all its processes: what is unpickled, which programs are started, who listens.

Python tells of each class that a pickle asks for (``sys.addaudithook``); the system tells of every socket.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from Testing.integration.loop_cohort import write_small_cohort

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

WATCHED = Path(__file__).parent / "watched"

RECIPE = """
name: small
phases: [GED4, T2]
rounds: 1
propose: [{method: transfer}]
learn:
  preset: cpu
  folds: 2
  options: {epochs: 1, iterations_per_epoch: 2, val_iterations: 1, augmentation_workers: 1}
"""

TRUSTED_READERS = ("/multiprocessing/", "/concurrent/futures/")
"""Of Python itself: they read what another process of the same run has written into a pipe."""


@dataclass(frozen=True)
class Seen:
    """``events``: (kind, the file that asked, its arguments); ``sockets``: of the internet; ``unix``: by their path."""

    events: list[tuple[str, str, str]]
    sockets: list[str]
    unix: Counter[str]
    said: list[str]

    def of(self, *kinds: str) -> list[tuple[str, str, str]]:
        return [event for event in self.events if event[0] in kinds]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("watched")
    data, truth, recipe = write_small_cohort(folder)
    recipe.write_text(RECIPE, encoding="utf-8")
    log = folder / "log"
    environment = {**os.environ, "PYTHONPATH": str(WATCHED), "HOSTILE_LOG": str(log), "OMP_WAIT_POLICY": "PASSIVE"}
    sockets: list[str] = []
    unix: Counter[str] = Counter()
    said = []
    for arguments in (
        ["run", data, "--recipe", recipe, "--truth", truth, "--device", "cpu", "--workers", "2"],
        ["report", data, "--recipe", recipe],
        ["review", data],
        ["doctor", data],
    ):
        command = [sys.executable, "-P", "-m", "LiverSegSSLLib.cli.main", *map(str, arguments)]
        with (folder / "said").open("w+b") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)
            poller = threading.Thread(target=look, args=(process, sockets, unix))
            poller.start()
            code = process.wait()
            poller.join()
            output.seek(0)
            said.append(output.read().decode("utf-8", "replace"))
        assert code == 0, said[-1]
    lines = (line.split("\t", 2) for line in log.read_text(encoding="utf-8", errors="replace").splitlines())
    return Seen([(line[0], line[1], line[2]) for line in lines if len(line) == 3], sockets, unix, said)


def look(process: subprocess.Popen[bytes], sockets: list[str], unix: Counter[str]) -> None:
    """Note every socket of a process and its descendants, ten times a second."""
    root = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for member in family:
            try:
                sockets += [str(one) for one in member.net_connections(kind="inet")]
                unix.update(str(one.laddr) for one in member.net_connections(kind="unix") if one.laddr)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        time.sleep(0.1)


def test_only_python_itself_unpickles_and_only_from_its_own_pipes(seen: Seen) -> None:
    asked = seen.of("pickle.find_class")
    assert asked  # the watch is set: work goes from process to process
    others = {(file, what) for _, file, what in asked if not any(part in file for part in TRUSTED_READERS)}
    assert not others


def test_nobody_listens_and_nothing_is_sent(seen: Seen) -> None:
    assert seen.sockets == []
    assert seen.of("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto") == []
    # Tensors go from process to process by Unix sockets that multiprocessing makes in a folder of its own.
    unix = f"family={socket.AF_UNIX.value},"
    assert not [event for event in seen.of("socket.bind", "socket.connect") if unix not in event[2]]
    assert all("/pymp-" in path for path in seen.unix if path.startswith("/")), seen.unix


def test_no_shell_is_started(seen: Seen) -> None:
    started = seen.of("subprocess.Popen", "os.exec", "os.posix_spawn")
    assert started
    assert not [event for event in started if "/sh'" in event[2] or "/bash'" in event[2]]


def test_text_is_given_to_no_shell(seen: Seen) -> None:
    assert seen.of("os.system") == []
