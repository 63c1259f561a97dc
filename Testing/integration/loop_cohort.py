"""A small phantom cohort and a small recipe that the tests of the whole loop share."""

from __future__ import annotations

from pathlib import Path

from LiverSegSSLLib.cohort.phantom.spec import PhantomSpec
from LiverSegSSLLib.cohort.phantom.study import write_phantom_cohort
from LiverSegSSLLib.cohort.study import Phase

RECIPE = """
name: small
phases: [GED4, T2]
rounds: 2
stop_change: 0
propose:
  - {method: transfer}
  - {method: atlas, targets: [GED4], options: {affine: sobel, deformable: none, spacing_mm: 5}}
  - {method: transfer, supports: labelled}
learn:
  preset: cpu
  folds: 2
  options: {epochs: 2, iterations_per_epoch: 3, val_iterations: 1, save_every: 1}
"""


def write_small_cohort(folder: Path, phases: tuple[Phase, ...] = (Phase.GED4, Phase.T2)) -> tuple[Path, Path, Path]:
    """Four studies, two of them labelled on GED4; returns data, truth and recipe."""
    spec = PhantomSpec(
        studies=4,
        labelled=2,
        vendors=("A", "B1"),
        unseen=0,
        seed=7,
        scale=4.0,
        missing=0.0,
        phases=phases,
        organ_maps=False,
    )
    data, truth, recipe = folder / "data", folder / "truth", folder / "small.yaml"
    write_phantom_cohort(data, truth, spec)
    recipe.write_text(RECIPE, encoding="utf-8")
    return data, truth, recipe
