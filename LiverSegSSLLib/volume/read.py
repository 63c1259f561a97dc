"""Reading images, masks and headers; what is wrong with a file is an :class:`ImageError` with its name."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.volume.grid import Geometry, Volume, require_same_grid
from LiverSegSSLLib.volume.names import IMAGE_SUFFIXES, is_image_name

if TYPE_CHECKING:
    import SimpleITK as sitk


def read_volume(path: Path) -> Volume:
    """Read a 3-D scalar image, or a 4-D one with a single frame.

    :raises ImageError: the file is missing, damaged, 2-D, truly 4-D, or has several components per voxel.
    """
    import SimpleITK as sitk

    image = _sitk_read(path, sitk.ReadImage)
    geometry, four_axes = _geometry_of(image, path)
    array = sitk.GetArrayFromImage(image)
    singleton = four_axes
    if _is_nifti(path):
        header = read_header(path)
        require_whole(path, header, thorough=True)
        singleton = header.trailing_singleton
    return Volume(array[0] if four_axes else array, geometry, singleton)


def read_mask(path: Path, image: Geometry | None = None, value: int | None = None) -> Volume:
    """Read a mask as uint8 0/1.

    :param image: the grid it must lie on.
    :param value: the label value that counts as foreground; ``None``: every value above 0.
    :raises GeometryError: the mask is not on the image's grid.
    :raises ImageError: as :func:`read_volume`, or the voxels are not whole numbers.
    """
    volume = read_volume(path)
    if image is not None:
        require_same_grid(volume.geometry, image, path)
    array = volume.array
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise ImageError("is not a mask: its voxels are not whole numbers", path, "export it as a label map")
    return volume.with_array((array > 0 if value is None else array == value).astype(np.uint8))


@dataclass(frozen=True)
class Header:
    """What an image file says of itself. ``dtype`` is the type in the file, before any rescaling.

    ``voxel_bytes`` is the size that the file has after decompression, where that is known (NIfTI).
    """

    geometry: Geometry
    trailing_singleton: bool
    dtype: np.dtype[Any]
    voxel_bytes: int | None = None


def read_header(path: Path) -> Header:
    """Read the header only, without the voxels; the grid is the one that :func:`read_volume` finds.

    :raises ImageError: as :func:`read_volume`, as far as the header tells.
    """
    if not _is_nifti(path):
        reader = _sitk_header(path)
        geometry, singleton = _geometry_of(reader, path)
        return Header(geometry, singleton, _dtype_of(reader))
    header = _nifti_header(path)
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise ImageError("has several values per voxel (colour or complex)", path, "give a grey-scale image")
    geometry = _plain_nifti_geometry(header, path) or _geometry_of(_sitk_header(path), path)[0]
    size = int(header.get_data_offset()) + int(np.prod(geometry.size)) * dtype.itemsize
    return Header(geometry, _nifti_is_singleton(header), dtype, size)


def read_geometry(path: Path) -> Geometry:
    """Read the grid only, without the voxels.

    :raises ImageError: as :func:`read_header`.
    """
    return read_header(path).geometry


def _sitk_read(path: Path, read: Any) -> Any:
    if not path.is_file():
        raise ImageError("there is no such file", path)
    if not is_image_name(path.name):
        raise ImageError("is not an image file", path, f"give one of {', '.join(IMAGE_SUFFIXES)}")
    try:
        with _alone(path) as name:
            return read(name)
    except RuntimeError as error:
        lines = [
            line for line in str(error).strip().splitlines() if not line.startswith("Reason:")
        ]  # errno, misleading
        reason = lines[-1].split("): ")[-1].strip()
        raise ImageError(f"cannot be read ({reason})", path, "export the image again") from None


@contextmanager
def _alone(path: Path) -> Iterator[str]:
    """A name under which ITK opens this very file: asked for ``a.nii.gz`` it reads ``a.nii`` if that lies beside it."""
    if not (path.name.lower().endswith(".nii.gz") and path.with_name(path.name[:-3]).exists()):
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / "image.nii.gz"
        try:
            name.symlink_to(path.absolute())
        except OSError:  # Windows, without the right to make links
            shutil.copyfile(path, name)
        yield str(name)


def _sitk_header(path: Path) -> sitk.ImageFileReader:
    import SimpleITK as sitk

    def read(name: str) -> sitk.ImageFileReader:
        reader = sitk.ImageFileReader()
        reader.SetFileName(name)
        reader.ReadImageInformation()
        return reader

    reader: sitk.ImageFileReader = _sitk_read(path, read)
    return reader


def _dtype_of(reader: sitk.ImageFileReader) -> np.dtype[Any]:
    """The numpy type of the voxels in a file, from a reader that has read the header."""
    import SimpleITK as sitk

    array: NDArray[Any] = sitk.GetArrayViewFromImage(sitk.Image(1, 1, reader.GetPixelID()))
    return array.dtype


def _geometry_of(image: Any, path: Path) -> tuple[Geometry, bool]:
    """Geometry and whether the fourth axis is a singleton; ``image`` is a SimpleITK image or reader."""
    import SimpleITK as sitk

    reader = isinstance(image, sitk.ImageFileReader)
    components = image.GetNumberOfComponents() if reader else image.GetNumberOfComponentsPerPixel()
    if components != 1 or image.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise ImageError("has several values per voxel (colour, vector or complex)", path, "give a grey-scale image")
    dimension = image.GetDimension()
    return _checked_geometry(
        dimension,
        tuple(image.GetSize()),
        tuple(image.GetSpacing()),
        tuple(image.GetOrigin()),
        np.reshape(image.GetDirection(), (dimension, dimension)),
        path,
    )


def _checked_geometry(
    dimension: int,
    size: tuple[int, ...],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    direction: NDArray[Any],
    path: Path,
) -> tuple[Geometry, bool]:
    if dimension not in (3, 4) or (dimension == 4 and size[3] != 1):
        raise ImageError(f"has {dimension} dimensions {size}", path, "give one 3-D image a file")
    numbers = np.concatenate([spacing[:3], origin[:3], direction[:3, :3].ravel()])
    if not np.isfinite(numbers).all() or min(spacing[:3]) <= 0 or min(size[:3]) < 1:
        raise ImageError(f"has an impossible grid (size {size}, spacing {spacing})", path, "export the image again")
    geometry = Geometry(
        (int(size[0]), int(size[1]), int(size[2])),
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(float(value) for value in direction[:3, :3].ravel()),
    )
    return geometry, dimension == 4


# --- NIfTI headers ----------------------------------------------------------------------------------------------


def _is_nifti(path: Path) -> bool:
    return path.name.lower().endswith((".nii", ".nii.gz"))


def _nifti_header(path: Path) -> Any:
    """The NIfTI-1 or NIfTI-2 header as nibabel has it."""
    import nibabel
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    if not path.is_file():
        raise ImageError("there is no such file", path)
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            head = file.read(540)
        length = {int.from_bytes(head[:4], order) for order in ("little", "big")}
        if not length & {348, 540}:
            raise WrapStructError("it is empty" if not head else "it is not NIfTI")
        kind = nibabel.Nifti2Header if 540 in length else nibabel.Nifti1Header
        header = kind(head[: kind.template_dtype.itemsize], check=False)
        header.get_data_dtype()
    except (OSError, EOFError, zlib.error, HeaderDataError, WrapStructError) as error:
        raise _unreadable(path, error) from None
    return header


def _unreadable(path: Path, error: Exception) -> ImageError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return ImageError(f"cannot be read ({reason})", path, "export or copy the image again")


def require_whole(path: Path, header: Header, thorough: bool = False) -> None:
    """Raise :class:`ImageError` if a NIfTI file ends before its last voxel.

    ITK reads such a file without a word and fills the rest with zeros. The quick check looks at the length that
    a gzip file states in its last four bytes; the thorough one unpacks it, which also finds damage inside.
    """
    if header.voxel_bytes is None:
        return
    packed = path.name.lower().endswith(".gz")
    try:
        found = _stated_length(path) if packed else path.stat().st_size
        # Several gzip members in one file (bgzip) state the length of the last only: unpack such a file to be sure.
        if packed and (thorough or found != header.voxel_bytes % 2**32):
            with gzip.open(path) as file:
                found = sum(len(block) for block in iter(lambda: file.read(1 << 20), b""))
        elif packed:
            return
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, error) from None
    if found < header.voxel_bytes:
        reason = f"it ends after {found} of {header.voxel_bytes} bytes"
        raise ImageError(f"cannot be read ({reason})", path, "export or copy the image again")


def _stated_length(path: Path) -> int:
    """The length of the contents modulo 2³² that a gzip file states at its end."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4, 0))
        return int.from_bytes(file.read(4), "little")


