"""How long a person who reviews waits for the ledger while a round runs, in a workspace of realistic size.

``python -m Testing.together --seconds 60``: two reviewers and one round, on a file and, where it is installed, on
PostgreSQL. Prints tables for docs/reliability.md. The clock also sees what else the computer does: its load is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from LiverSegSSLLib.labels.ledger import LEDGER
from LiverSegSSLLib.labels.rebuild import rebuild
from LiverSegSSLLib.labels.store import LabelStore
from Testing.together.people import Acknowledged, Settings, ended, start
from Testing.together.server import missing, running
from Testing.together.soundness import require_sound
from Testing.together.waits import timed
from Testing.together.workspace import fill, judged

THINK_S = 0.5


def main(seconds: float, studies: int, folder: Path) -> None:
    """Measure both, print both."""
    workspace = folder / "work"
    began = time.monotonic()
    with LabelStore.open(workspace) as store:
        count = len(store.labels() or fill(store, studies))
    say(f"{count} labels, made in {time.monotonic() - began:.0f} s")
    say(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    second = folder / "on-postgresql"
    if second.exists():
        shutil.rmtree(second)
    shutil.copytree(workspace, second)
    measure("SQLite", workspace, None, seconds, studies)
    if reason := missing():
        say(f"PostgreSQL: left out, {reason}")
        return
    (second / LEDGER).unlink()
    with running() as server:
        url = server.database()
        rebuild(second, url)
        measure("PostgreSQL", second, url, seconds, studies)


def measure(name: str, workspace: Path, url: str | None, seconds: float, studies: int) -> None:
    """Everything on one database."""
    say(f"\n{name}")
    with timed() as turns, LabelStore.open(workspace, url) as store:
        labels = store.labels()
        steps: dict[str, Callable[[], object]] = {
            "open": lambda: LabelStore.open(workspace, url).close(),
            f"decisions on {len(labels)} labels": lambda: store.record(*(judged(each, time.time()) for each in labels)),
            "the same again": lambda: store.record(*store.decisions().values()),
            "sidecars compared": store.repair_sidecars,
        }
        say("| what | s | times held | longest held, s | of the processor, s |\n|---|---:|---:|---:|---:|")
        for what, step in steps.items():
            for times in (turns.held, turns.worked):
                times.clear()
            began = time.monotonic()
            step()
            took = time.monotonic() - began
            say(f"| {what} | {took:.2f} | {len(turns.held)} | {longest(turns.held)} | {longest(turns.worked)} |")
    roles = (("reviewer", "Ada"), ("reviewer", "Ben"), ("round", f"round-{time.time()}"))
    settings = [
        Settings(role, who, str(workspace), url, seed, studies, seconds=seconds, think_s=THINK_S)
        for seed, (role, who) in enumerate(roles)
    ]
    processes = [start(each) for each in settings]
    done = [ended(process) for process in processes]
    say("\n| who | turns | longest wait, s | 99 of 100 wait at most, s | longest held, s | of the processor, s |")
    say("|---|---:|---:|---:|---:|---:|")
    for (role, _), each in zip(roles, done, strict=True):
        say(f"| {role} | {row_of(each)} |")
    say(f"load {os.getloadavg()[0]:.1f}")
    with LabelStore.open(workspace, url) as store:
        require_sound(store)
    say("the workspace is sound")


def row_of(done: Acknowledged) -> str:
    """A line of the table."""
    waited = sorted(done.turns["waited"])
    most = waited[int(0.99 * len(waited))] if waited else 0.0
    cells = [
        str(len(waited)),
        longest(waited),
        f"{most:.3f}",
        longest(done.turns["held"]),
        longest(done.turns["worked"]),
    ]
    return " | ".join(cells)


def longest(seconds: Sequence[float]) -> str:
    """The longest of some times."""
    return f"{max(seconds, default=0.0):.3f}"


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--studies", type=int, default=600, help="of seven phases each")
    parser.add_argument("--folder", type=Path, help="kept, and used again; else a temporary one")
    given = parser.parse_args()
    if given.folder is not None:
        main(given.seconds, given.studies, given.folder)
    else:
        with tempfile.TemporaryDirectory(prefix="liversegssl-together-") as place:
            main(given.seconds, given.studies, Path(place))
