"""Cohorts of the smallest images there can be, for tests in which what is seen in them does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from LiverSegSSLLib.volume import Geometry, Volume, write_volume

GRID = Geometry((8, 8, 4), (1.0, 1.0, 3.0), (-4.0, -4.0, -6.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
IMAGE = Volume(np.arange(256, dtype=np.int16).reshape(GRID.shape), GRID)


def write_tiny_cohort(folder: Path) -> Path:
    """Four studies of two vendors with GED4 and T2, two of them labelled on GED4; returns the folder."""
    for study in ("1001-A-S3", "1001-B1-S3", "1002-A-S4", "1002-B1-S3"):
        write_study(folder / f"Vendor_{study.split('-')[1]}" / study, ("GED4", "T2"), study.startswith("1001"))
    return folder


def write_study(folder: Path, phases: Sequence[str], labelled: bool = False) -> None:
    """One study; where it is labelled, the liver of GED4 is a box in slices 1 and 2."""
    for phase in phases:
        write_volume(IMAGE, folder / f"{phase}.nii.gz")
    if labelled:
        liver = np.zeros(GRID.shape, np.uint8)
        liver[1:3, 2:6, 1:5] = 1
        write_volume(IMAGE.with_array(liver), folder / "mask_GED4.nii.gz")
