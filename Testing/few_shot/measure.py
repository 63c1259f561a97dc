"""The figures of docs/few_shot.md: phantom patients that the small network was not trained on.

    python -m Testing.few_shot.measure Testing/few_shot/small_phantom_sam2.pt

Dice of each image space alone, what came back, and the mean for several exponents of the weights. Phantom only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from LiverSegSSLLib.cohort.phantom import acquire, draw_anatomy, protocol
from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.propose.few_shot.consistency import dice, weight_of
from LiverSegSSLLib.propose.few_shot.few_shot import JUDGE, FewShot
from LiverSegSSLLib.propose.few_shot.labelled import read_supports, returned
from LiverSegSSLLib.propose.few_shot.spaces import SPACES, case_in, histogram_of, mean_histogram
from LiverSegSSLLib.types import Support
from LiverSegSSLLib.volume import write_volume

SUPPORTS = (3000, 3001, 3002)
CASES = (3100, 3101, 3102, 3103)
VENDORS = ("A", "B1", "B2")
POWERS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
SCALE = 3.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each phase."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--phases", default="GED4,T1,T2,DWI")
    parser.add_argument("--supports", type=int, default=1)
    parser.add_argument("--cases", type=int, default=len(CASES))
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        supports = [patient(Path(folder), seed, Phase.GED4) for seed in SUPPORTS[: chosen.supports]]
        for phase in map(Phase, chosen.phases.split(",")):
            _phase(Path(folder), phase, supports, CASES[: chosen.cases], chosen.weights)


def _phase(folder: Path, phase: Phase, supports: Sequence[Support], cases: Sequence[int], weights: str) -> None:
    alone, came_back = np.zeros((2, len(cases), len(SPACES)))
    fused = np.zeros((len(cases), len(POWERS)))
    tracker = FewShot(weights=weights, device="cpu").tracker()
    _, labelled, _ = read_supports(supports)
    histogram = mean_histogram([histogram_of(one.frames.grey) for one in labelled])
    began = time.monotonic()
    for row, seed in enumerate(cases):
        target = patient(folder, seed, phase)
        _, (case,), _ = read_supports([target])
        places = [[len(case.frames) // 3]] * len(labelled)
        judge = case_in(JUDGE, case.frames, histogram)
        found, returns = [], []
        for column, space in enumerate(SPACES):
            seen = [one.in_space(space) for one in labelled]
            members = list(tracker.probabilities(case_in(space, case.frames, histogram), seen, places))
            returns.append(
                [
                    returned(tracker, one.in_space(JUDGE), judge, member)
                    for one, member in zip(labelled, members, strict=True)
                ]
            )
            found.append(members)
            alone[row, column] = dice(np.mean(members, axis=0) >= 0.5, case.mask)
            came_back[row, column] = np.mean(returns[-1])
        stack, scores = np.concatenate(found), np.concatenate(returns)
        for column, power in enumerate(POWERS):
            mean = np.average(stack, axis=0, weights=[weight_of(score, power) for score in scores])
            fused[row, column] = dice(mean >= 0.5, case.mask)
    seconds = (time.monotonic() - began) / len(cases)
    lines = [f"{phase}: {len(supports)} support(s), {len(cases)} cases, {seconds:.1f} s a case, all spaces"]
    for name, column in zip(SPACES, range(len(SPACES)), strict=True):
        lines.append(f"  {name:17s} Dice {_row(alone[:, column])}   came back {_row(came_back[:, column])}")
    for power, column in zip(POWERS, range(len(POWERS)), strict=True):
        lines.append(f"  all, exponent {power:<4g} {_row(fused[:, column])}")
    best = np.take_along_axis(alone, came_back.argmax(1)[:, None], 1)[:, 0]
    lines.append(f"  the one that came back best {_row(best)}")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _row(values: np.ndarray) -> str:
    return f"{values.mean():.3f} ({', '.join(f'{value:.2f}' for value in values)})"


def patient(folder: Path, seed: int, phase: Phase) -> Support:
    """One phase of a phantom patient as files, with its true mask."""
    vendor = VENDORS[seed % len(VENDORS)]
    taken = acquire(draw_anatomy(seed), phase, protocol(vendor), SCALE, seed=seed)
    image, mask = folder / f"{seed}-{phase}.nii.gz", folder / f"{seed}-{phase}-mask.nii.gz"
    write_volume(taken.image, image)
    write_volume(taken.liver, mask)
    return Support(Case(f"p{seed}", phase, image, vendor), mask, f"p{seed}")


if __name__ == "__main__":
    main()
