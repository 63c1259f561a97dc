"""The folder that the CARE-Liver challenge takes: ``LiSeg_pred/<case>/<MOD>_pred.nii.gz`` (METHODS 2.1)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.volume import image_stem, read_geometry, read_mask, read_volume, write_volume

FOLDER = "LiSeg_pred"

DEFAULT_B_VALUE = 800
"""The b-value in the name of a diffusion image that does not say its own."""


def modality_name(case: Case) -> str:
    """The challenge's name of a phase: that of the phase, and ``DWI_<b>`` for diffusion."""
    if case.phase is not Phase.DWI:
        return case.phase.value
    return f"{case.phase.value}_{case.b_value if case.b_value is not None else DEFAULT_B_VALUE}"


def write_submission(masks: Iterable[tuple[Case, Path]], folder: Path) -> tuple[Path, ...]:
    """Write each mask as the challenge wants it: 0 and 1, in the image's size, place, file shape and data type.

    :param masks: cases and their predicted masks, on the grids of the cases' images.
    :param folder: ``LiSeg_pred`` is made in it.
    :return: the written files.
    :raises GeometryError: a mask is not on its image's grid.
    :raises BadInputError: two cases would have the same file.
    """
    written: dict[Path, Case] = {}
    for case, mask in masks:
        path = folder / FOLDER / case.study / f"{modality_name(case)}_pred.nii.gz"
        if path in written:
            raise BadInputError(f"would be written for {written[path].id} and {case.id}", path, "rename one study")
        volume = read_mask(mask, image=read_geometry(case.image))
        image = read_volume(case.image)
        write_volume(image.with_array(volume.array), path, file_dtype(case.image))
        written[path] = case
    return tuple(written)


def file_dtype(image: Path) -> np.dtype[Any]:
    """The data type of the voxels as they lie in the file."""
    if image_stem(image) + ".nii.gz" == image.name or image.suffix == ".nii":
        import nibabel

        header: Any = nibabel.load(image)
        dtype: np.dtype[Any] = np.dtype(header.get_data_dtype()).newbyteorder("=")
        return dtype
    return read_volume(image).array.dtype
