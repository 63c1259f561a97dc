"""The challenge's folder: names, data type and shape of the input image."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import GeometryError
from LiverSegSSLLib.predict.submission import write_submission
from LiverSegSSLLib.volume import Geometry, Volume, read_volume, write_volume

GRID = Geometry((6, 5, 4), (1.5, 1.25, 3.0), (-10.0, 20.0, 30.0), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def given(folder: Path, phase: Phase, dtype: type, four_d: bool, b_value: int | None = None) -> tuple[Case, Path]:
    image, mask = folder / f"{phase}.nii.gz", folder / f"{phase}_mask.nii.gz"
    write_volume(Volume(np.ones(GRID.shape, dtype), GRID, four_d), image)
    array = np.zeros(GRID.shape, np.uint8)
    array[1:3, 2:4, 2:5] = 1
    write_volume(Volume(array, GRID, four_d), mask)
    return Case("1009-A-S4", phase, image, b_value=b_value), mask


def test_layout_names_and_headers(tmp_path: Path) -> None:
    masks = [
        given(tmp_path, Phase.GED4, np.int16, four_d=False),
        given(tmp_path, Phase.T2, np.float32, four_d=True),
        given(tmp_path, Phase.DWI, np.uint16, four_d=False, b_value=600),
    ]
    written = write_submission(masks, tmp_path / "out")
    names = [path.relative_to(tmp_path / "out").as_posix() for path in written]
    assert names == [
        "LiSeg_pred/1009-A-S4/GED4_pred.nii.gz",
        "LiSeg_pred/1009-A-S4/T2_pred.nii.gz",
        "LiSeg_pred/1009-A-S4/DWI_600_pred.nii.gz",
    ]
    for path, (case, mask) in zip(written, masks, strict=True):
        result, image = nibabel.load(path), nibabel.load(case.image)
        assert result.shape == image.shape
        assert result.get_data_dtype() == image.get_data_dtype()
        assert np.allclose(result.affine, image.affine)
        assert np.array_equal(np.unique(result.get_fdata()), [0, 1])
        assert np.array_equal(read_volume(path).array, read_volume(mask).array)


def test_a_mask_of_another_image_is_refused(tmp_path: Path) -> None:
    case, mask = given(tmp_path, Phase.GED4, np.int16, four_d=False)
    write_volume(Volume(np.zeros((4, 5, 7), np.uint8), Geometry((7, 5, 4), GRID.spacing)), mask)
    with pytest.raises(GeometryError, match="grid"):
        write_submission([(case, mask)], tmp_path / "out")
    assert not (tmp_path / "out").exists()
