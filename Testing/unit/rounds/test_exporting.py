"""Masks for others: which labels stand, where their files go, and CARE's layout."""

import numpy as np
import pytest

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.events import SILENT
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.exporting import export
from LiverSegSSLLib.volume import Geometry, Volume, read_mask, write_volume

GRID = Geometry((6, 5, 4), (1.0, 1.0, 3.0), (-7.0, 3.0, 11.0), (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0))


def mask_of(value):
    array = np.zeros(GRID.shape, np.uint8)
    array[1, 1 : 1 + value, 2:4] = 1
    return Volume(array, GRID)


@pytest.fixture
def parameters(tmp_path):
    """Two studies: P1 with an expert mask and a proposal, P2 with a proposal, its correction, and a rejected label."""
    data, workspace = tmp_path / "data", tmp_path / "workspace"
    image = Volume(np.arange(120, dtype=np.int16).reshape(GRID.shape), GRID)
    for study in ("P1", "P2"):
        for phase in ("GED4", "T2"):
            write_volume(image, data / study / f"{phase}.nii.gz")
    write_volume(mask_of(1), data / "P1" / "mask_GED4.nii.gz")
    with LabelStore.open(workspace) as store:
        store.add("P1__T2", mask_of(2), source="transfer", round=1)
        proposal = store.add("P2__GED4", mask_of(2), source="atlas", round=1)
        store.correct(proposal.id, mask_of(3), author="dr")
        refused = store.add("P2__T2", mask_of(2), source="transfer", round=1)
        store.review(refused.id, LabelState.REJECTED, author="dr")
    return {"data": str(data), "workspace": str(workspace), "output": str(tmp_path / "out")}


def files(folder):
    return {str(path.relative_to(folder)).replace("\\", "/") for path in folder.rglob("*.nii.gz")}


def test_the_labels_that_stand_are_copied_and_rejected_ones_are_not(parameters, tmp_path):
    result = export(parameters, SILENT)
    assert result["lines"] == ["3 masks: 1 corrected, 1 expert, 1 proposed"]
    assert files(tmp_path / "out") == {"P1/GED4.nii.gz", "P1/T2.nii.gz", "P2/GED4.nii.gz"}
    for name, value in (("P1/GED4", 1), ("P1/T2", 2), ("P2/GED4", 3)):
        found = read_mask(tmp_path / "out" / f"{name}.nii.gz", GRID)
        np.testing.assert_array_equal(found.array, mask_of(value).array)


def test_only_the_states_that_are_asked_for(parameters, tmp_path):
    export({**parameters, "states": ["corrected", "accepted"]}, SILENT)
    assert files(tmp_path / "out") == {"P2/GED4.nii.gz"}
    with pytest.raises(LabelError, match="there is no label that is accepted – propose or review first"):
        export({**parameters, "states": ["accepted"]}, SILENT)


def test_cares_layout_has_the_images_type(parameters, tmp_path):
    import nibabel

    export({**parameters, "care": True}, SILENT)
    written = files(tmp_path / "out")
    assert "LiSeg_pred/P2/GED4_pred.nii.gz" in written and len(written) == 3
    image = nibabel.load(tmp_path / "out" / "LiSeg_pred" / "P2" / "GED4_pred.nii.gz")
    assert image.get_data_dtype() == np.int16
