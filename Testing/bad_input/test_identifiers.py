"""Names, numbers and dates that stand in the headers of images stay there: nothing that is written holds them.

Headers of NIfTI have fields and extensions for text, NRRD and MetaImage any number of lines. The names of folders are
the keys that the user chose; they do stand in what is written.
"""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from Testing.bad_input.conftest import Answer
from Testing.bad_input.place import Place
from Testing.bad_input.test_processes import liversegssl
from Testing.bad_input.writers import body_and_liver, metaimage, nifti, nrrd, packed

PLANTED = ("QUARTZMANN", "Erdmute", "774411903", "19481131", "1948-11-31", "QZ1948")
LINES = {
    "Comment": f"{PLANTED[0]}^{PLANTED[1]}",
    "PatientID": PLANTED[2],
    "AcquisitionDate": PLANTED[3],
    "Name": PLANTED[5],
    "StudyDate": PLANTED[4],
}

RECIPE = """name: mine
propose: [{method: transfer}]
propose_again: []
rounds: 1
learn: {preset: cpu, folds: 2, options: {epochs: 1, iterations_per_epoch: 1, val_iterations: 1,
        configuration: {patch_size: [8, 32, 32]}}}
"""


def planted_nifti(array: object) -> bytes:
    """Text in every field for text, and a DICOM header as an extension."""
    content = nifti(
        array,  # type: ignore[arg-type]
        descrip=f"{PLANTED[0]}^{PLANTED[1]} {PLANTED[4]}".encode(),
        aux_file=PLANTED[2].encode(),
        intent_name=PLANTED[5].encode(),
        db_name=PLANTED[5].encode(),
    )
    note = " ".join(PLANTED).encode().ljust(248)
    extension = struct.pack("<ii", 256, 2) + note
    head = bytearray(content[:352])
    head[108:112] = struct.pack("<f", 352 + 256)  # where the voxels begin
    head[348] = 1  # there are extensions
    return packed(bytes(head) + extension + content[352:])


def planted_nrrd(array: object) -> bytes:
    content = nrrd(array)  # type: ignore[arg-type]
    lines = "".join(f"# {value}\n{name}:={value}\n" for name, value in LINES.items()) + f"content: {PLANTED[0]}\n"
    return content.replace(b"encoding", lines.encode() + b"encoding", 1)


@pytest.fixture
def planted(tmp_path: Path) -> Place:
    """Two studies whose files name a patient in their headers, in three formats; masks too, and a correction."""
    place = Place(tmp_path)
    image, liver = body_and_liver()
    other, _ = body_and_liver(1.0)
    for study in ("P1", "P2"):
        place.file(f"data/{study}/GED4.nii.gz", planted_nifti(image))
        place.file(f"data/{study}/mask_GED4.nii.gz", planted_nifti(liver))
    place.file("data/P1/T1.nrrd", planted_nrrd(other))
    place.file("data/P2/T1.mha", metaimage(other, **LINES))
    place.file("data/P2/T2.nii.gz", planted_nifti(other)[:900])  # cut: its answer must not quote it
    place.file("data/P1/T2.mha", metaimage(other, **{**LINES, "ElementType": "MET_FISH"}))
    place.file("truth/P1__T1.nii.gz", planted_nifti(liver))
    place.file("mine.nii.gz", planted_nifti(liver))
    assert all(word.encode() in gzip.decompress((place.data / "P1/GED4.nii.gz").read_bytes()) for word in PLANTED)
    return place


def require_nothing(place: Place, said: str) -> None:
    """No planted word in any name, in any byte, packed or not, or on the terminal."""
    words = [word.encode(kind) for word in PLANTED for kind in ("utf-8", "utf-16-le")]
    files = [path for path in place.workspace.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        if path.name.endswith(".gz"):
            content += gzip.decompress(content)
        for word in words:
            assert word.lower() not in content.lower(), f"{word!r} stands in {path}"
        assert not any(word.lower() in str(path.relative_to(place.root)).lower() for word in PLANTED)
    assert not any(word.lower() in said.lower() for word in PLANTED)


def test_a_round_with_its_review_and_report_writes_none_of_them(
    planted: Place, command: Callable[[list[str]], Answer]
) -> None:
    data, recipe = str(planted.data), str(planted.file("mine.yaml", RECIPE))
    # The first in processes of its own, which keep a log and their events; the rest here.
    first = liversegssl("propose", data, "--recipe", recipe, "--workers", "1")
    answers = [first]
    for arguments in (
        ["inspect", data, "--json"],
        ["review", data, "correct", "P2__T1", "--mask", str(planted.root / "mine.nii.gz")],
        ["review", data, "accept", "P1__T1", "--comment", "good"],
        ["evaluate", data, "--recipe", recipe, "--truth", str(planted.root / "truth")],
        ["report", data, "--recipe", recipe],
        ["review", data],
        ["doctor", data],
    ):
        answers.append(command(arguments))
    assert [answer.code for answer in answers] == [0] * len(answers), [answer.text for answer in answers]
    assert (planted.workspace / "runs/mine/report.html").is_file()
    assert list(planted.workspace.glob("jobs/*/events.jsonl"))
    require_nothing(planted, "".join(answer.text for answer in answers))


@pytest.mark.slow
def test_a_whole_run_writes_none_of_them(planted: Place) -> None:
    recipe = planted.file("mine.yaml", RECIPE)
    shutil.copytree(planted.data / "P1", planted.data / "P3")
    (planted.data / "P3" / "mask_GED4.nii.gz").unlink()
    answer = liversegssl("run", planted.data, "--recipe", recipe, "--workers", "1", "--device", "cpu")
    assert answer.code == 0, answer.text
    assert list(planted.workspace.glob("runs/mine/predictions/*/*.nii.gz"))
    require_nothing(planted, answer.text)
