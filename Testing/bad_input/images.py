"""Bad image files: each is tried alone, among others, and by the reader itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from Testing.bad_input.writers import SIDES, body_and_liver, dicom, flipped, metaimage, nifti, nrrd, packed

AGAIN = ".*export (or copy )?the image again"


@dataclass(frozen=True)
class BadImage:
    """``says`` empty: strange, but it can be used. ``late``: the header tells nothing; it is found with the voxels."""

    name: str
    suffix: str
    content: Callable[[], bytes]
    says: str = ""
    late: bool = False


def _body(kind: str = "<i2") -> np.ndarray:
    return body_and_liver()[0].astype(kind)


def _nan(value: float) -> np.ndarray:
    array = _body("<f4")
    array[0, :5, :5] = value
    return array


def _sheared(**more: object) -> bytes:
    return packed(nifti(srow_x=[-6, 3, 0, 105], **more))


TOO_MANY = r"says that it has .* voxels, which no scan has" + AGAIN
SEVERAL = r"has several values per voxel.*give a grey-scale image"
SHEARED = r"has axes that are not at right angles.*resample it onto a grid that is not sheared"
GZ, NII, NRRD, MHA = ".nii.gz", ".nii", ".nrrd", ".mha"
NO_PLACE = r"cannot be read \(its place in the patient is not given in numbers\)" + AGAIN

IMAGES = (
    # truncated and corrupt
    BadImage("truncated-nifti", NII, lambda: nifti()[:9000], r"it ends after 9000 of 26272 bytes" + AGAIN),
    BadImage("truncated-header", NII, lambda: nifti()[:100], r"its header is cut off" + AGAIN),
    BadImage("truncated-packed", GZ, lambda: packed(nifti())[:-2000], r"cannot be read \(.*ended before" + AGAIN),
    BadImage("truncated-nrrd", NRRD, lambda: nrrd()[:9000], r"it ends after 9000 of \d+ bytes" + AGAIN),
    BadImage("truncated-nrrd-header", NRRD, lambda: nrrd()[:60], r"its header lacks 'sizes'" + AGAIN),
    BadImage(
        "truncated-packed-nrrd",
        NRRD,
        lambda: nrrd(encoding="gzip")[:-2000],
        r"it ends inside its packed voxels" + AGAIN,
        late=True,
    ),
    BadImage("truncated-mha", MHA, lambda: metaimage()[:9000], r"it ends after 9000 of \d+ bytes" + AGAIN),
    BadImage(
        "truncated-packed-mha",
        MHA,
        lambda: metaimage(compressed=True)[:-2000],
        r"it ends inside its packed voxels" + AGAIN,
        late=True,
    ),
    BadImage(
        "mha-without-its-voxels", MHA, lambda: metaimage(ElementDataFile="gone.raw"), r"'gone\.raw', which is not"
    ),
    BadImage("corrupt-packed", GZ, lambda: flipped(packed(nifti()), [3000]), r"cannot be read \(" + AGAIN, late=True),
    BadImage(
        "corrupt-packed-mha",
        MHA,
        lambda: flipped(metaimage(compressed=True), [3000]),
        r"(cannot be read \(Error -3|holds more voxels)" + AGAIN,
        late=True,
    ),
    BadImage(
        "corrupt-packed-nrrd",
        NRRD,
        lambda: flipped(nrrd(encoding="gzip"), [3000]),
        r"(cannot be read \(Error -3|holds more voxels)" + AGAIN,
        late=True,
    ),
    BadImage("corrupt-nifti-header", NII, lambda: flipped(nifti(), range(40, 60)), r"has -\d+ dimensions"),
    BadImage("corrupt-nrrd-header", NRRD, lambda: nrrd().replace(b"sizes: 36 30 12", b"sizes: 36 \xff 12"), r"numbers"),
    BadImage("corrupt-mha-header", MHA, lambda: metaimage(DimSize="a b c"), r"'a b c' where numbers are due" + AGAIN),
    # gzip with a wrong tail
    BadImage("wrong-checksum", GZ, lambda: flipped(packed(nifti()), [-8]), r"CRC check failed" + AGAIN, late=True),
    BadImage("wrong-length", GZ, lambda: flipped(packed(nifti()), [-4]), r"Incorrect length of data" + AGAIN),
    BadImage("rubbish-after-the-end", GZ, lambda: packed(nifti()) + b"rubbish!", r"cannot be read \(" + AGAIN),
    BadImage(
        "wrong-checksum-nrrd",
        NRRD,
        lambda: flipped(nrrd(encoding="gzip"), [-8]),
        r"incorrect data check" + AGAIN,
        late=True,
    ),
    # nothing at all
    *(
        BadImage(f"zero-bytes{suffix}", suffix, lambda: b"", r"cannot be read \(it is empty\)" + AGAIN)
        for suffix in (GZ, NII, NRRD, MHA)
    ),
    BadImage("zeros", NII, lambda: bytes(5000), r"it is not NIfTI" + AGAIN),
    BadImage("text", NRRD, lambda: b"dear colleague,\n" * 90, r"it is not NRRD" + AGAIN),
    # wrong extension
    BadImage("plain-named-packed", GZ, nifti, r"Not a gzipped file" + AGAIN),
    BadImage("packed-named-plain", NII, lambda: packed(nifti()), r"it is not NIfTI" + AGAIN),
    BadImage("nrrd-named-nifti", NII, nrrd, r"it is not NIfTI" + AGAIN),
    BadImage("nifti-named-nrrd", NRRD, nifti, r"it is not NRRD" + AGAIN),
    BadImage("nrrd-named-mha", MHA, nrrd, r"it is not MetaImage" + AGAIN),
    BadImage("analyze", NII, lambda: nifti(magic=b""), r"is not NIfTI, though it begins like it"),
    BadImage("nifti-2", GZ, lambda: packed(nifti(version=2)), r"is NIfTI-2.*save it as NIfTI-1"),
    # DICOM where NIfTI is expected
    BadImage("dicom-named-nifti", NII, dicom, r"it is not NIfTI" + AGAIN),
    BadImage("dicom-named-nrrd", NRRD, dicom, r"it is not NRRD" + AGAIN),
    # bytes swapped, exotic types
    BadImage("big-endian", GZ, lambda: packed(nifti(_body(), order=">"))),
    BadImage("big-endian-nrrd", NRRD, lambda: nrrd(_body()).replace(b"little", b"big")),
    *(BadImage(f"type-{kind}", GZ, lambda kind=kind: packed(nifti(_body(kind)))) for kind in ("i8", "u8", "f8", "u4")),
    BadImage("type-float128", NII, lambda: nifti(datatype=1536, bitpix=128), r"NIfTI's 1536\).*save it as 16 bit"),
    BadImage("type-one-bit", NII, lambda: nifti(datatype=1, bitpix=1), r"NIfTI's 1\).*save it as 16 bit"),
    BadImage("type-unknown", NII, lambda: nifti(datatype=9999), r"NIfTI's 9999\).*save it as 16 bit"),
    BadImage("type-unknown-mha", MHA, lambda: metaimage(ElementType="MET_FISH"), r"type 'MET_FISH'" + AGAIN),
    BadImage("nrrd-bzip2", NRRD, lambda: nrrd(encoding="bzip2"), r"packed as 'bzip2'.*save it as raw or gzip"),
    # several values per voxel
    BadImage("complex", GZ, lambda: packed(nifti(_body("c8"))), SEVERAL),
    BadImage("rgb", NII, lambda: nifti(np.zeros(SIDES[::-1], [("R", "u1"), ("G", "u1"), ("B", "u1")])), SEVERAL),
    BadImage("colour-mha", MHA, lambda: metaimage(ElementNumberOfChannels="3"), SEVERAL),
    BadImage(
        "vector-nrrd",
        NRRD,
        lambda: nrrd(
            np.zeros((*SIDES[::-1], 3), np.float32),
            kinds="vector domain domain domain",
            space_directions="none (6,0,0) (0,6,0) (0,0,10)",
        ),
        SEVERAL,
    ),
    # values
    BadImage("nan-voxels", GZ, lambda: packed(nifti(_nan(np.nan)))),
    BadImage("infinite-voxels", NRRD, lambda: nrrd(_nan(np.inf))),
    BadImage("infinite-slope", GZ, lambda: packed(nifti(scl_slope=1e38)), r"has a slope that makes" + AGAIN, late=True),
    BadImage("constant", GZ, lambda: packed(nifti(np.full(SIDES[::-1], 7, np.int16)))),
    # giants
    BadImage("giant-nifti", NII, lambda: nifti(dim__1=32767, dim__2=32767, dim__3=32767), TOO_MANY),
    BadImage("giant-packed", GZ, lambda: packed(nifti(dim__1=32767, dim__2=32767, dim__3=32767)), TOO_MANY),
    BadImage("giant-nrrd", NRRD, lambda: nrrd(encoding="gzip", sizes="9223372036854775807 2 2"), TOO_MANY),
    BadImage("giant-mha", MHA, lambda: metaimage(DimSize="4294967296 4294967296 4294967296"), TOO_MANY),
    BadImage("giant-number-of-axes", MHA, lambda: metaimage(NDims="99"), r"it has 99 dimensions" + AGAIN),
    BadImage("packed-beyond-its-header", NRRD, lambda: _bomb(), r"more voxels than its header says" + AGAIN, late=True),
    BadImage("packed-bomb", GZ, lambda: packed(nifti() + bytes(12 << 20)), r"far longer than its header" + AGAIN),
    # sides
    BadImage("no-voxels", NII, lambda: nifti(dim__1=0), r"has 0 × 30 × 12 voxels" + AGAIN),
    BadImage("negative-side", MHA, lambda: metaimage(DimSize="-36 30 12"), r"has -36 × 30 × 12 voxels" + AGAIN),
    # spacing
    BadImage("spacing-zero", GZ, lambda: packed(nifti(pixdim__1=0)), r"has voxels of 0 × 6 × 10 mm" + AGAIN),
    BadImage("spacing-negative", GZ, lambda: packed(nifti(pixdim__1=-6)), r"has voxels of -6 × 6 × 10 mm" + AGAIN),
    BadImage("spacing-nan", GZ, lambda: packed(nifti(pixdim__1=np.nan)), r"has voxels of nan × 6 × 10 mm" + AGAIN),
    BadImage("spacing-infinite", NII, lambda: nifti(pixdim__2=np.inf), r"has voxels of 6 × inf × 10 mm" + AGAIN),
    BadImage("spacing-zero-mha", MHA, lambda: metaimage(ElementSpacing="0 6 10"), r"has voxels of 0 × 6" + AGAIN),
    BadImage("spacing-in-metres", NII, lambda: nifti(xyzt_units=1), r"has voxels of 6000 × 6000 × 10000 mm" + AGAIN),
    BadImage("spacing-missing", NRRD, lambda: nrrd(space_directions="", space="", space_origin=""), r"how large its"),
    # place
    BadImage("origin-nan", MHA, lambda: metaimage(Offset="nan 0 0"), r"lies at \(nan, 0, 0\) mm" + AGAIN),
    BadImage("origin-far", NII, lambda: nifti(qoffset_x=1e30, sform_code=0), r"lies at \(-1e\+30, .* mm" + AGAIN),
    BadImage("sform-nan", GZ, lambda: packed(nifti(srow_x=[np.nan, 0, 0, 0])), NO_PLACE),
    BadImage("quaternion-too-long", GZ, lambda: packed(nifti(quatern_b=5, sform_code=0)), NO_PLACE),
    BadImage("voxels-begin-nowhere", NII, lambda: nifti(vox_offset=np.nan), r"where its voxels begin" + AGAIN),
    # directions
    BadImage("sheared-nifti", GZ, lambda: _sheared(qform_code=0), SHEARED),
    BadImage("sheared-nrrd", NRRD, lambda: nrrd(space_directions="(6,0,0) (3,6,0) (0,0,10)"), SHEARED),
    BadImage("sheared-mha", MHA, lambda: metaimage(TransformMatrix="1 0 0 0.5 1 0 0 0 1"), SHEARED),
    BadImage("flat-directions", MHA, lambda: metaimage(TransformMatrix="0 0 0 0 0 0 0 0 0"), SHEARED),
    BadImage("left-handed", GZ, lambda: packed(nifti(srow_x=[6, 0, 0, -105], qform_code=0))),
    BadImage("left-handed-mha", MHA, lambda: metaimage(TransformMatrix="-1 0 0 0 1 0 0 0 1")),
    # dimensions
    BadImage("two-dimensional", GZ, lambda: packed(nifti(_body()[0])), r"has 2 dimensions.*give one 3-D image"),
    BadImage("four-dimensional", GZ, lambda: packed(nifti(np.stack([_body()] * 2))), r"has 4 dimensions.*one 3-D"),
    BadImage("one-frame", GZ, lambda: packed(nifti(_body()[None]))),
    BadImage("one-slice", GZ, lambda: packed(nifti(_body()[5:6]))),
    # another file's voxels
    BadImage("voxels-of-another-file", MHA, lambda: metaimage(ElementDataFile="/etc/passwd"), r"in another folder"),
    BadImage("voxels-from-above", NRRD, lambda: nrrd(data_file="../../../data"), r"in another folder"),
)


def _bomb() -> bytes:
    """A NRRD file of 25 kB of voxels, packed from 16 MiB."""
    head = nrrd(encoding="gzip").split(b"\n\n", 1)[0]
    return head + b"\n\n" + packed(bytes(16 << 20))
