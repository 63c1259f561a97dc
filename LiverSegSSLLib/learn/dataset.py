"""An nnU-Net dataset that points to the images and labels where they are: no copies, no links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.engine import Folders
from LiverSegSSLLib.learn.cases import IGNORE, TrainingCase
from LiverSegSSLLib.learn.roles import roles

READER = "SimpleITKIOWithReorient"
"""nnU-Net's reader that brings every image to one orientation; reads NIfTI, NRRD and MHA."""

ORIENTATION = "RAS"
"""The orientation that :data:`READER` works in; ours must be the same."""

_NAME = re.compile(r"Dataset(\d{3})_(.+)")


def dataset_name(folders: Folders, name: str) -> str:
    """nnU-Net's name of a dataset: ``Dataset<number>_<name>``; the number is the one it has, or the next free one."""
    slug = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "liver"
    numbers: dict[str, int] = {}
    for place in (folders.raw, folders.preprocessed, folders.results):
        for folder in sorted(place.glob("Dataset*")):
            match = _NAME.fullmatch(folder.name)
            if match:
                numbers[match[2]] = int(match[1])
    number = numbers.get(slug, 1 + max(numbers.values(), default=0))
    return f"Dataset{number:03d}_{slug}"


def export_dataset(cases: Sequence[TrainingCase], folder: Path) -> dict[str, Any]:
    """Write ``dataset.json`` with absolute paths to every image and label, and the roles; returns what it holds.

    The file endings may differ from case to case. nnU-Net's own commands can use the dataset too, except for images
    that are 4-D with one frame, which only this library squeezes, and labels in which the liver is not value 1.
    """
    labels = {"background": 0, "liver": 1}
    if any(case.doubt is not None for case in cases):
        labels["ignore"] = IGNORE
    content: dict[str, Any] = {
        "channel_names": {"0": "MRI"},  # any name but CT: z-score
        "labels": labels,
        "numTraining": sum(case.label is not None for case in cases),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": READER,
        "dataset": {
            case.case_id: {"images": [str(case.image.absolute())], "label": str(case.label.absolute())}
            for case in cases
            if case.label is not None
        },
        **roles(cases),
    }
    write_json(folder / "dataset.json", content)
    return content
