"""Bad masks, folders, names and tables: what a cohort can be given."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable

import numpy as np

from Testing.bad_input.entry import Entry, after, of_cohort
from Testing.bad_input.place import CASES, OTHERS, Place
from Testing.bad_input.writers import ORIGIN, body_and_liver, dicom, nifti, packed

LIVER = body_and_liver()[1]
SECOND = frozenset({"P2__GED4"})
NOT_LABELLED = r"; the case counts as not labelled"
ONE_KEEP = r"none of them is used.*keep one"
MASK = r"mask_GED4\.nii\.gz: .*"
FIRST = frozenset({"P1__GED4", "P1__T1"})


def _mask(array: np.ndarray = LIVER, **fields: object) -> Callable[[Place], object]:
    return lambda place: place.mask.write_bytes(packed(nifti(array, **fields)))


def _moved(x: float) -> dict[str, object]:
    """Header fields of an image that lies ``x`` mm further to the left."""
    return {"srow_x": [-6, 0, 0, -ORIGIN[0] - x], "qoffset_x": -ORIGIN[0] - x}


def _holes() -> np.ndarray:
    liver = LIVER.astype(np.float32)
    liver[0, 0, :9] = np.nan
    return liver


def _table(text: str) -> Callable[[Place], object]:
    return lambda place: place.file("data/cohort.csv", text)


def _rows(*rows: str, head: str = "study,phase,image,label,label_value") -> Callable[[Place], object]:
    return _table("\n".join([head, "P2,GED4,P2/GED4.nii.gz,P2/mask_GED4.nii.gz,", *rows]))


MASKS = (
    of_cohort("mask-shifted", _mask(**_moved(5.0)), MASK + r"not on its image's grid \(up to 5 mm apart\).*resample"),
    of_cohort(
        "mask-of-another-spacing",
        _mask(pixdim__3=5.0, srow_z=[0, 0, 5, -60]),
        MASK + r"not on its image's grid.*nearest neighbour",
    ),
    of_cohort("mask-flipped", _mask(srow_x=[6, 0, 0, -105], qform_code=0), MASK + r"grid \(up to .* mm apart\)"),
    of_cohort("mask-of-another-size", _mask(LIVER[:6]), MASK + r"\(36, 30, 6\) voxels against \(36, 30, 12\)"),
    of_cohort("mask-of-halves", _mask(LIVER * np.float32(0.5)), MASK + r"is not a mask.*export it as a label map"),
    of_cohort("mask-as-float", _mask(LIVER.astype(np.float32)), "2 labelled"),
    of_cohort("mask-with-nan", _mask(_holes()), "2 labelled"),
    of_cohort("mask-empty", _mask(LIVER * 0), MASK + "the mask is empty" + NOT_LABELLED + ".*draw the liver"),
    of_cohort("mask-of-negatives", _mask(-LIVER.astype(np.int16)), MASK + "the mask is empty" + NOT_LABELLED),
    of_cohort("mask-everywhere", _mask(LIVER * 0 + 1), MASK + "the mask covers the whole image" + NOT_LABELLED),
    of_cohort(
        "mask-is-an-image",
        _mask(np.arange(LIVER.size, dtype=np.int16).reshape(LIVER.shape)),
        MASK + r"is not a mask: it holds \d+ different",
    ),
    of_cohort("mask-truncated", lambda place: place.mask.write_bytes(packed(nifti(LIVER))[:-20]), MASK + "cannot be"),
    of_cohort(
        "mask-values-unknown",
        _rows("P1,GED4,P1/GED4.nii.gz,P1/mask_GED4.nii.gz,63"),
        MASK + r"no voxel of the liver's value 63 \(values: 1\)" + NOT_LABELLED + ".*correct the value",
        frozenset({"P1__GED4", "P2__GED4"}),
    ),
    of_cohort(
        "masks-several",
        lambda place: shutil.copy(place.mask, place.mask.with_name("GED4_label.nii.gz")),
        r"several masks of GED4 \(.*" + ONE_KEEP,
    ),
    of_cohort(
        "mask-without-image",
        lambda place: place.image.rename(place.image.with_name("mask_T1.nii.gz")),
        r"mask_T1\.nii\.gz: is a mask, but not of any image.*name it like its image",
        OTHERS,
    ),
    of_cohort(
        "places-disagree",
        lambda place: place.image.write_bytes(packed(nifti(srow_x=[-6, 0, 0, 160]))),
        r"T1\.nii\.gz: says two places, 55 mm apart \(qform and sform\).*look whether its mask lies on it",
    ),
)


def _add(name: str, content: bytes = packed(nifti())) -> Callable[[Place], object]:
    return lambda place: place.file(f"data/{name}", content)


def _link(name: str, target: str) -> Callable[[Place], object]:
    return lambda place: (place.data / name).symlink_to(target)


def _lacking(*names: str) -> Callable[[Place], object]:
    def change(place: Place) -> None:
        for name in names:
            (place.data / name).unlink()

    return change


def _studies(*names: str) -> Callable[[Place], object]:
    return lambda place: [place.study(name) for name in names]


def _care(info: bytes | str = "", leave_out: str = "") -> Callable[[Place], object]:
    """The cohort in CARE's layout."""

    def change(place: Place) -> None:
        for study, name in (("P1", "0001-A-S1"), ("P2", "0002-A-S2")):
            folder = place.data / "Vendor_A" / name
            folder.parent.mkdir(exist_ok=True)
            (place.data / study).rename(folder)
        if leave_out:
            (place.data / "Vendor_A" / leave_out).unlink()
        if info:
            place.file("data/info.csv", info)

    return change


