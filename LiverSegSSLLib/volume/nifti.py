"""The headers of NIfTI files: what ITK may be given to read, and what it will make of it."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.volume.grid import Geometry
from LiverSegSSLLib.volume.limits import AGAIN, SEVERAL_VALUES, checked_geometry, unreadable
from LiverSegSSLLib.volume.stored import Stored

_BYTES = 348
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_SEVERAL = (32, 128, 1792, 2048, 2304)
_MM = {0: 1.0, 1: 1e3, 2: 1.0, 3: 1e-3}  # unknown, metre, millimetre, micron

DISAGREE_MM = 1.0
"""Two places of one image further apart than this are told to the user."""


def is_nifti(path: Path) -> bool:
    """By its name."""
    return path.name.lower().endswith((".nii", ".nii.gz"))


def nifti_header(path: Path) -> Any:
    """The header as nibabel has it: of one whole file, every number that we or ITK go on with in bounds.

    :raises ImageError: it is none.
    """
    import nibabel

    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            head = file.read(_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from None
    lengths = {int.from_bytes(head[:4], order) for order in ("little", "big")}
    if 540 in lengths:
        raise ImageError("is NIfTI-2, which is not read here", path, "save it as NIfTI-1 (.nii.gz)")
    if _BYTES not in lengths or len(head) < _BYTES:
        reason = "it is empty" if not head else "it is not NIfTI" if _BYTES not in lengths else "its header is cut off"
        raise unreadable(path, reason)
    header = nibabel.Nifti1Header(head, check=False)
    if header["magic"].item() != b"n+1":
        raise ImageError("is not NIfTI, though it begins like it (Analyze, or two files)", path, "save it as .nii.gz")
    _check_numbers(header, path)
    return header


def _check_numbers(header: Any, path: Path) -> None:
    if not 1 <= int(header["dim"][0]) <= 7:
        raise ImageError(f"has {int(header['dim'][0])} dimensions", path, "give one 3-D image a file")
    code = int(header["datatype"])
    if code in _SEVERAL:
        raise ImageError(SEVERAL_VALUES, path, "give a grey-scale image")
    if code not in _TYPES:
        raise ImageError(f"has voxels of a type that is not read here (NIfTI's {code})", path, "save it as 16 bit")
    pixdim = [float(value) for value in header["pixdim"][1:4]]
    if not all(0 < value < math.inf for value in pixdim):  # ITK takes 1 mm instead, without a word
        raise ImageError(f"has voxels of {' × '.join(f'{value:g}' for value in pixdim)} mm", path, AGAIN)
    if int(header["xyzt_units"]) & 7 not in _MM:
        raise unreadable(path, "its unit of length is unknown")
    if not 0 <= float(header["vox_offset"]) < 2**62:
        raise unreadable(path, "it does not say where its voxels begin")
    turned = [float(header[name]) for name in ("quatern_b", "quatern_c", "quatern_d")]
    moved = [float(header[name]) for name in ("qoffset_x", "qoffset_y", "qoffset_z")]
    whole = all(map(math.isfinite, [*turned, *moved])) and sum(value * value for value in turned) <= 1 + 3e-7
    rows = np.concatenate([header[name] for name in ("srow_x", "srow_y", "srow_z")])
    if (int(header["qform_code"]) > 0 and not whole) or (int(header["sform_code"]) > 0 and not np.isfinite(rows).all()):
        raise unreadable(path, "its place in the patient is not given in numbers")


def nifti_dtype(header: Any) -> np.dtype[Any]:
    """The type of the voxels in the file, in this computer's byte order."""
    return np.dtype(_TYPES[int(header["datatype"])])


def nifti_stored(header: Any, path: Path) -> Stored:
    """Where the voxels lie."""
    voxels = math.prod(max(int(side), 0) for side in header["dim"][1 : int(header["dim"][0]) + 1])
    offset = max(int(header["vox_offset"]), _BYTES)
    packed = path.name.lower().endswith(".gz")
    return Stored(path, offset, voxels * nifti_dtype(header).itemsize, "gzip" if packed else "")


def nifti_is_singleton(header: Any) -> bool:
    """Whether the file has a fourth axis of length 1; ITK drops it silently when it reads NIfTI."""
    count = int(header["dim"][0])
    return count > 3 and all(int(size) == 1 for size in header["dim"][4 : count + 1])


def plain_geometry(header: Any, affines: Sequence[np.ndarray], path: Path) -> Geometry | None:
    """The grid, if the header leaves no choice; ``None`` where ITK's own rules must decide.

    NIfTI can give the place twice (qform, sform), sheared, unscaled or in metres. Only when all that it gives
    agrees is nibabel's reading surely the one that ITK takes.

    :param affines: from :func:`places`.
    :raises ImageError: an image cannot lie on such a grid.
    """
    count = int(header["dim"][0])
    size = tuple(int(value) for value in header["dim"][1 : min(count, 4) + 1])
    if any(int(side) != 1 for side in header["dim"][5 : count + 1]):  # NIfTI puts vectors there
        raise ImageError(SEVERAL_VALUES, path, "give a grey-scale image")
    pixdim = tuple(float(value) for value in header["pixdim"][1:4])
    scale = _MM[int(header["xyzt_units"]) & 7]
    # Sizes first: ITK must not be asked about a giant.
    checked_geometry(size, [value * scale for value in pixdim][: len(size)], (0.0,) * 3, np.eye(len(size)), path)
    if not affines or scale != 1.0 or count != 3:
        return None
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affines[0]  # NIfTI's world is RAS
    with np.errstate(divide="ignore", invalid="ignore"):
        direction = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    agree = all(np.abs((affines[0] - other) * [*size, 1.0]).max() < 1e-3 for other in affines[1:])
    orthonormal = np.abs(direction.T @ direction - np.eye(3)).max() < 1e-6
    scaled = np.abs(np.linalg.norm(affine[:3, :3], axis=0) / pixdim - 1).max() < 1e-6
    if not (agree and orthonormal and scaled):
        return None
    return checked_geometry(size, pixdim, tuple(affine[:3, 3]), direction, path)[0]


def disagreement_mm(header: Any, affines: Sequence[np.ndarray]) -> float:
    """How far apart qform and sform put the corners of the image, mm; 0 where only one is given."""
    if len(affines) < 2 or np.array_equal(affines[0], affines[1]):
        return 0.0
    last = np.maximum(np.asarray(header["dim"][1:4], dtype=np.float64) - 1, 0)
    corners = np.array([[x, y, z, 1.0] for x in (0, last[0]) for y in (0, last[1]) for z in (0, last[2])])
    apart = corners @ (affines[0] - affines[1]).T
    return float(np.linalg.norm(apart[:, :3], axis=1).max()) * _MM[int(header["xyzt_units"]) & 7]


def places(header: Any) -> list[np.ndarray]:
    """The places that the header gives, sform before qform; NIfTI's world, in its unit."""
    if float(header["pixdim"][0]) not in (-1.0, 1.0):  # as NIfTI says and ITK does; nibabel would raise
        header = header.copy()
        header["pixdim"][0] = 1.0
    forms = [header.get_sform()] if int(header["sform_code"]) > 0 else []
    forms += [header.get_qform()] if int(header["qform_code"]) > 0 else []
    return [np.asarray(form, dtype=np.float64) for form in forms]
