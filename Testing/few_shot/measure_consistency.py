"""How well what comes back tells good labels from bad ones; the figures of docs/few_shot.md on the score's limit.

    python -m Testing.few_shot.measure_consistency Testing/few_shot/small_phantom_sam2.pt --rows rows.json

Labels of one support in one image space (``alone``), and as the proposer makes them, of each support and of all of them
(``fused``; ``fused by share``: each weighed by what came back over its ceiling). For each its true Dice, what came
back, and the ceiling: what the supports return to themselves. Phantom only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.components import largest_component
from LiverSegSSLLib.overlap import dice
from LiverSegSSLLib.propose.few_shot.consistency import weight_of
from LiverSegSSLLib.propose.few_shot.few_shot import JUDGE, FewShot
from LiverSegSSLLib.propose.few_shot.labelled import Labelled, read_supports, returned
from LiverSegSSLLib.propose.few_shot.spaces import SPACES, case_in, histogram_of, mean_histogram
from LiverSegSSLLib.propose.few_shot.trackers import Tracker
from LiverSegSSLLib.score.consistency import ConsistencyScore
from Testing.few_shot.measure import SUPPORTS, patient

GOOD = 0.6
"""Dice from which a label is worth training on."""

LIMIT = ConsistencyScore().least_share

ALIKE = (Phase.GED4, Phase.T1)
"""Phases that the proposer segments in the plain space alone; elsewhere all spaces compete and Sobel space judges."""

CASES = tuple(range(3100, 3106))


@dataclass(frozen=True)
class Row:
    """One label. ``came_back`` and ``ceiling``: in the space ``judge``, weighted means where labels were fused."""

    kind: str
    phase: str
    case: int
    supports: str
    space: str
    judge: str
    dice: float
    came_back: float
    ceiling: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure (or read what was measured before), and print how well the scores separate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--phases", default="GED4,T1,T2,DWI")
    parser.add_argument("--supports", type=int, default=2)
    parser.add_argument("--cases", type=int, default=len(CASES))
    parser.add_argument("--rows", type=Path, required=True, help="where measured rows are kept; read if it is there")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if chosen.rows.is_file():
        rows = [Row(**row) for row in json.loads(chosen.rows.read_text())]
    else:
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            for phase in map(Phase, chosen.phases.split(",")):
                began = time.monotonic()
                rows += _measure(
                    Path(folder), phase, SUPPORTS[: chosen.supports], CASES[: chosen.cases], chosen.weights
                )
                _say(f"{phase}: {time.monotonic() - began:.0f} s")
        chosen.rows.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    for kind in ("alone", "fused", "fused by share"):
        _print(kind, [row for row in rows if row.kind == kind])


def _measure(folder: Path, phase: Phase, supports: Sequence[int], cases: Sequence[int], weights: str) -> list[Row]:
    tracker = FewShot(weights=weights, device="cpu").tracker()
    _, labelled, _ = read_supports([patient(folder, seed, Phase.GED4) for seed in supports])
    ceilings = {
        (number, judge): _ceiling(tracker, one.in_space(judge))
        for number, one in enumerate(labelled)
        for judge in ("plain", JUDGE)
    }
    rows = []
    for seed in cases:
        _, (case,), _ = read_supports([patient(folder, seed, phase)])
        histogram = mean_histogram([histogram_of(one.frames.grey) for one in labelled])
        members = []
        for space in SPACES if phase not in ALIKE else SPACES[:3]:
            seen = [one.in_space(space) for one in labelled]
            places = [[len(case.frames) // 3]] * len(labelled)
            found = tracker.probabilities(case_in(space, case.frames, histogram), seen, places)
            for number, probability in enumerate(found):
                for judge in ("plain", JUDGE):
                    if judge == "plain" and space not in ("plain", "sobel"):
                        continue
                    back = case_in(judge, case.frames, histogram)
                    came = returned(tracker, labelled[number].in_space(judge), back, probability)
                    overlap = _dice(probability, case)
                    ceiling = ceilings[number, judge]
                    row = Row("alone", phase, seed, str(number), space, judge, overlap, came, ceiling)
                    rows.append(row)
                    members.append((row, probability))
        rows += _fused(members, case, len(labelled), phase, seed)
    return rows


def _fused(members: list[tuple[Row, np.ndarray]], case: Labelled, supports: int, phase: Phase, seed: int) -> list[Row]:
    """As the proposer would: of each support alone and of all together."""
    judge, spaces = ("plain", ("plain",)) if phase in ALIKE else (JUDGE, SPACES)
    there = [(row, one) for row, one in members if row.judge == judge and row.space in spaces]
    rows = []
    for name in [*map(str, range(supports)), "all"]:
        chosen = [(row, one) for row, one in there if name in ("all", row.supports)]
        for kind in ("fused", "fused by share") if name == "all" else ("fused",):
            most = [row.ceiling if kind == "fused by share" else 1.0 for row, _ in chosen]
            weights = [weight_of(row.came_back / ceiling) for (row, _), ceiling in zip(chosen, most, strict=True)]
            mean = np.average([one for _, one in chosen], axis=0, weights=weights)
            came, ceiling = (
                float(np.average([getattr(row, what) for row, _ in chosen], weights=weights))
                for what in ("came_back", "ceiling")
            )
            rows.append(Row(kind, phase, seed, name, "auto", judge, _dice(mean, case), came, ceiling))
    return rows


def _ceiling(tracker: Tracker, support: Labelled) -> float:
    return returned(tracker, support, support.frames, support.mask.astype(np.float32))


def _dice(probability: np.ndarray, case: Labelled) -> float:
    return dice(largest_component(probability >= 0.5), case.mask)


def _print(kind: str, rows: Sequence[Row]) -> None:
    _say(f"\n{kind}: {len(rows)} labels, {sum(row.dice >= GOOD for row in rows)} of Dice {GOOD} or more")
    for phase in dict.fromkeys(row.phase for row in rows):
        for judge in ("plain", JUDGE):
            some = [row for row in rows if (row.phase, row.judge) == (phase, judge)]
            if some:
                true, came, ceiling = (
                    np.array([getattr(row, what) for row in some]) for what in ("dice", "came_back", "ceiling")
                )
                likeness = np.corrcoef(true, came)[0, 1]
                _say(
                    f"  {phase:5s} judged in {judge:6s} Dice {true.mean():.3f}  came back {came.mean():.3f}  "
                    f"ceiling {ceiling.mean():.3f}  correlation {likeness:+.2f}"
                )
    good = np.array([row.dice >= GOOD for row in rows])
    for name, score in {
        "what came back": lambda row: row.came_back,
        "over the ceiling": lambda row: row.came_back / max(row.ceiling, 0.05),
    }.items():
        values = np.array([score(row) for row in rows])
        _say(f"  {name:17s} {_separation(values, good)}")
        for judge in ("plain", JUDGE):
            mine = np.array([row.judge == judge for row in rows])
            if good[mine].any() and not good[mine].all():
                _say(f"    {judge:6s} alone    {_separation(values[mine], good[mine])}")


def _separation(values: np.ndarray, good: np.ndarray) -> str:
    """Chance that a good label stands above a bad one; the limit with the best mean of both rates of being right."""
    above = values[good][:, None] - values[~good][None]
    chance = ((above > 0) + 0.5 * (above == 0)).mean()
    limits = np.unique(values)
    right = [((values[good] >= limit).mean() + (values[~good] < limit).mean()) / 2 for limit in limits]
    best = limits[np.flatnonzero(np.array(right) == max(right))]
    kept, rejected = (values[good] >= LIMIT).mean(), (values[~good] < LIMIT).mean()
    return (
        f"AUC {chance:.3f}, right at best {max(right):.3f} with a limit of {best[0]:.2f} … {best[-1]:.2f}; "
        f"with {LIMIT} keeps {kept:.2f} of the good, rejects {rejected:.2f} of the others"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
