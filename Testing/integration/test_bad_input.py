"""Bad input on the command line: one clear line, the right exit code, and the other cases go on."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.volume import Geometry, Volume, write_volume

GRID = Geometry((36, 30, 12), (6.0, 6.0, 10.0), (-105.0, -90.0, -60.0))


def body_and_liver(shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """An ellipse of a body with a brighter ellipse of a liver, (z, y, x); ``shift`` in voxels along x."""
    z, y, x = np.meshgrid(*(np.arange(side) for side in GRID.shape), indexing="ij")
    body = ((x - 18) / 16) ** 2 + ((y - 15) / 12) ** 2 < 1
    liver = ((x - 11 - shift) / 6) ** 2 + ((y - 14) / 7) ** 2 + ((z - 6) / 5) ** 2 < 1
    texture = np.random.default_rng(0).normal(0, 6, body.shape)
    return (100 * body + 120 * liver + texture * body).astype(np.int16), liver.astype(np.uint8)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two studies of GED4 and T1, both labelled on GED4."""
    for study in ("P1", "P2"):
        image, liver = body_and_liver()
        other, _ = body_and_liver(1.0)
        write_volume(Volume(image, GRID), tmp_path / "data" / study / "GED4.nii.gz")
        write_volume(Volume(other, GRID), tmp_path / "data" / study / "T1.nii.gz")
        write_volume(Volume(liver, GRID), tmp_path / "data" / study / "mask_GED4.nii.gz")
    return tmp_path / "data"


def propose(data: Path, *more: str) -> int:
    return main(["propose", str(data), "--method", "transfer", "--workers", "1", *more])


def proposed(data: Path) -> set[str]:
    with LabelStore.open(data.with_name("data-liversegssl")) as store:
        return {label.case_id for label in store.labels(source="transfer") if label.volume_ml > 0}


def test_a_sound_cohort_is_proposed_for(data, capfd):
    assert propose(data) == 0
    assert proposed(data) == {"P1__T1", "P2__T1"}
    assert "Traceback" not in capfd.readouterr().err


def test_an_unreadable_image_is_named_and_the_others_go_on(data, capfd):
    (data / "P1" / "T1.nii.gz").write_bytes(gzip.compress(b"not an image at all"))
    assert propose(data) == 0
    assert proposed(data) == {"P2__T1"}
    error = capfd.readouterr().err
    assert "P1" in error and "T1.nii.gz" in error and "cannot be read" in error and "Traceback" not in error


