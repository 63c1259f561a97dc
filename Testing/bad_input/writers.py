"""Image files as other programs write them and should not: bytes by hand, so that nothing corrects them on the way."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

SIDES = (36, 30, 12)
"""Voxels of every image here along x, y, z."""

SPACING = (6.0, 6.0, 10.0)
ORIGIN = (-105.0, -90.0, -60.0)
"""Of the images in NRRD and MetaImage, LPS mm; :func:`nifti` puts its images in the same place."""


def body_and_liver(shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """An ellipse of a body with a brighter ellipse of a liver, (z, y, x); ``shift`` in voxels along x."""
    z, y, x = np.meshgrid(*(np.arange(side) for side in SIDES[::-1]), indexing="ij")
    body = ((x - 18) / 16) ** 2 + ((y - 15) / 12) ** 2 < 1
    liver = ((x - 11 - shift) / 6) ** 2 + ((y - 14) / 7) ** 2 + ((z - 6) / 5) ** 2 < 1
    texture = np.random.default_rng(0).normal(0, 6, body.shape)
    return (100 * body + 120 * liver + texture * body).astype(np.int16), liver.astype(np.uint8)


def nifti(array: np.ndarray | None = None, order: str = "<", version: int = 1, **fields: Any) -> bytes:
    """A NIfTI file, not compressed.

    :param array: (z, y, x), or with more axes before them; ``None``: a body.
    :param order: ``<`` little-endian, ``>`` big-endian; the voxels are swapped along.
    :param fields: header fields that are written as they are, whatever the voxels say.
    """
    array = body_and_liver()[0] if array is None else array
    kind = nibabel.Nifti1Header if version == 1 else nibabel.Nifti2Header
    header = kind(endianness=order)
    header.set_data_shape(array.shape[::-1])
    header.set_data_dtype(array.dtype)
    header["pixdim"][1:4] = SPACING
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])  # LPS in NIfTI's RAS
    affine[:3, 3] = -ORIGIN[0], -ORIGIN[1], ORIGIN[2]
    header.set_sform(affine, 1)
    header.set_qform(affine, 1)
    header["xyzt_units"] = 2  # mm
    header["vox_offset"] = 352 if version == 1 else 544
    header["magic"] = b"n+1" if version == 1 else b"n+2\0\r\n\032\n"
    for name, value in fields.items():
        if "__" in name:  # pixdim__1: one number of several
            field, index = name.split("__")
            header[field][int(index)] = value
        else:
            header[name] = value
    voxels = array.astype(array.dtype.newbyteorder(order))
    return header.binaryblock + bytes(4) + voxels.tobytes()


def packed(content: bytes) -> bytes:
    """gzip, the same bytes each time."""
    return gzip.compress(content, mtime=0)


def nrrd(array: np.ndarray | None = None, encoding: str = "raw", **fields: str) -> bytes:
    """A NRRD file with its voxels. ``fields`` replace lines of the header (``_`` for a space); empty: left out."""
    array = body_and_liver()[0] if array is None else array
    lines = {
        "type": {"int16": "short", "uint8": "uchar", "float32": "float"}[array.dtype.name],
        "dimension": str(array.ndim),
        "space": "left-posterior-superior",
        "sizes": " ".join(str(side) for side in array.shape[::-1]),
        "space directions": f"({SPACING[0]},0,0) (0,{SPACING[1]},0) (0,0,{SPACING[2]})",
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": encoding,
        "space origin": f"({ORIGIN[0]},{ORIGIN[1]},{ORIGIN[2]})",
    }
    lines |= {name.replace("_", " "): value for name, value in fields.items()}
    text = "".join(f"{name}: {value}\n" for name, value in lines.items() if value)
    voxels = array.tobytes()
    return b"NRRD0004\n" + text.encode() + b"\n" + (packed(voxels) if encoding == "gzip" else voxels)


def metaimage(array: np.ndarray | None = None, compressed: bool = False, **fields: str) -> bytes:
    """A MetaImage file with its voxels (.mha). ``fields`` replace lines of the header; empty: left out."""
    import zlib

    array = body_and_liver()[0] if array is None else array
    voxels = zlib.compress(array.tobytes()) if compressed else array.tobytes()
    lines = {
        "ObjectType": "Image",
        "NDims": str(array.ndim),
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(compressed),
        "CompressedDataSize": str(len(voxels)) if compressed else "",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": " ".join(map(str, ORIGIN)),
        "ElementSpacing": " ".join(map(str, SPACING)),
        "DimSize": " ".join(str(side) for side in array.shape[::-1]),
        "ElementType": {"int16": "MET_SHORT", "uint8": "MET_UCHAR", "float32": "MET_FLOAT"}[array.dtype.name],
    }
    file = fields.pop("ElementDataFile", "LOCAL")
    lines |= fields
    text = "".join(f"{name} = {value}\n" for name, value in lines.items() if value)
    return text.encode() + f"ElementDataFile = {file}\n".encode() + (voxels if file == "LOCAL" else b"")


def dicom(rows: int = 16, name: str = "PROBE^PATIENT") -> bytes:
    """A DICOM file of one small slice (explicit VR, little-endian)."""

    def element(group: int, number: int, kind: str, value: bytes) -> bytes:
        value += b"\0" * (len(value) % 2)
        head = struct.pack("<HH2s", group, number, kind.encode())
        if kind in ("OB", "OW", "UN"):
            return head + b"\0\0" + struct.pack("<I", len(value)) + value
        return head + struct.pack("<H", len(value)) + value

    meta = element(2, 2, "UI", b"1.2.840.10008.5.1.4.1.1.4") + element(2, 16, "UI", b"1.2.840.10008.1.2.1")
    words = [(2, b"\1\0"), (0x10, struct.pack("<H", rows)), (0x11, struct.pack("<H", rows)), (0x100, b"\x10\0")]
    body = element(0x10, 0x10, "PN", name.encode()) + b"".join(element(0x28, at, "US", word) for at, word in words)
    pixels = element(0x7FE0, 0x10, "OW", bytes(2 * rows * rows))
    return bytes(128) + b"DICM" + element(2, 0, "UL", struct.pack("<I", len(meta))) + meta + body + pixels


def flipped(content: bytes, at: Sequence[int]) -> bytes:
    """The same bytes with those at some places turned round."""
    changed = bytearray(content)
    for index in at:
        changed[index] ^= 0xFF
    return bytes(changed)


def write(path: Path, content: bytes) -> None:
    """Write bytes, packed if the name says so."""
    path.write_bytes(packed(content) if path.name.endswith(".gz") else content)