def _nifti_is_singleton(header: Any) -> bool:
    """Whether the file has a fourth axis of length 1; ITK drops it silently when it reads NIfTI."""
    count = int(header["dim"][0])
    return count > 3 and all(int(size) == 1 for size in header["dim"][4 : count + 1])


def _plain_nifti_geometry(header: Any, path: Path) -> Geometry | None:
    """The grid, if the header leaves no choice; ``None`` where ITK's own rules must decide.

    NIfTI can give the place twice (qform, sform), sheared, unscaled or in metres. Only when all that it gives
    agrees is nibabel's reading surely the one that :func:`read_volume` takes.
    """
    affines = [form for form, code in (header.get_sform(True), header.get_qform(True)) if code]
    units = header.get_xyzt_units()[0]
    pixdim = np.asarray(header["pixdim"][1:4], dtype=np.float64)
    if not affines or units not in ("mm", "unknown") or int(header["dim"][0]) != 3 or not (pixdim > 0).all():
        return None
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affines[0], dtype=np.float64)  # NIfTI's world is RAS
    with np.errstate(divide="ignore", invalid="ignore"):
        direction = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    shape = np.asarray(header["dim"][1:4], dtype=np.float64)
    agree = all(np.abs((affines[0] - other) * [*shape, 1.0]).max() < 1e-3 for other in affines[1:])
    orthonormal = np.abs(direction.T @ direction - np.eye(3)).max() < 1e-6
    scaled = np.abs(np.linalg.norm(affine[:3, :3], axis=0) / pixdim - 1).max() < 1e-6
    if not (agree and orthonormal and scaled):  # also when a number is not finite
        return None
    size = tuple(int(value) for value in header["dim"][1:4])
    return _checked_geometry(3, size, tuple(pixdim), tuple(affine[:3, 3]), direction, path)[0]
