"""Pictures of slices are the right way round, in proportion, and outlined where the mask is."""

from pathlib import Path

import numpy as np
import pytest
from skimage.draw import polygon2mask

from LiverSegSSLLib.errors import GeometryError
from LiverSegSSLLib.evaluate.report.model import CasePicture
from LiverSegSSLLib.evaluate.report.slices import choose_slices, cut, load_scene, outlines
from LiverSegSSLLib.volume import Geometry, Volume, orient, write_volume

SHAPE = (20, 40, 50)
CANONICAL = Geometry((50, 40, 20), (1.5, 2.0, 5.0), (-30.0, -20.0, 100.0))


def body() -> np.ndarray:
    """In LPS order: a body, with one bright spot at the patient's right, front and upper end."""
    image = np.zeros(SHAPE, np.float32)
    image[:, 5:35, 5:45] = 50
    image[16:19, 7:11, 8:14] = 100
    return image


def spot() -> np.ndarray:
    return (body() == 100).astype(np.uint8)


def written(folder: Path, axes: str = "LPS", **files: np.ndarray) -> dict[str, Path]:
    paths = {}
    for name, array in files.items():
        paths[name] = folder / f"{axes}-{name}.nii.gz"
        write_volume(orient(Volume(array, CANONICAL), axes), paths[name])
    return paths


@pytest.mark.parametrize("axes", ["LPS", "RAS", "LAS", "LPI", "RAI", "SAL", "PSR"])
def test_patient_right_is_left_and_front_is_up_however_the_file_is_stored(tmp_path, axes):
    files = written(tmp_path, axes, image=body(), truth=spot())
    scene = load_scene(CasePicture("P__T1", files["image"], {"truth": files["truth"]}))
    picture = cut(scene, 17)
    rows, columns = np.nonzero(picture.grey > 200)
    height, width = picture.grey.shape
    assert columns.mean() < width / 3 and rows.mean() < height / 3
    (outline,) = picture.outlines["truth"]
    assert np.allclose(outline.mean(axis=0), [columns.mean() + 0.5, rows.mean() + 0.5], atol=2)


@pytest.mark.parametrize(("axes", "stored"), [("LPS", 17), ("RAS", 17), ("LPI", 2), ("RAI", 2)])
def test_slices_are_named_as_the_file_counts_them_and_by_their_level(tmp_path, axes, stored):
    files = written(tmp_path, axes, image=body(), truth=spot())
    scene = load_scene(CasePicture("P__T1", files["image"], {"truth": files["truth"]}, doubtful=(stored,)))
    assert scene.doubtful == (17,)
    picture = cut(scene, 17)
    assert picture.marked
    assert picture.label == f"slice {stored + 1} of 20 · S 185 mm"


def test_a_coronal_file_is_shown_axially_and_its_slice_numbers_are_not_used(tmp_path):
    files = written(tmp_path, "LSA", image=body(), truth=spot())
    scene = load_scene(CasePicture("P__T1", files["image"], {"truth": files["truth"]}, doubtful=(3,)))
    assert scene.grey.shape == SHAPE and scene.doubtful == ()


def test_voxels_of_unequal_size_do_not_distort(tmp_path):
    y, x = np.mgrid[:40, :50]
    disk = ((y * 2.0 - 40) ** 2 + (x * 1.5 - 37) ** 2 < 25**2) * np.ones((20, 1, 1))
    files = written(tmp_path, image=disk.astype(np.float32), truth=disk.astype(np.uint8))
    picture = cut(load_scene(CasePicture("P__T1", files["image"], {"truth": files["truth"]})), 10)
    width, height = np.ptp(picture.outlines["truth"][0], axis=0)
    assert width == pytest.approx(height, rel=0.08)


def test_outlines_enclose_the_mask_with_its_holes():
    mask = np.zeros((30, 30), bool)
    mask[5:25, 5:25] = True
    mask[10:14, 10:14] = False
    mask[0, 29] = True  # in the corner of the picture
    lines = outlines(mask, np.array([2.0, 2.0]))
    assert len(lines) == 3
    drawn = np.zeros((60, 60), bool)
    for line in lines:
        drawn ^= polygon2mask((60, 60), line[:, ::-1] - 0.5)
    expected = mask.repeat(2, 0).repeat(2, 1)
    assert np.count_nonzero(drawn != expected) < 0.02 * expected.size


def test_the_most_telling_slices_are_chosen_from_head_to_feet(tmp_path):
    truth, model = np.zeros((2, *SHAPE), np.uint8)
    truth[2:18, 10:20, 10:20] = 1
    truth[9, 10:30, 10:40] = 1
    model[2:18, 10:20, 10:20] = 1
    model[9, 10:30, 10:40] = 1
    model[4, 10:35, 10:45] = 1
    files = written(tmp_path, image=body(), truth=truth, model=model)
    contours = {name: files[name] for name in ("truth", "model")}
    scene = load_scene(CasePicture("P__T1", files["image"], contours, doubtful=(15, 9)))
    assert choose_slices(scene) == [
        (15, "most doubtful"),
        (9, "largest cross-section, doubtful"),
        (6, "overview"),
        (4, "largest difference to the truth"),
    ]
    marked = load_scene(CasePicture("P__T1", files["image"], contours, doubtful=(15, 9, 6)))
    assert dict(choose_slices(marked))[6] == "doubtful"


def test_without_any_mask_there_are_still_slices(tmp_path):
    files = written(tmp_path, image=body())
    assert len(choose_slices(load_scene(CasePicture("P__T1", files["image"])))) == 4


def test_a_dark_organ_beside_bright_fluid_is_not_black(tmp_path):
    image = np.full(SHAPE, 5.0, np.float32)
    image[:, 5:35, 5:20], image[:, 5:35, 30:45] = 40, 1000
    liver = (image == 40).astype(np.uint8)
    files = written(tmp_path, image=image, truth=liver)
    with_organ = load_scene(CasePicture("P__T2", files["image"], {"truth": files["truth"]}))
    without = load_scene(CasePicture("P__T2", files["image"]))
    assert np.median(without.grey[liver > 0]) < 20
    assert np.median(with_organ.grey[liver > 0]) > 20


def test_stored_and_computed_probabilities_look_the_same(tmp_path):
    p = np.zeros(SHAPE, np.float32)
    p[8:12, 10:20, 10:20] = 128 / 255
    files = written(tmp_path, image=body(), p=p, stored=np.rint(p * 255).astype(np.uint8))
    one, other = (load_scene(CasePicture("P__T1", files["image"], probability=files[name])) for name in ("p", "stored"))
    assert np.allclose(one.doubt_ml, other.doubt_ml)
    assert one.doubt_ml[10] == pytest.approx(100 * 0.015, rel=1e-3)  # 100 voxels of 15 mm³ in full doubt
    assert len(cut(one, 10).doubt) == 1


def test_a_mask_or_probability_on_another_grid_is_refused(tmp_path):
    files = written(tmp_path, image=body())
    write_volume(Volume(spot()[1:], Geometry((50, 40, 19), (1.5, 2.0, 5.0))), tmp_path / "mask.nii.gz")
    with pytest.raises(GeometryError):
        load_scene(CasePicture("P__T1", files["image"], {"truth": tmp_path / "mask.nii.gz"}))
    with pytest.raises(GeometryError):
        load_scene(CasePicture("P__T1", files["image"], probability=tmp_path / "mask.nii.gz"))
