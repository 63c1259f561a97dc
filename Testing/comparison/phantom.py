"""The table of docs/comparison.md: every method on the built-in phantom, GED4 alone.

    python -m Testing.comparison.phantom OUT

26 studies: 8 come with a mask, 10 of the others are tested, 8 more have images alone. Killed, the same command goes on.
Phantom only: it shows that the methods run and what they cost, not how well they do on patients.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from LiverSegSSLLib.cli.main import main as liversegssl
from LiverSegSSLLib.cohort.phantom import PhantomSpec, write_phantom_cohort
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.jobs.executors import open_executor
from LiverSegSSLLib.rounds.comparison_options import METHODS

COHORT = PhantomSpec(
    studies=26,
    labelled=8,
    vendors=("A", "B1", "B2"),
    unseen=0,
    seed=31,
    scale=2.4,
    phases=(Phase.GED4,),
    organ_maps=False,
)
TESTED = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the cohort unless it is there, and compare; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--labelled", default="2,4,8")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--epochs", type=int, default=15, help="of 20 iterations, with the cpu preset")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int, default=0, help="trainings at once; 0: one a core")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args(arguments)
    data, truth = chosen.out / "data", chosen.out / "truth"
    with open_executor(workers=chosen.workers) as executor:
        write_phantom_cohort(data, truth, COHORT, executor)
    command = ["compare", str(data), "--truth", str(truth), "--workspace", str(chosen.out / "workspace")]
    command += ["--methods", chosen.methods, "--labelled", chosen.labelled, "--seeds", str(chosen.seeds)]
    command += ["--test", str(TESTED), "--preset", chosen.preset, "--device", chosen.device]
    command += ["--workers", str(chosen.workers), "--set", f"epochs={chosen.epochs}"]
    for change in chosen.changes:
        command += ["--set", change]
    return liversegssl(command)


if __name__ == "__main__":
    sys.exit(main())
