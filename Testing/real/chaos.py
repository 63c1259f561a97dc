"""Accuracy on real MRI: CHAOS T2-SPIR, two labelled patients, six to find (`make real`).

Needs ``LIVERSEGSSL_REAL_DATA``: a folder with ``chaos_t2/image_N.nii.gz`` and ``label_N.nii.gz`` (1 = liver). The six
masks are used to measure and for nothing else; the two labelled patients are the two lowest numbers.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

from LiverSegSSLLib.cli.main import main as liversegssl
from LiverSegSSLLib.volume import read_mask, write_volume

HERE = Path(__file__).resolve().parent
LABELLED = 2
LIVER = 1


def prepare(source: Path, folder: Path, labelled: int = LABELLED) -> tuple[Path, Path]:
    """Write a manifest and the truth of the cases to find; returns both paths. Images stay where they are."""
    numbers = sorted(int(path.name.split("_")[1].split(".")[0]) for path in source.glob("image_*.nii.gz"))
    folder.mkdir(parents=True, exist_ok=True)
    manifest, truth = folder / "manifest.csv", folder / "truth"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["study", "phase", "image", "label", "organs"])
        for place, number in enumerate(numbers):
            given = place < labelled
            label = source / f"label_{number}.nii.gz"
            writer.writerow(
                [
                    f"chaos-{number:02d}",
                    "T2",
                    source / f"image_{number}.nii.gz",
                    label if given else "",
                    f"liver={LIVER}" if given else "",
                ]
            )
            if not given:
                write_volume(read_mask(label, value=LIVER), truth / f"chaos-{number:02d}__T2.nii.gz")
    return manifest, truth


def main() -> int:
    place = os.environ.get("LIVERSEGSSL_REAL_DATA")
    if not place or not (Path(place) / "chaos_t2").is_dir():
        print("Set LIVERSEGSSL_REAL_DATA to the folder that holds chaos_t2/; nothing was measured.")
        return 2
    manifest, truth = prepare(Path(place) / "chaos_t2", Path("real"))
    recipe = HERE / "chaos.yaml"
    workspace = Path("real") / "workspace"
    return liversegssl(
        [
            "run",
            str(manifest),
            "--recipe",
            str(recipe),
            "--truth",
            str(truth),
            "--workspace",
            str(workspace),
            *sys.argv[1:],
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
