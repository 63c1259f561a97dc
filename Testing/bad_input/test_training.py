"""Images that are found damaged only when they are read to the end: a training goes on without them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.rounds.comparison import open_comparison
from LiverSegSSLLib.rounds.comparison_options import ComparisonOptions
from LiverSegSSLLib.rounds.opening import RunOptions
from LiverSegSSLLib.rounds.training import whole_cases
from Testing.bad_input.place import Place
from Testing.bad_input.test_identifiers import RECIPE
from Testing.bad_input.test_processes import liversegssl
from Testing.bad_input.writers import flipped, nifti, nrrd, packed


def test_nothing_is_learnt_from_an_image_damaged_inside(tmp_path: Path) -> None:
    contents = {
        "a.nii.gz": packed(nifti()),
        "b.nii.gz": flipped(packed(nifti()), [-8]),
        "c.nrrd": flipped(nrrd(encoding="gzip"), [-8]),
        "d.nrrd": nrrd(encoding="gzip"),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    cases = [TrainingCase(f"{name[0]}__T1", tmp_path / name, tmp_path / name, "expert") for name in contents]
    said: list[Event] = []
    assert [case.case_id for case in whole_cases(cases, Reporter(said.append), "train")] == ["a__T1", "d__T1"]
    assert [event.data["level"] for event in said] == ["warning", "warning"]
    assert re.search(r"b__T1: nothing is learnt from it: .*b\.nii\.gz: cannot be read .CRC", said[0].message)


@pytest.mark.slow
def test_a_whole_run_goes_on_without_an_image_damaged_inside(sound: Place, tmp_path: Path) -> None:
    place = Place(tmp_path)
    shutil.copytree(sound.data, place.data)
    place.study("P3")
    (place.data / "P3" / "GED4.nii.gz").write_bytes(flipped(packed(nifti()), [-8]))  # it has a label
    recipe = place.file("mine.yaml", RECIPE)
    before = place.sources()
    answer = liversegssl("run", place.data, "--recipe", recipe, "--workers", "1", "--device", "cpu")
    assert answer.code == 0, answer.text
    assert re.search(r"Warning: .*P3__GED4: nothing is learnt from it: .*CRC", answer.text)
    made = {"/".join(path.parts[-2:]) for path in place.workspace.glob("runs/mine/predictions/*/*.nii.gz")}
    assert {"P1/T1.nii.gz", "P2/T1.nii.gz"} <= made
    assert place.sources() == before


def test_a_comparison_leaves_out_an_image_damaged_inside(sound: Place, tmp_path: Path) -> None:
    """From all methods alike; without training, which is the same for those that are left."""
    place = Place(tmp_path)
    shutil.copytree(sound.data, place.data)
    for study in ("P3", "P4", "P5"):
        place.study(study)
    (place.data / "P4" / "GED4.nii.gz").write_bytes(flipped(packed(nifti()), [-8]))
    said: list[Event] = []
    run = RunOptions(place.data, place.workspace, device="cpu")
    options = ComparisonOptions(labelled=(1,), seeds=1, test=1, methods=("supervised",))
    with open_comparison(run, options, open_cohort(place.data), Reporter(said.append)) as comparison:
        used = {case_id for cell in comparison.plan.cells for case_id in (*cell.train, *cell.unlabelled)}
        assert "P4__GED4" not in used | set(comparison.plan.test)
        assert used and comparison.plan.test
    assert any(re.search("P4__GED4: left out: .*CRC", event.message) for event in said)
