"""Reading images, masks and headers; what is wrong with a file is an :class:`ImageError` with its name.

The header is checked before anything else (:mod:`~LiverSegSSLLib.volume.limits`): no voxel is read and no memory asked
for on the word of a file that cannot be what it says.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.errors import ImageError, require_answering
from LiverSegSSLLib.volume.grid import Geometry, Volume, require_same_grid
from LiverSegSSLLib.volume.limits import checked_geometry
from LiverSegSSLLib.volume.names import IMAGE_SUFFIXES, is_image_name, is_utf8
from LiverSegSSLLib.volume.nifti import (
    DISAGREE_MM,
    disagreement_mm,
    is_nifti,
    nifti_dtype,
    nifti_header,
    nifti_is_singleton,
    nifti_stored,
    places,
    plain_geometry,
)
from LiverSegSSLLib.volume.stored import Stored, read_stored, require_stored
from LiverSegSSLLib.volume.text_headers import read_text_header


@dataclass(frozen=True)
class Header:
    """What an image file says of itself. ``dtype`` is the type in the file, before any rescaling.

    ``note``: what the user should know of it, in words; the image can be used all the same.
    """

    geometry: Geometry
    trailing_singleton: bool
    dtype: np.dtype[Any]
    stored: Stored
    note: str = ""


def read_header(path: Path) -> Header:
    """Read the header only, without the voxels; the grid is the one that :func:`read_volume` finds.

    :raises ImageError: as :func:`read_volume`, as far as the header tells.
    """
    _require_image_file(path)
    if not is_nifti(path):
        text = read_text_header(path)
        return Header(text.geometry, text.trailing_singleton, text.dtype, text.stored)
    header = nifti_header(path)
    affines = places(header)
    geometry = plain_geometry(header, affines, path) or _itk_geometry(path)
    apart = disagreement_mm(header, affines)
    note = f"says two places, {apart:.3g} mm apart (qform and sform); one is used" if apart > DISAGREE_MM else ""
    return Header(geometry, nifti_is_singleton(header), nifti_dtype(header), nifti_stored(header, path), note)


def read_volume(path: Path) -> Volume:
    """Read a 3-D scalar image, or a 4-D one with a single frame. Voxels that are not numbers, or infinite, are 0.

    :raises ImageError: the file is missing, damaged, 2-D, truly 4-D, has several components per voxel, or a grid that
        no image has.
    """
    header = read_header(path)
    require_stored(header.stored, path, thorough=is_nifti(path))  # the others are unpacked once, below
    if is_nifti(path):
        array = _itk_array(path)
    else:
        in_file = header.dtype.newbyteorder(header.stored.order)
        array = np.frombuffer(read_stored(header.stored, path), in_file).astype(header.dtype, copy=False)
        array = array.reshape(header.geometry.shape)
        if array.dtype.kind == "f":  # as ITK does it in NIfTI
            array = np.nan_to_num(array, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ImageError("has a slope that makes its voxels infinite", path, "export the image again")
    return Volume(array, header.geometry, header.trailing_singleton)


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


def read_geometry(path: Path) -> Geometry:
    """Read the grid only, without the voxels.

    :raises ImageError: as :func:`read_header`.
    """
    return read_header(path).geometry


def require_whole(path: Path, header: Header, thorough: bool = False) -> None:
    """Raise :class:`ImageError` if a file ends before its last voxel (ITK fills the rest of such an image with zeros).

    :param thorough: also unpack it and compare checksums, which finds damage inside.
    """
    require_stored(header.stored, path, thorough)


def _require_image_file(path: Path) -> None:
    try:
        there, folder = path.is_file(), path.is_dir()
    except OSError as error:  # a name that is too long
        require_answering(error, path)
        raise ImageError(f"cannot be opened ({error.strerror})", path, "check the path") from None
    if folder:
        raise ImageError("is a folder", path, "give an image file")
    if not there:
        raise ImageError("there is no such file", path)
    if not is_image_name(path.name):
        raise ImageError("is not an image file", path, f"give one of {', '.join(IMAGE_SUFFIXES)}")


# --- ITK, for NIfTI ---------------------------------------------------------------------------------------------


def _itk_geometry(path: Path) -> Geometry:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()

    def read(name: str) -> None:
        reader.SetImageIO("NiftiImageIO")
        reader.SetFileName(name)
        reader.ReadImageInformation()

    _by_itk(path, read)
    dimension = reader.GetDimension()
    direction = np.reshape(reader.GetDirection(), (dimension, dimension))
    return checked_geometry(reader.GetSize(), reader.GetSpacing(), reader.GetOrigin(), direction, path)[0]


def _itk_array(path: Path) -> np.ndarray:
    import SimpleITK as sitk

    image = _by_itk(path, lambda name: sitk.ReadImage(name, imageIO="NiftiImageIO"))
    array: np.ndarray = sitk.GetArrayFromImage(image)
    return array.reshape(array.shape[-3:])  # what goes before is 1: the header was checked


def _by_itk(path: Path, read: Any) -> Any:
    import SimpleITK as sitk

    # What ITK warns of on standard error, with addresses in memory, is checked above.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with _alone(path) as name:
            return read(name)
    except RuntimeError as error:
        text = str(error)
        if "orthonormal" in text:
            what, remedy = "has axes that are not at right angles", "resample it onto a grid that is not sheared"
            raise ImageError(what, path, remedy) from None
        # "Reason:" gives the last error number of the system, which misleads.
        _require_reachable(path)
        lines = [line for line in text.strip().splitlines() if not line.startswith("Reason:")]
        reason = lines[-1].split("): ")[-1].strip()
        raise ImageError(f"cannot be read ({reason})", path, "export the image again") from None


def _require_reachable(path: Path) -> None:
    """ITK does not say whether a file is damaged or its disk or share does not answer: then this raises."""
    try:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    except OSError as error:
        require_answering(error, path)


@contextmanager
def _alone(path: Path) -> Iterator[str]:
    """A name under which ITK opens this very file.

    Asked for ``a.nii.gz`` it reads ``a.nii`` if that lies beside it; a name that is not UTF-8 ends the process.
    """
    packed = path.name.lower().endswith(".nii.gz")
    if is_utf8(path) and not (packed and path.with_name(path.name[:-3]).exists()):
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        name = Path(folder) / ("image.nii.gz" if packed else "image.nii")
        try:
            name.symlink_to(path.absolute())
        except OSError:  # Windows, without the right to make links
            shutil.copyfile(path, name)
        yield str(name)
