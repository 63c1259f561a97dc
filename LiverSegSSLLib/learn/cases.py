"""What is learnt from: images with a label, and how far each label is trusted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from LiverSegSSLLib.cohort.study import split_case_id
from LiverSegSSLLib.errors import BadInputError, LabelError, LiverSegError
from LiverSegSSLLib.events import SILENT, Reporter
from LiverSegSSLLib.labels.files import read_probability
from LiverSegSSLLib.volume import Geometry, Volume, read_geometry, read_mask, require_same_grid

Role = Literal["expert", "pseudo", "unlabelled"]
"""``expert``: drawn or corrected by a person; ``pseudo``: proposed by a method; ``unlabelled``: an image alone."""

IGNORE = 2
"""Value of a voxel that teaches nothing; nnU-Net wants it to be the highest."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True)
class TrainingCase:
    """One image and the label to learn from it, if it has one.

    :param case_id: ``<study>__<phase>``; becomes nnU-Net's identifier and part of file names.
    :param image: 3-D image, or 4-D with one frame.
    :param label: mask on the image's grid; ``None`` exactly for the role ``unlabelled``.
    :param role: expert labels are in every training; pseudo labels obey the out-of-fold rule; unlabelled images serve
        the methods that can use them.
    :param group: what must not be torn apart by folds, normally the patient; empty: the study of the case id.
    :param stratum: folds are balanced over its values (the vendor, for example).
    :param liver_value: value of the liver in the label file; ``None``: every value above 0.
    :param probability: of liver, on the image's grid, as the label store keeps it (bytes, p · 255).
    :param certain: voxels to which ``probability`` gives less than this for what the label says teach nothing
        (nnU-Net's ignore label); 0: every voxel teaches.
    """

    case_id: str
    image: Path
    label: Path | None
    role: Role
    group: str = ""
    stratum: str = ""
    liver_value: int | None = None
    probability: Path | None = None
    certain: float = 0.0

    def __post_init__(self) -> None:
        if (self.label is None) != (self.role == "unlabelled"):
            raise ValueError(f"{self.case_id}: a case is unlabelled if, and only if, it has no label")

    @property
    def unit(self) -> str:
        """The group that stays together in the folds."""
        return self.group or split_case_id(self.case_id)[0]

    @property
    def doubt(self) -> Path | None:
        """The probability by which some voxels of the label may teach nothing; ``None``: all of them teach."""
        return self.probability if self.certain > 0 else None


def read_label(case: TrainingCase, image: Geometry) -> Volume:
    """The label on the image's grid: 0, 1 (liver) and, where it is not certain enough, :data:`IGNORE`; int8.

    Of an unlabelled case it is 0 everywhere: nnU-Net stores a label with every image, and nothing learns from it.

    :raises GeometryError: the label or its probability is on another grid.
    """
    if case.label is None:
        return Volume(np.zeros(image.shape, np.int8), image)
    mask = read_mask(case.label, image=image, value=case.liver_value)
    label = mask.array.astype(np.int8)
    if case.doubt is not None:
        liver = read_probability(case.doubt)
        require_same_grid(liver.geometry, image, case.doubt)
        certainty = np.where(mask.array > 0, liver.array, 1 - liver.array)
        label[certainty < case.certain] = IGNORE
    return mask.with_array(label)


def check_cases(cases: Sequence[TrainingCase], report: Reporter = SILENT) -> tuple[TrainingCase, ...]:
    """The cases that can be trained on, sorted by id. What is wrong with a case that is not an expert's is said and it
    is left out.

    :raises BadInputError: an id is given twice or cannot be a file name, or no labelled case is left.
    :raises LabelError: an expert label is empty, unreadable or on another grid.
    """
    twice = [case_id for case_id, count in Counter(case.case_id for case in cases).items() if count > 1]
    if twice:
        raise BadInputError("is given twice for training", ", ".join(sorted(twice)), "give each case one label")
    kept = []
    for case in sorted(cases, key=lambda case: case.case_id):
        if not _ID.fullmatch(case.case_id):
            raise BadInputError("cannot be part of a file name", case.case_id, "rename the study")
        try:
            _check_label(case)
        except LiverSegError as error:
            if case.role == "expert":
                raise
            report.warn(f"not trained on: {error}", "train")
            continue
        kept.append(case)
    if not any(case.label for case in kept):
        raise BadInputError("there is no case to train on", None, "label a case, or loosen the selection")
    return tuple(kept)


def _check_label(case: TrainingCase) -> None:
    geometry = read_geometry(case.image)
    if case.label is None:
        return
    mask = read_mask(case.label, image=geometry, value=case.liver_value)
    if not mask.array.any():
        raise LabelError("is an empty mask", case.label, "draw the liver, or leave the case out")