def test_an_image_whose_voxels_are_cut_off_fails_alone(data, capfd):
    whole = (data / "P1" / "T1.nii.gz").read_bytes()
    (data / "P1" / "T1.nii.gz").write_bytes(whole[: len(whole) // 2])
    assert propose(data) == 0
    assert proposed(data) == {"P2__T1"}
    error = capfd.readouterr().err
    assert "T1.nii.gz" in error and "Traceback" not in error


def test_a_mask_on_another_grid_is_named_and_its_image_stays(data, capfd):
    _, liver = body_and_liver()
    moved = Geometry(GRID.size, GRID.spacing, (-100.0, -90.0, -60.0))
    write_volume(Volume(liver, moved), data / "P1" / "mask_GED4.nii.gz")
    assert propose(data) == 0
    assert proposed(data) == {"P2__T1"}
    error = capfd.readouterr().err
    assert "mask_GED4.nii.gz" in error and "grid" in error


def test_an_empty_mask_is_named(data, capfd):
    write_volume(Volume(np.zeros(GRID.shape, np.uint8), GRID), data / "P1" / "mask_GED4.nii.gz")
    assert propose(data) == 0
    assert proposed(data) == {"P2__T1"}
    assert "empty" in capfd.readouterr().err


def test_no_label_anywhere_is_bad_input(data, capfd):
    for mask in data.rglob("mask_*"):
        mask.unlink()
    assert propose(data) == 2
    assert "no labelled case" in capfd.readouterr().err


def test_a_study_without_ged4_is_warned_about_and_segmented(data, capfd):
    shutil.copytree(data / "P2", data / "P3")
    for name in ("GED4.nii.gz", "mask_GED4.nii.gz"):
        (data / "P3" / name).unlink()
    assert propose(data) == 0
    error = capfd.readouterr().err
    assert "P3" in error and "GED4" in error


def test_an_unknown_phase_in_the_data_names_the_nearest(data, capfd):
    shutil.copy(data / "P1" / "T1.nii.gz", data / "P1" / "GDE3.nii.gz")
    assert main(["inspect", str(data)]) == 0
    said = capfd.readouterr().out
    assert "GDE3" in said and "GED3" in said


def test_an_unknown_phase_on_the_command_line_names_the_nearest(data, capfd):
    assert propose(data, "--phase", "GDE4") == 2
    assert "did you mean GED4" in capfd.readouterr().err


def test_an_unknown_method_names_the_nearest(data, capfd):
    assert main(["propose", str(data), "--method", "transfre"]) == 2
    assert "did you mean transfer" in capfd.readouterr().err


def test_case_names_that_differ_by_case_only_are_refused_and_the_others_go_on(data, capfd):
    shutil.copytree(data / "P2", data / "p2")
    assert propose(data) == 0
    error = capfd.readouterr().err
    assert "p2" in error
    assert "P1__T1" in proposed(data)


def test_a_truth_that_is_not_there_is_bad_input(data, capfd):
    assert main(["evaluate", str(data), "--truth", str(data / "truth")]) == 2
    assert "truth" in capfd.readouterr().err


def test_predict_without_a_model_says_what_to_do(data, capfd):
    assert main(["predict", str(data)]) == 1
    assert "run liversegssl train" in capfd.readouterr().err


def test_review_accepts_rejects_and_corrects_and_refuses_what_is_wrong(data, tmp_path, capfd):
    assert propose(data) == 0
    assert main(["review", str(data)]) == 0
    assert "P1__T1" in capfd.readouterr().out
    assert main(["review", str(data), "accept", "P1__T1", "--reviewer", "dr"]) == 0
    _, liver = body_and_liver()
    wrong = tmp_path / "wrong.nii.gz"
    write_volume(Volume(liver[:6], Geometry((36, 30, 6), GRID.spacing, GRID.origin)), wrong)
    assert main(["review", str(data), "correct", "P2__T1", "--mask", str(wrong)]) == 2
    assert "grid" in capfd.readouterr().err
    right = tmp_path / "right.nii.gz"
    write_volume(Volume(liver, GRID), right)
    assert main(["review", str(data), "correct", "P2__T1", "--mask", str(right), "--reviewer", "dr"]) == 0
    assert main(["review", str(data), "reject", "P1__GED4"]) == 2  # an expert's
    assert main(["review", str(data), "accept", "P9__T1"]) == 2
    assert "did you mean" in capfd.readouterr().err
    with LabelStore.open(data.with_name("data-liversegssl")) as store:
        assert store.current("P1__T1").state == "accepted"
        assert store.current("P2__T1").state == "corrected"
    assert main(["doctor", str(data)]) == 0


def test_few_shot_without_weights_says_which_command_gets_them(data, capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "no weights"))
    assert main(["propose", str(data), "--method", "few-shot", "--workers", "1"]) == 2
    error = capfd.readouterr().err
    assert "liversegssl models fetch medsam2" in error and "Traceback" not in error
    # Where the recipe can do without, it goes on without and says so.
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("name: mine\npropose: [{method: few-shot, where_possible: true}, {method: transfer}]\n")
    assert main(["propose", str(data), "--recipe", str(recipe), "--workers", "1"]) == 0
    assert proposed(data) == {"P1__T1", "P2__T1"}
    assert "left out" in capfd.readouterr().err


def test_a_support_that_is_no_labelled_case_is_named_with_the_nearest(data, capfd):
    assert propose(data, "--support", "P1__GED3") == 2
    assert "P1__GED3" in (error := capfd.readouterr().err) and "P1__GED4" in error
    assert propose(data, "--support", "P1__GED4") == 0
    assert proposed(data) == {"P1__T1"}  # a transfer stays within the patient, and only one of the two was named
    assert main(["propose", str(data), "--support", "P1__GED4"]) == 2
    assert "--method" in capfd.readouterr().err