CARE = frozenset(f"{study}__{phase}" for study in ("0001-A-S1", "0002-A-S2") for phase in ("GED4", "T1"))


def _mark(name: str) -> str:
    """What stands in a study key for letters that it cannot hold."""
    return hashlib.sha1(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _named(*keys: str) -> frozenset[str]:
    return CASES | {f"{key}__{phase}" for key in keys for phase in ("GED4", "T1")}


FOLDERS = (
    of_cohort(
        "phase-twice", _add("P1/T1.nrrd"), r"several files are T1 \(T1\.nii\.gz, T1\.nrrd\); " + ONE_KEEP, OTHERS
    ),
    of_cohort(
        "study-twice",
        lambda place: shutil.copytree(place.data / "P1", place.data / "again" / "P1"),
        r"2 studies are called 'P1'; none of them is used.*name of its own",
        CASES - FIRST,
    ),
    of_cohort(
        "study-by-letter-case",
        _studies("p1"),
        r"'P1', 'p1' differ only by letter case.*name of its own",
        CASES - FIRST,
    ),
    of_cohort("study-by-special-characters", _studies("a b", "a?b"), r"'a b', 'a\?b' differ only by"),
    of_cohort("name-with-spaces", _studies("a b  c"), "3 studies", _named("a-b-c")),
    of_cohort("name-with-quotes", _studies("""o'Hara "x" $(id) `id` ;"""), "3 studies", _named("o-Hara-x-id-id")),
    of_cohort("name-with-dashes", _studies("--help"), "3 studies", _named("help")),
    of_cohort("name-with-a-newline", _studies("a\nb"), "3 studies", _named("a-b")),
    of_cohort("name-not-ascii", _studies("Müller"), "3 studies", _named("Muller")),
    of_cohort("name-in-chinese", _studies("肝脏"), "3 studies", _named(_mark("肝脏"))),
    of_cohort("name-of-a-hidden-folder", _studies("...", ".x"), "2 studies", CASES),
    of_cohort("name-of-a-device", _studies("NUL"), "3 studies", _named("NUL")),
    of_cohort("name-very-long", _studies("x" * 200), "3 studies", _named("x" * 71 + f"-{_mark('x' * 200)}")),
    of_cohort("name-not-utf-8", _studies("\udcff\udcfe"), "3 studies", _named(_mark("\udcff\udcfe"))),
    of_cohort(
        "file-name-not-utf-8", _add("P1/\udcff\udcfe.nii.gz"), r"P1/\?\?\.nii\.gz: .*no known phase.*rename the file"
    ),
    of_cohort(
        "file-name-steers-the-terminal",
        _add("P1/\x1b[2Jtumour\r\n\x07.nii.gz"),
        r"P1/\S*tumour.*says no known phase.*rename the file",
    ),
    of_cohort("phase-misspelt", _add("P1/GDE3.nii.gz"), r"says no known phase \(nearest: GED3\).*rename the file"),
    of_cohort("link-loop", _link("P1/loop", ".."), "2 studies", CASES),
    of_cohort("link-to-itself", _link("P1/T2.nii.gz", "T2.nii.gz"), r"T2\.nii\.gz: .*check the (link|path)"),
    of_cohort(
        "link-broken", _link("P1/T2.nii.gz", "gone.nii.gz"), r"T2\.nii\.gz: there is no such file.*check the link"
    ),
    of_cohort("folder-named-like-an-image", lambda place: (place.data / "P1/T2.nii.gz").mkdir(), "2 studies"),
    of_cohort(
        "pipe-named-like-an-image", lambda place: os.mkfifo(place.data / "P1/T2.nii.gz"), r"T2\.nii\.gz: .*no such"
    ),
    of_cohort("no-ged4", _lacking("P1/GED4.nii.gz", "P1/mask_GED4.nii.gz"), r"study P1: no GED4", CASES - {"P1__GED4"}),
    of_cohort("no-label", _lacking("P1/mask_GED4.nii.gz", "P2/mask_GED4.nii.gz"), r"no case has a mask.*put a mask"),
    of_cohort(
        "all-phases-missing",
        _lacking("P1/GED4.nii.gz", "P1/T1.nii.gz"),
        r"mask_GED4\.nii\.gz: is a mask, but not of any image",
        CASES - FIRST,
    ),
    of_cohort("study-empty", lambda place: (place.data / "P3").mkdir(), "2 studies"),
    of_cohort("dicom-among-others", _add("P1/T2/IM0001.dcm", dicom()), "2 studies"),
    of_cohort(
        "care-no-ged4", _care(leave_out="0002-A-S2/GED4.nii.gz"), r"no GED4.*left out", CARE - _named("0002-A-S2")
    ),
    of_cohort(
        "info-csv-contradicts",
        _care("Case,Vendor,Missing Modality\n0001-A-S1,B1,T1\n0009-C,C,\n"),
        r"(?s)0001-A-S1 is vendor B1 in the table and A by its folder.*lacks T1 in the table, but the files are there"
        r".*0009-C is listed but has no folder.*is not listed in",
        CARE,
    ),
    of_cohort("info-csv-without-columns", _care("x,y\n1,2\n"), r"info\.csv: cannot be understood.*columns Case", CARE),
    of_cohort(
        "info-csv-is-binary", _care(b"\xff\xfe\0\0" * 99), r"info\.csv: cannot be understood.*columns Case", CARE
    ),
    of_cohort("info-csv-is-endless", _care("Case,Vendor,Missing\n" + "x" * 200_000), r"info\.csv: cannot be", CARE),
    of_cohort("info-csv-is-ragged", _care("Case,Vendor,Missing\n0001-A-S1\n,,,,,,\n"), r"is not listed in", CARE),
    of_cohort(
        "table-row-without-image",
        _rows("P1,T1,"),
        r"cohort\.csv line 3: has no image.*correct",
        SECOND,
    ),
    of_cohort(
        "table-row-misspelt",
        _rows("P1,GDE4,P1/GED4.nii.gz"),
        r"no known phase \(nearest: GED4\)",
        SECOND,
    ),
    of_cohort("table-image-gone", _rows("P1,T1,P1/T9.nii.gz"), r"T9\.nii\.gz: there is no such file", SECOND),
    of_cohort("table-value-absurd", _rows("P1,T1,P1/T1.nii.gz,,-3"), r"label_value '-3' is not", SECOND),
    of_cohort("table-value-endless", _rows("P1,T1,P1/T1.nii.gz,," + "9" * 5000), r"label_value", SECOND),
    of_cohort(
        "table-row-twice",
        _rows("P1,T1,P1/T1.nii.gz", "P1,T1,P1/T1.nii.gz"),
        r"has T1 in an earlier row too; neither is used.*keep one",
        SECOND,
    ),
    of_cohort("table-name-with-nul", _rows("P1,T1,P1/T1\0.nii.gz"), r"T1.*\.nii\.gz: ", SECOND),
)


def _whole(name: str, change: Callable[[Place], object], says: str, *more: str) -> Entry:
    """The cohort as a whole is bad."""
    return Entry(name, after(change, lambda place: ["inspect", str(place.data), *more]), says, 2)


def _emptied(place: Place) -> None:
    shutil.rmtree(place.data)
    place.data.mkdir()


def _instead(content: bytes, name: str) -> Callable[[Place], object]:
    def change(place: Place) -> None:
        _emptied(place)
        place.file(f"data/{name}", content)

    return change


def _nothing(place: Place) -> None:
    return None


WHOLE = (
    _whole("cohort-not-there", lambda place: shutil.rmtree(place.data), r"data: is not there.*give a cohort folder"),
    _whole("cohort-empty", _emptied, r"data: no image was found.*give a folder of studies"),
    _whole(
        "cohort-is-a-file", lambda place: (shutil.rmtree(place.data), place.file("data", b"x")), r"data: is no folder"
    ),
    _whole("cohort-of-dicom", _instead(dicom(), "P1/IM0001.dcm"), r"these are DICOM files: convert them first"),
    _whole(
        "cohort-without-phases", _instead(packed(nifti()), "x/scan.nii.gz"), r"no file name says a phase.*scan\.nii"
    ),
    _whole(
        "pattern-unknown-part", _nothing, r"\{patent\} in the pattern .* is unknown", "--pattern", "{study}/{patent}"
    ),
    _whole("pattern-without-study", _nothing, r"does not say study and phase", "--pattern", "{phase}.nii.gz"),
    _whole(
        "pattern-without-match", _nothing, r"no file matches.*a file found there is P1/", "--pattern", "{study}+{phase}"
    ),
    _whole("pattern-unbalanced", _nothing, r"does not say study and phase", "--pattern", "{study/{phase"),
    _whole("table-empty", _table(""), r"cohort\.csv: the manifest lacks the column study and phase and image"),
    _whole(
        "table-is-binary", _instead(b"\xff\xfe\0\0" * 99, "cohort.csv"), r"cohort\.csv: cannot be read.*CSV in UTF-8"
    ),
    _whole("table-column-misspelt", _table("study,phase,image,lable\n"), r"the column 'lable' is unknown.*'label'"),
    _whole("table-endless-cell", _table("study,phase,image\n" + "x" * 200_000), r"cohort\.csv: .*CSV in UTF-8"),
    _whole("table-of-nothing", _table("study,phase,image\n"), r"no case was found"),
)

ENTRIES = (*MASKS, *FOLDERS, *WHOLE)
