"""NRRD and MetaImage headers as other programs write them: what ITK reads, we read, voxels and place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegSSLLib.volume import Geometry, from_sitk, read_header, read_volume

RNG = np.random.default_rng(3)
ARRAY = RNG.integers(-900, 900, (3, 4, 5)).astype(np.int16)
PLACE = Geometry((5, 4, 3), (1.5, 2.0, 3.0), (-10.0, 20.5, 7.0), (0.0, -1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0))

NRRD = b"NRRD0005\n# a comment\ntype: %(type)s\ndimension: 3\n%(more)ssizes: 5 4 3\nendian: %(endian)s\nencoding: raw\n"
DIRECTIONS = b"space directions: (1.5,0,0) (0,0,2) (0,-3,0)\nspace origin: (-10,20.5,7)\nkinds: domain domain domain\n"
META = "ObjectType = Image\nNDims = 3\n{more}DimSize = 5 4 3\nElementType = MET_SHORT\nElementDataFile = {file}\n"


def require_like_itk(path: Path) -> None:
    image = sitk.ReadImage(str(path))
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    itk, ours = from_sitk(image), read_volume(path)
    assert ours.geometry.same_grid(itk.geometry, tolerance_mm=1e-6) and ours.array.dtype == itk.array.dtype
    assert np.array_equal(ours.array, itk.array) and ours.array.flags.writeable
    assert read_header(path).geometry == ours.geometry


@pytest.mark.parametrize("space", ["left-posterior-superior", "LPS", "right-anterior-superior", "RAS", "LAS"])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_nrrd_in_every_space_and_byte_order(space: str, endian: str, tmp_path: Path) -> None:
    path = tmp_path / "image.nrrd"
    more = f"space: {space}\n".encode() + DIRECTIONS
    head = NRRD % {b"type": b"short", b"more": more, b"endian": endian.encode()}
    path.write_bytes(
        head + b"key:=value: with a colon\n\n" + ARRAY.astype(">i2" if endian == "big" else "<i2").tobytes()
    )
    require_like_itk(path)


@pytest.mark.parametrize(
    ("name", "code"), [("unsigned char", "u1"), ("uint16", "u2"), ("int", "i4"), ("long long", "i8"), ("double", "f8")]
)
def test_nrrd_of_every_type(name: str, code: str, tmp_path: Path) -> None:
    path = tmp_path / "image.nrrd"
    head = NRRD % {b"type": name.encode(), b"more": b"space: LPS\n" + DIRECTIONS, b"endian": b"little"}
    path.write_bytes(head + b"\n" + np.abs(ARRAY).astype(code).tobytes())
    require_like_itk(path)


def test_nrrd_with_spacings_alone_and_lines_as_windows_ends_them(tmp_path: Path) -> None:
    path = tmp_path / "image.nrrd"
    head = NRRD % {b"type": b"short", b"more": b"spacings: 1.5 2 3\n", b"endian": b"little"}
    path.write_bytes(head + b"\n" + ARRAY.tobytes())
    require_like_itk(path)
    expected = read_volume(path)
    path.write_bytes(head.replace(b"\n", b"\r\n") + b"\r\n" + ARRAY.tobytes())
    assert np.array_equal(read_volume(path).array, expected.array)


@pytest.mark.parametrize("frames", [3, 4])
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "packed"])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd"])
def test_files_of_itk_in_three_and_four_dimensions(suffix: str, packed: bool, frames: int, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(ARRAY)
    image.SetSpacing(PLACE.spacing)
    image.SetOrigin(PLACE.origin)
    image.SetDirection(PLACE.direction)
    path = tmp_path / f"image{suffix}"
    sitk.WriteImage(sitk.JoinSeries(image) if frames == 4 else image, str(path), packed)
    require_like_itk(path)
    assert read_volume(path).trailing_singleton == (frames == 4)
    assert read_volume(path).geometry.same_grid(PLACE)


@pytest.mark.parametrize(
    "more",
    [
        "ElementSpacing = 1.5 2 3\nOffset = 1 2 3\nTransformMatrix = 0 0 -1 -1 0 0 0 1 0\n",
        "ElementSpacing = 1.5 2 3\nPosition = 1 2 3\nOrientation = 0 0 -1 -1 0 0 0 1 0\n",
        "ElementSize = 1.5 2 3\n",
        "Comment = a = b\nElementSpacing = 1.5 2 3\nBinaryDataByteOrderMSB = True\n",
    ],
    ids=["usual", "other words", "size for spacing", "swapped"],
)
@pytest.mark.parametrize("file", ["LOCAL", "voxels.raw"])
def test_metaimage_in_other_words(more: str, file: str, tmp_path: Path) -> None:
    voxels = ARRAY.astype(">i2" if "MSB = True" in more else "<i2").tobytes()
    path = tmp_path / ("image.mha" if file == "LOCAL" else "image.mhd")
    path.write_bytes(META.format(more=more, file=file).encode() + (voxels if file == "LOCAL" else b""))
    (tmp_path / "voxels.raw").write_bytes(voxels)
    require_like_itk(path)
