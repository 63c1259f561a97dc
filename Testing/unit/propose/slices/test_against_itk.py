"""Against ITK's own filter (Zukić et al., 2016), where it is installed.

It runs in a process of its own, on one thread: with several slices and more threads it corrupts the heap
(itk 5.4.7, itk-morphologicalcontourinterpolation 2.1.2).
"""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from LiverSegSSLLib.propose.slices import propagate
from Testing.unit.propose.slices.shapes import blank

SCRIPT = """
import importlib, sys, numpy as np
# Not itk.MorphologicalContourInterpolator: that loads every module of ITK first.
module = importlib.import_module("itk.itkMorphologicalContourInterpolatorPython")
import itk
itk.MultiThreaderBase.SetGlobalMaximumNumberOfThreads(1)
scenes = np.load(sys.argv[1])
done = {}
for name in scenes.files:
    filter = module.itkMorphologicalContourInterpolatorIUC3_New()
    filter.SetNumberOfWorkUnits(1)
    filter.SetInput(itk.image_from_array(scenes[name]))
    filter.SetAxis(2)
    filter.Update()
    done[name] = itk.array_from_image(filter.GetOutput())
np.savez(sys.argv[2], **done)
"""


Z, Y, X = np.indices((24, 64, 60), dtype=float)


def ellipsoid(centre, radii, lean=0.0):
    """``lean``: pixels along a row that the centre moves from slice to slice."""
    z, y, x = Z - centre[0], Y - centre[1], X - centre[2] - lean * (Z - centre[0])
    return (z / radii[0]) ** 2 + (y / radii[1]) ** 2 + (x / radii[2]) ** 2 <= 1


def cylinder(lean):
    return np.hypot(Y - 32, X - 15 - lean * Z) <= 9


TRUTHS = {
    "cone": np.hypot(Y - 32, X - 30) <= 4 + Z,
    "sphere": ellipsoid((12, 32, 30), (14, 24, 24)),
    "slanted cylinder": cylinder(0.6),
    "steep cylinder": cylinder(1.5),
    "leaning ellipsoid": ellipsoid((12, 32, 30), (16, 20, 12), lean=0.7),
    "two lobes, one ends": ellipsoid((10, 36, 22), (30, 20, 14)) | ellipsoid((4, 26, 42), (11, 10, 12)),
    "liver-like": (ellipsoid((12, 34, 20), (16, 22, 17)) | ellipsoid((8, 26, 40), (11, 9, 16)))
    & ~ellipsoid((14, 54, 38), (20, 12, 8)),
}
GIVEN = (1, 6, 11, 16, 21)


@pytest.mark.skipif(importlib.util.find_spec("itk") is None, reason="itk is not installed")
def test_no_shape_is_further_from_the_truth_than_itk_makes_it(tmp_path):
    stacks = {name: np.zeros(truth.shape, np.uint8) for name, truth in TRUTHS.items()}
    for name, truth in TRUTHS.items():
        stacks[name][list(GIVEN)] = truth[list(GIVEN)]
    np.savez(tmp_path / "in.npz", **stacks)
    files = [str(tmp_path / name) for name in ("in.npz", "out.npz")]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *files], check=False)
    if done.returncode < 0:
        pytest.skip(f"ITK's process was ended by signal {-done.returncode}")
    assert done.returncode == 0
    theirs = np.load(tmp_path / "out.npz")
    between = [z for z in range(GIVEN[0], GIVEN[-1]) if z not in GIVEN]
    for name, truth in TRUTHS.items():
        given = {z: truth[z] for z in GIVEN}
        ours = dice(propagate(blank(), given).labels.array[between], truth[between])
        itk = dice(theirs[name][between], truth[between])
        print(f"{name}: {ours:.4f}, ITK {itk:.4f}")
        assert ours > max(itk - 0.002, 0.96), f"{name}: {ours:.4f}, ITK {itk:.4f}"


def dice(mask, truth):
    return 2 * np.count_nonzero((mask > 0) & truth) / (np.count_nonzero(mask) + np.count_nonzero(truth))
