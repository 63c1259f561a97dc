"""How long indexing takes: 600 CARE studies of 7 phases, cold and warm, against opening each file through ITK.

Run by hand: ``python Testing/benchmarks/bench_index.py [studies]``. The voxels are noise, so that the files have the
size of real ones only by their header; reading headers does not depend on it.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LiverSegSSLLib.cohort.index import open_cohort

PHASES = ("GED1", "GED2", "GED3", "GED4", "T1", "T2", "DWI_800")
PER_VENDOR = 200


def make(root: Path, studies: int) -> list[Path]:
    """A cohort of small images, every file its own inode."""
    image = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 1000, (24, 96, 96)).astype(np.int16))
    image.SetSpacing((1.2, 1.2, 3.0))
    root.mkdir()
    master = root / "master.nii.gz"
    sitk.WriteImage(image, str(master), True)
    content = master.read_bytes()
    master.unlink()
    files = []
    for index in range(studies):
        vendor = ("A", "B1", "B2")[index // PER_VENDOR % 3]
        folder = root / f"Vendor_{vendor}" / f"{index:04d}-{vendor}-S{index % 4 + 1}"
        folder.mkdir(parents=True)
        for phase in PHASES:
            files.append(folder / f"{phase}.nii.gz")
            files[-1].write_bytes(content)
    return files


def through_itk(files: list[Path]) -> None:
    """Read every header the way SimpleITK does."""
    for path in files:
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()


def main() -> None:
    """Print the times."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    root = Path(tempfile.mkdtemp(prefix="bench-index-"))
    try:
        files = make(root / "data", studies)
        rows = []
        for name, work in (
            ("cold, headers read", lambda: open_cohort(root / "data", cache=root / "cache.json")),
            ("warm, from the cache", lambda: open_cohort(root / "data", cache=root / "cache.json")),
            ("each file through ITK (headers)", lambda: through_itk(files)),
        ):
            start = time.perf_counter()
            work()
            rows.append((name, time.perf_counter() - start))
        sys.stdout.write(f"{studies} studies, {len(files)} files\n")
        for name, seconds in rows:
            sys.stdout.write(f"{name:32s} {seconds:6.2f} s   ITK / this {rows[-1][1] / seconds:5.1f}\n")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
