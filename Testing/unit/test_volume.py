"""Volume: what is written comes back, headers agree with ITK, and bad files say what is wrong."""

import gzip
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from LiverSegSSLLib.errors import GeometryError, ImageError
from LiverSegSSLLib.volume import (
    GRID_TOLERANCE_MM,
    Geometry,
    Volume,
    axes_of,
    image_stem,
    is_image_name,
    orient,
    read_geometry,
    read_header,
    read_mask,
    read_volume,
    require_same_grid,
    require_whole,
    resample,
    with_spacing,
    write_volume,
)

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DTYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")


def _tuple(matrix: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in matrix.ravel())


@st.composite
def geometries(draw: st.DrawFn, largest: int = 7) -> Geometry:
    size = draw(st.tuples(*[st.integers(1, largest)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.3, 9.0)] * 3))
    origin = draw(st.tuples(*[st.floats(-400, 400)] * 3))
    angles = draw(st.tuples(*[st.floats(-180, 180)] * 3))
    rotation = Rotation.from_euler("zyx", angles, degrees=True).as_matrix()
    permutation = np.eye(3)[list(draw(st.permutations(range(3))))]
    flips = np.diag(draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)))
    matrix = rotation @ permutation @ flips
    if draw(st.booleans()):  # many real images are exactly along the axes
        matrix = permutation @ flips
    return Geometry(size, spacing, origin, _tuple(matrix))


@st.composite
def volumes(draw: st.DrawFn) -> Volume:
    geometry = draw(geometries())
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    array = rng.integers(0, 200, geometry.shape).astype(dtype)
    return Volume(array, geometry, draw(st.booleans()))


# --- round trips ------------------------------------------------------------------------------------------------


