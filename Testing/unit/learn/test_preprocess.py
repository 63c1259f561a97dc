"""Preprocessing reads what nnU-Net reads, and repeats only what changed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.errors import BadInputError, GeometryError, LabelError
from LiverSegSSLLib.events import SILENT, Event, Reporter
from LiverSegSSLLib.learn.cases import IGNORE, TrainingCase, check_cases, read_label
from LiverSegSSLLib.learn.dataset import export_dataset
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.learn.plans import plans_from_preset
from LiverSegSSLLib.learn.preprocess import dataset_fingerprint, fingerprint_case, label_key, preprocess, read_case
from LiverSegSSLLib.volume import Geometry, Volume, read_volume, write_volume

TURNED = (0.0, -1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0)
DATASET = {"labels": {"background": 0, "liver": 1}, "channel_names": {"0": "MRI"}}


def make_case(folder: Path, name: str, four_d: bool = False, direction: tuple[float, ...] = TURNED) -> TrainingCase:
    grid = Geometry((14, 12, 10), (4.0, 3.0, 5.0), (1.0, 2.0, 3.0), direction)
    rng = np.random.default_rng(len(name))
    mask = np.zeros(grid.shape, np.uint8)
    mask[3:7, 4:9, 2:9] = 1
    image = rng.integers(10, 300, grid.shape).astype(np.int16)
    write_volume(Volume(image, grid, four_d), folder / f"{name}.nii.gz")
    write_volume(Volume(mask, grid, four_d), folder / f"{name}_m.nii.gz")
    return TrainingCase(f"{name}__T1", folder / f"{name}.nii.gz", folder / f"{name}_m.nii.gz", "expert")


def test_arrays_are_those_of_nnunets_reader(tmp_path: Path) -> None:
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIOWithReorient

    case = make_case(tmp_path, "a")
    data, seg, properties = read_case(case)
    their_data, their_properties = SimpleITKIOWithReorient().read_images([str(case.image)])
    their_seg, _ = SimpleITKIOWithReorient().read_seg(str(case.label))
    assert np.array_equal(data, their_data) and data.dtype == their_data.dtype
    assert np.array_equal(seg, their_seg)
    assert np.allclose(properties["spacing"], their_properties["spacing"])


def test_a_4d_file_with_one_frame_is_read_like_the_3d_one(tmp_path: Path) -> None:
    for part in zip(
        read_case(make_case(tmp_path, "a"))[:2], read_case(make_case(tmp_path, "b", four_d=True))[:2], strict=True
    ):
        assert np.array_equal(*part)


def test_voxels_of_doubt_teach_nothing(tmp_path: Path) -> None:
    sure = make_case(tmp_path, "a")
    mask = read_volume(sure.label)
    liver = np.where(mask.array > 0, 255, 0).astype(np.uint8)
    liver[3:5, 4:9, 2:9] = 200  # liver with probability 0.78
    liver[0, :, :] = 60  # background with probability 0.76
    liver[9, :, :] = 180  # the label says no, the probability yes: a stray part that was taken away
    write_volume(mask.with_array(liver), tmp_path / "p.nii.gz")
    case = dataclasses.replace(sure, role="pseudo", probability=tmp_path / "p.nii.gz", certain=0.8)
    image = read_volume(case.image).geometry
    label = read_label(case, image).array
    assert (label[3:5, 4:9, 2:9] == IGNORE).all() and (label[0] == IGNORE).all() and (label[9] == IGNORE).all()
    untouched = (liver == 0) | (liver == 255)
    assert np.array_equal(label[untouched], mask.array[untouched]) and untouched.any()
    assert not (read_label(dataclasses.replace(case, certain=0.0), image).array == IGNORE).any()
    # What is ignored is not measured either.
    assert set(fingerprint_case(case).foreground) <= set(read_volume(case.image).array[label == 1].astype(float))
    assert export_dataset([case], tmp_path)["labels"]["ignore"] == IGNORE
    assert "ignore" not in export_dataset([sure], tmp_path)["labels"]


def test_another_degree_of_certainty_is_another_case(tmp_path: Path) -> None:
    sure = make_case(tmp_path, "a")
    write_volume(read_volume(sure.label), tmp_path / "p.nii.gz")
    keys = [label_key(dataclasses.replace(sure, probability=tmp_path / "p.nii.gz", certain=c)) for c in (0, 0.7, 0.8)]
    assert keys[0] == label_key(sure) != keys[1] != keys[2] and len(keys[0]) < len(keys[1])


def test_a_probability_on_another_grid_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path, "a")
    other = Geometry((14, 12, 9), (4.0, 3.0, 5.0), (1.0, 2.0, 3.0), TURNED)
    write_volume(Volume(np.zeros(other.shape, np.uint8), other), tmp_path / "p.nii.gz")
    with pytest.raises(GeometryError, match=r"p\.nii\.gz"):
        read_case(dataclasses.replace(case, probability=tmp_path / "p.nii.gz", certain=0.8))


def test_fingerprint_is_nnunets(tmp_path: Path) -> None:
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIOWithReorient

    case = make_case(tmp_path, "a")
    shape, spacing, _, _, relative = DatasetFingerprintExtractor.analyze_case(
        [str(case.image)], str(case.label), SimpleITKIOWithReorient
    )
    ours = fingerprint_case(case)
    assert ours.shape == tuple(shape)
    assert np.allclose(ours.spacing, spacing)
    assert ours.relative_size == pytest.approx(relative)


def test_only_changed_cases_are_done_again_and_dropped_ones_disappear(tmp_path: Path) -> None:
    cases = [make_case(tmp_path, name) for name in "abc"]
    fingerprint = dataset_fingerprint([fingerprint_case(case) for case in cases])
    plans = plans_from_preset(load_preset("cpu"), "Dataset001_x", fingerprint, 3)
    folder = tmp_path / "pre"

    def run(chosen: list[TrainingCase]) -> list[str]:
        events: list[Event] = []
        preprocess(chosen, plans, DATASET, folder, None, Reporter(events.append))
        return [event.message for event in events]

    assert run(cases) == ["a__T1", "b__T1", "c__T1"]
    assert run(cases) == []
    # A new round: another label for b, under another name.
    other = make_case(tmp_path, "bb", direction=TURNED)
    changed = dataclasses.replace(cases[1], label=tmp_path / "new.nii.gz")
    array = np.zeros((10, 12, 14), np.uint8)
    array[2:5, 2:5, 2:5] = 1
    write_volume(Volume(array, Geometry((14, 12, 10), (4.0, 3.0, 5.0), (1.0, 2.0, 3.0), TURNED)), changed.label)
    assert run([cases[0], changed, other]) == ["b__T1", "bb__T1"]
    assert not list(folder.rglob("c__T1*"))
    # A kill between the arrays and the stamp: the case is done again.
    (folder / "stamps" / "a__T1.json").unlink()
    assert run([cases[0], changed, other]) == ["a__T1"]


def test_wrong_labels_are_told_apart_by_who_made_them(tmp_path: Path) -> None:
    good, bad = make_case(tmp_path, "a"), make_case(tmp_path, "b")
    write_volume(Volume(np.zeros((3, 3, 3), np.uint8), Geometry((3, 3, 3), (1.0, 1.0, 1.0))), bad.label)
    with pytest.raises(GeometryError, match="grid"):
        check_cases([good, bad])
    events: list[Event] = []
    pseudo = dataclasses.replace(bad, role="pseudo")
    assert check_cases([pseudo, good], Reporter(events.append)) == (good,)
    assert "not trained on" in events[0].message and "b_m.nii.gz" in events[0].message
    with pytest.raises(BadInputError, match="no case"):
        check_cases([pseudo], SILENT)
    with pytest.raises(BadInputError, match="twice"):
        check_cases([good, good])
    with pytest.raises(LabelError, match="empty"):
        check_cases([dataclasses.replace(good, liver_value=7)])