@FEW
@given(volume=volumes(), suffix=st.sampled_from([".nii.gz", ".nii", ".nrrd", ".mha"]))
def test_what_is_written_comes_back(volume: Volume, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"image{suffix}"
    write_volume(volume, path)
    back = read_volume(path)
    assert np.array_equal(back.array, volume.array)
    assert back.array.dtype == volume.array.dtype
    assert back.geometry.same_grid(volume.geometry)
    assert back.trailing_singleton == volume.trailing_singleton


@FEW
@given(volume=volumes(), suffix=st.sampled_from([".nii.gz", ".nii", ".nrrd", ".mha"]))
def test_the_header_alone_says_what_itk_says(volume: Volume, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"image{suffix}"
    write_volume(volume, path)
    header, image = read_header(path), sitk.ReadImage(str(path))
    assert header.geometry.size == image.GetSize()[:3]
    assert np.allclose(header.geometry.spacing, image.GetSpacing()[:3], rtol=1e-6)
    itk = Geometry(
        image.GetSize()[:3],
        image.GetSpacing()[:3],
        image.GetOrigin()[:3],
        _tuple(np.reshape(image.GetDirection(), (image.GetDimension(),) * 2)[:3, :3]),
    )
    assert header.geometry.same_grid(itk, tolerance_mm=1e-3)
    assert header.dtype == volume.array.dtype
    assert header.trailing_singleton == volume.trailing_singleton
    require_whole(path, header, thorough=True)


@FEW
@given(
    geometry=geometries(),
    codes=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    unit=st.sampled_from(["mm", "meter", "micron", "unknown"]),
    other=st.sampled_from(["same", "shifted", "sheared", "scaled"]),
)
def test_headers_of_other_programs_are_read_as_itk_reads_them(
    geometry: Geometry, codes: tuple[int, int], unit: str, other: str, tmp_path: Path
) -> None:
    """qform and sform may be absent, contradict each other, be sheared or in metres: voxels come from ITK, so its
    word counts."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ geometry.index_to_lps()
    image = nibabel.Nifti1Image(np.zeros(geometry.size, np.int16), affine)
    sform = affine.copy()
    sform[:3, 3] += 7.0 if other == "shifted" else 0.0
    sform[0, :2] += 0.3 if other == "sheared" else 0.0
    sform[:3, 0] *= 1.5 if other == "scaled" else 1.0
    image.header.set_qform(affine, codes[0])
    image.header.set_sform(sform, codes[1])
    image.header.set_xyzt_units(unit)
    path = tmp_path / "foreign.nii"
    path.write_bytes(image.header.binaryblock + b"\0" * (int(image.header["vox_offset"] or 352) - 348))
    with path.open("ab") as file:
        file.write(b"\0" * (2 * int(np.prod(geometry.size))))
    try:
        expected = read_volume(path).geometry
    except ImageError:
        with pytest.raises(ImageError):
            read_header(path)
        return
    assert read_geometry(path).same_grid(expected, tolerance_mm=1e-3 * max(max(geometry.spacing), 1))


@pytest.mark.parametrize("write", ["sitk", "nibabel"])
def test_a_4d_file_of_one_frame_is_squeezed_and_restored(write: str, tmp_path: Path) -> None:
    source, copy = tmp_path / "four.nii.gz", tmp_path / "copy.nii.gz"
    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    if write == "sitk":
        sitk.WriteImage(sitk.JoinSeries(sitk.GetImageFromArray(array)), str(source))
    else:
        nibabel.save(nibabel.Nifti1Image(array.T[..., None], np.diag([-1.0, -1.0, 1.0, 1.0])), source)
    volume = read_volume(source)
    assert volume.array.shape == (2, 3, 4) and volume.trailing_singleton
    assert read_header(source).trailing_singleton
    write_volume(volume.with_array((volume.array > 5).astype(np.uint8)), copy)
    assert nibabel.load(copy).shape == nibabel.load(source).shape == (4, 3, 2, 1)
    assert np.array_equal(read_volume(copy).array, (array > 5).astype(np.uint8))


def test_a_compressed_file_beside_its_plain_namesake_is_read_itself(tmp_path: Path) -> None:
    grid = Geometry((2, 2, 2), (1, 1, 1))
    for name, value in (("T2.nii", 7), ("T2.nii.gz", 9)):
        write_volume(Volume(np.full((2, 2, 2), value, np.uint8), grid), tmp_path / name)
    assert [int(read_volume(tmp_path / name).array.max()) for name in ("T2.nii", "T2.nii.gz")] == [7, 9]


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "image.nii.gz"
    volume = Volume(np.ones((2, 2, 2), np.uint8), Geometry((2, 2, 2), (1, 1, 1)))
    write_volume(volume, path)
    before = path.read_bytes()

    def full_disk(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_volume(volume.with_array(np.zeros((2, 2, 2), np.uint8)), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["image.nii.gz"]


def test_the_same_image_is_the_same_bytes(tmp_path: Path) -> None:
    volume = Volume(np.arange(60, dtype=np.uint8).reshape(3, 4, 5), Geometry((5, 4, 3), (1, 2, 3)))
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(volume, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


# --- geometry ---------------------------------------------------------------------------------------------------


@FEW
@given(geometry=geometries())
def test_a_grid_is_itself_and_not_its_neighbour(geometry: Geometry) -> None:
    assert geometry.same_grid(geometry)
    x, y, z = geometry.origin
    assert geometry.same_grid(replace(geometry, origin=(x + GRID_TOLERANCE_MM * 0.9, y, z)))
    assert not geometry.same_grid(replace(geometry, origin=(x + GRID_TOLERANCE_MM * 1.1, y, z)))
    assert not geometry.same_grid(replace(geometry, size=(geometry.size[0] + 1, *geometry.size[1:])))


def test_a_small_error_in_spacing_counts_where_it_adds_up() -> None:
    grid = Geometry((400, 4, 4), (1.0, 1.0, 1.0))
    assert grid.same_grid(replace(grid, spacing=(1.00002, 1.0, 1.0)))  # 0.008 mm at the far end
    assert not grid.same_grid(replace(grid, spacing=(1.0001, 1.0, 1.0)))  # 0.04 mm
    with pytest.raises(GeometryError, match=r"not on its image's grid \(up to 0\.0399 mm apart\)"):
        require_same_grid(replace(grid, spacing=(1.0001, 1.0, 1.0)), grid, "mask.nii.gz")


@FEW
@given(volume=volumes(), axes=st.sampled_from(["LPS", "RAS", "LAS", "PIR", "SAL", "IPR"]))
def test_orientation_comes_back_without_interpolation(volume: Volume, axes: str) -> None:
    turned = orient(volume, axes)
    assert axes_of(turned.geometry) == axes
    assert np.array_equal(np.sort(turned.array, axis=None), np.sort(volume.array, axis=None))
    assert turned.geometry.same_grid(orient(turned, axes).geometry)
    back = orient(turned, axes_of(volume.geometry))
    assert np.array_equal(back.array, volume.array)
    assert back.geometry.same_grid(volume.geometry, tolerance_mm=1e-6)
    assert back.trailing_singleton == volume.trailing_singleton


@FEW
@given(volume=volumes(), interpolation=st.sampled_from(["linear", "nearest"]))
def test_resampling_onto_the_own_grid_changes_nothing(volume: Volume, interpolation: str) -> None:
    same = resample(volume, volume.geometry, interpolation)  # type: ignore[arg-type]
    assert same.array.dtype == volume.array.dtype
    tolerance = 1e-3 if volume.array.dtype.kind == "f" else 0
    assert np.abs(same.array.astype(float) - volume.array.astype(float)).max() <= tolerance


def test_resampling_moves_by_the_transform() -> None:
    volume = Volume(np.zeros((5, 5, 5), np.uint8), Geometry((5, 5, 5), (2.0, 1.0, 1.0)))
    volume.array[2, 2, 3] = 1
    moved = resample(volume, volume.geometry, "nearest", sitk.TranslationTransform(3, (2.0, 0.0, -1.0)))
    # The transform maps a fixed point to a moving one: (x=2, z=3) samples (x=3, z=2).
    assert np.argwhere(moved.array).tolist() == [[3, 2, 2]]


@FEW
@given(geometry=geometries(), spacing=st.tuples(*[st.floats(0.5, 6.0)] * 3))
def test_another_spacing_covers_the_same_box(geometry: Geometry, spacing: tuple[float, float, float]) -> None:
    other = with_spacing(geometry, spacing)

    def corner(grid: Geometry) -> np.ndarray:
        return (grid.index_to_lps() @ [-0.5, -0.5, -0.5, 1.0])[:3]

    assert np.allclose(corner(other), corner(geometry), atol=1e-6)
    extent = np.multiply(other.size, other.spacing) - np.multiply(geometry.size, geometry.spacing)
    assert (extent >= -1e-4).all() and (extent < np.asarray(spacing) + 1e-4).all()


def test_volume_of_a_mask_is_in_millilitres() -> None:
    mask = Volume(np.ones((10, 10, 10), np.uint8), Geometry((10, 10, 10), (2.0, 2.5, 2.0)))
    assert mask.volume_ml() == pytest.approx(10.0)


def test_an_array_must_fit_its_grid() -> None:
    with pytest.raises(GeometryError, match=r"\(4, 3, 2\) does not fit grid \(2, 3, 4\)"):
        Volume(np.zeros((4, 3, 2)), Geometry((4, 3, 2), (1, 1, 1)))


# --- masks ------------------------------------------------------------------------------------------------------


def test_a_mask_is_the_value_asked_for(tmp_path: Path) -> None:
    grid = Geometry((3, 1, 1), (1, 1, 1))
    write_volume(Volume(np.array([[[0, 2, 5]]], np.int16), grid), tmp_path / "mask.nii.gz")
    assert read_mask(tmp_path / "mask.nii.gz").array.tolist() == [[[0, 1, 1]]]
    assert read_mask(tmp_path / "mask.nii.gz", grid, 5).array.tolist() == [[[0, 0, 1]]]
    with pytest.raises(GeometryError, match=r"\(3, 1, 1\) voxels against \(4, 1, 1\)"):
        read_mask(tmp_path / "mask.nii.gz", replace(grid, size=(4, 1, 1)))


def test_a_probability_map_is_no_mask(tmp_path: Path) -> None:
    write_volume(Volume(np.full((2, 2, 2), 0.5, np.float32), Geometry((2, 2, 2), (1, 1, 1))), tmp_path / "p.nii.gz")
    with pytest.raises(ImageError, match="not whole numbers"):
        read_mask(tmp_path / "p.nii.gz")


# --- bad files --------------------------------------------------------------------------------------------------


def _image(path: Path, shape: tuple[int, ...] = (20, 30, 40)) -> bytes:
    write_volume(
        Volume(np.random.default_rng(1).integers(0, 999, shape).astype(np.int16), Geometry(shape[::-1], (1, 1, 1))),
        path,
    )
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.98])
def test_a_truncated_file_is_an_error_and_not_half_empty(suffix: str, kept: float, tmp_path: Path) -> None:
    path = tmp_path / f"image{suffix}"
    content = _image(path)
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ImageError) as caught:
        read_volume(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    if suffix.startswith(".nii"):
        with pytest.raises(ImageError):
            require_whole(path, read_header(path))


def test_damage_inside_a_file_is_found_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    content = bytearray(_image(path))
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ImageError, match="cannot be read"):
        read_volume(path)


def test_a_gzip_file_of_several_members_is_whole(tmp_path: Path) -> None:
    plain, packed = tmp_path / "image.nii", tmp_path / "image.nii.gz"
    content = _image(plain)
    packed.write_bytes(gzip.compress(content[:5000]) + gzip.compress(content[5000:]))
    require_whole(packed, read_header(packed))
    assert np.array_equal(read_volume(packed).array, read_volume(plain).array)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty.nii.gz"),
        (b"this is text" * 50, "text.nii.gz"),
        (gzip.compress(b"this is text" * 50, mtime=0), "packed text.nii.gz"),
        (b"\0" * 1000, "zeros.nii"),
        (b"this is text" * 50, "text.nrrd"),
        (b"this is text" * 50, "text.mha"),
    ],
    # Every worker must collect the same names, and a packed file's bytes carry the time.
    ids=["empty", "text", "packed", "zeros", "nrrd", "mha"],
)
def test_rubbish_is_named(content: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for read in (read_volume, read_header):
        with pytest.raises(ImageError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: cannot be read (")


def test_a_missing_file_and_a_foreign_one_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_volume(tmp_path / "none.nii.gz")
    with pytest.raises(ImageError, match="no such file"):
        read_header(tmp_path / "none.nii.gz")
    (tmp_path / "picture.png").write_bytes(b"x")
    with pytest.raises(ImageError, match=r"not an image file.*\.nii\.gz"):
        read_volume(tmp_path / "picture.png")
    for name in ("mask.png", "mask.mhd"):
        with pytest.raises(ImageError, match="no name for an image to write"):
            write_volume(Volume(np.zeros((1, 1, 1)), Geometry((1, 1, 1), (1, 1, 1))), tmp_path / name)


def test_a_header_with_its_voxels_in_another_file_is_read(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "image.mhd"))
    assert np.array_equal(read_volume(tmp_path / "image.mhd").array, array)


def test_images_that_are_not_3d_and_grey_are_named(tmp_path: Path) -> None:
    cases = {
        "flat.nrrd": (sitk.Image(4, 5, sitk.sitkInt16), "2 dimensions"),
        "film.nii.gz": (sitk.JoinSeries([sitk.Image(4, 5, 6, sitk.sitkInt16)] * 2), "4 dimensions"),
        "film.nrrd": (sitk.JoinSeries([sitk.Image(4, 5, 6, sitk.sitkInt16)] * 2), "4 dimensions"),
        "colour.nii.gz": (sitk.Image([4, 5, 6], sitk.sitkVectorUInt8, 3), "several values per voxel"),
        "colour.mha": (sitk.Image([4, 5, 6], sitk.sitkVectorUInt8, 3), "several values per voxel"),
        "complex.nii.gz": (sitk.Image([4, 5, 6], sitk.sitkComplexFloat32), "several values per voxel"),
    }
    for name, (image, reason) in cases.items():
        sitk.WriteImage(image, str(tmp_path / name))
        for read in (read_volume, read_header):
            with pytest.raises(ImageError, match=reason):
                read(tmp_path / name)


def test_names_of_images() -> None:
    assert is_image_name("T2.NII.GZ") and not is_image_name("T2.dcm")
    assert [image_stem(Path(name)) for name in ("T2.nii.gz", "a.b.NRRD", "GED4.seg.nrrd", "T2")] == [
        "T2",
        "a.b",
        "GED4.seg",
        "T2",
    ]
