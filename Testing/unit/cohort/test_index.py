"""What opening a cohort checks, leaves out, remembers and says."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_grid import SMALL, Put

from LiverSegSSLLib.cohort import facts
from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.cohort.study import Cohort, Phase
from LiverSegSSLLib.cohort.summary import summarize
from LiverSegSSLLib.errors import CohortError


def _ids(cohort: Cohort) -> list[str]:
    return [case.id for case in cohort.cases()]


@pytest.fixture
def good(put: Put) -> Path:
    """One study that is all right."""
    put("P0/GED4.nii.gz")
    return put("P0/mask_GED4.nii.gz")


def _problem(root: Path, about: str) -> str:
    """The single problem of a cohort that has one good study, which must be there."""
    cohort = open_cohort(root)
    assert "P0__GED4" in _ids(cohort)
    (problem,) = [problem for problem in cohort.problems if "no GED4" not in problem.what]
    assert about in problem.where
    assert problem.remedy
    assert "\n" not in str(problem)
    return problem.what


# --- bad input --------------------------------------------------------------------------------------------------


def test_an_unreadable_image_is_left_out(put: Put, good: Path) -> None:
    put("P1/T1.nii.gz")
    (good / "P1" / "T2.nii.gz").write_bytes(b"rubbish")
    assert "cannot be read" in _problem(good, "P1/T2.nii.gz")
    assert _ids(open_cohort(good)) == ["P0__GED4", "P1__T1"]


def test_a_truncated_image_is_left_out(put: Put, good: Path) -> None:
    path = put("P1/T2.nii.gz") / "P1" / "T2.nii.gz"
    path.write_bytes(path.read_bytes()[:-40])
    assert "cannot be read" in _problem(good, "P1/T2.nii.gz")


def test_a_broken_link_is_left_out(put: Put, good: Path) -> None:
    put("P1/T1.nii.gz")
    (good / "P1" / "T2.nii.gz").symlink_to(good / "nowhere.nii.gz")
    assert _problem(good, "P1/T2.nii.gz") == "there is no such file"


def test_a_film_is_left_out(put: Put, good: Path) -> None:
    put("P1/T1.nii.gz")
    film = sitk.JoinSeries([sitk.Image(4, 5, 6, sitk.sitkInt16)] * 3)
    sitk.WriteImage(film, str(good / "P1" / "T2.nii.gz"))
    assert "4 dimensions" in _problem(good, "P1/T2.nii.gz")


def test_a_mask_on_another_grid_is_not_used(put: Put, good: Path) -> None:
    put("P1/GED4.nii.gz")
    put("P1/mask_GED4.nii.gz", geometry=replace(SMALL, origin=(0.0, 0.0, 1.0)))
    assert "not on its image's grid (up to 1 mm apart)" in _problem(good, "P1/mask_GED4.nii.gz")
    assert open_cohort(good).case("P1__GED4").expert is None


def test_an_empty_mask_is_not_used(put: Put, good: Path) -> None:
    put("P1/GED4.nii.gz")
    put("P1/mask_GED4.nii.gz", value=0)
    assert "the mask is empty" in _problem(good, "P1/mask_GED4.nii.gz")
    assert open_cohort(good).case("P1__GED4").expert is None


def test_an_unreadable_mask_is_not_used(put: Put, good: Path) -> None:
    put("P1/GED4.nii.gz")
    (good / "P1" / "mask_GED4.nii.gz").write_bytes(b"rubbish")
    assert "cannot be read" in _problem(good, "P1/mask_GED4.nii.gz")


def test_a_picture_given_as_mask_is_not_used(put: Put, good: Path) -> None:
    put("P1/GED4.nii.gz")
    noise = sitk.GetImageFromArray(np.random.default_rng(0).random((4, 5, 6)))
    noise.SetSpacing(SMALL.spacing)
    sitk.WriteImage(noise, str(good / "P1" / "mask_GED4.nii.gz"))
    assert "is not a mask: it holds 120 different values" in _problem(good, "P1/mask_GED4.nii.gz")


def test_a_mask_without_the_livers_value_is_not_used(put: Put) -> None:
    put("P1/T2.nii.gz")
    put("P1/mask_T2.nii.gz", value=3)
    put("P2/T2.nii.gz")
    cohort = open_cohort(put("P2/mask_T2.nii.gz", value=1), organs=(("liver", 1),))
    assert [case.id for case in cohort.cases() if case.expert] == ["P2__T2"]
    assert any("no voxel of the liver's value 1 (values: 3)" in problem.what for problem in cohort.problems)


def test_an_unknown_phase_names_the_nearest(put: Put, good: Path) -> None:
    put("P0/GED44.nii.gz")
    what = _problem(good, "P0/GED44.nii.gz")
    assert "'GED44' says no known phase (nearest: GED4)" in what


@pytest.mark.parametrize(
    ("names", "how"),
    [
        (("a/P1", "b/P1"), "2 studies are called 'P1'"),
        (("a/P1", "b/p1"), "the names 'P1', 'p1' differ only"),
        (("P 1", "P-1"), "the names 'P 1', 'P-1' differ only"),
        (("P__1", "P_1"), "the names 'P_1', 'P__1' differ only"),
    ],
)
def test_studies_that_could_be_confused_are_left_out(put: Put, good: Path, names: tuple[str, str], how: str) -> None:
    for name in names:
        put(f"{name}/T2.nii.gz")
    assert how in _problem(good, names[0])
    assert _ids(open_cohort(good)) == ["P0__GED4"]


def test_unsafe_study_names_become_safe_keys(put: Put, good: Path) -> None:
    put("Müller, K/T2.nii.gz")
    cohort = open_cohort(good)
    assert _ids(cohort) == ["Muller-K__T2", "P0__GED4"]


def test_the_order_does_not_depend_on_the_disk(put: Put, good: Path) -> None:
    for name in ("P10/T2", "P9/T1", "P9/DWI_800", "P9/GED1"):
        put(f"{name}.nii.gz")
    assert _ids(open_cohort(good)) == ["P0__GED4", "P10__T2", "P9__GED1", "P9__T1", "P9__DWI"]


# --- nothing there ----------------------------------------------------------------------------------------------


def test_nothing_found_says_what_would_have_been_right(tmp_path: Path, put: Put) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CohortError, match=r"no image was found.*study/GED4\.nii\.gz.*Vendor_A.*CSV"):
        open_cohort(empty)
    with pytest.raises(CohortError, match="no such folder"):
        open_cohort(tmp_path / "none")
    with pytest.raises(CohortError, match=r"no file name says a phase \(for example x\.nii\.gz\)"):
        open_cohort(put("x.nii.gz"))


def test_dicom_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").write_bytes(b"x")
    with pytest.raises(CohortError, match=r"DICOM.*dcm2niix"):
        open_cohort(tmp_path)


def test_nothing_usable_names_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "P1").mkdir()
    for name in ("T1", "T2"):
        (tmp_path / "P1" / f"{name}.nii.gz").write_bytes(b"rubbish")
    with pytest.raises(CohortError, match=r"no usable case; .*T1\.nii\.gz: cannot be read .*\(and 1 more\)"):
        open_cohort(tmp_path)


# --- the cache --------------------------------------------------------------------------------------------------


def test_the_cache_saves_reading_and_notices_changes(
    put: Put, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "work" / "headers.json"
    opened: list[str] = []

    def noting(read: Callable[[Path], object]) -> Callable[[Path], object]:
        return lambda path: (opened.append(path.name), read(path))[1]  # type: ignore[func-returns-value]

    for name in ("read_header", "read_volume"):
        monkeypatch.setattr(facts, name, noting(getattr(facts, name)))
    first = open_cohort(good, cache=cache)
    assert sorted(opened) == ["GED4.nii.gz", "mask_GED4.nii.gz"]
    opened.clear()
    assert open_cohort(good, cache=cache) == first
    assert opened == []
    put("P0/mask_GED4.nii.gz", value=0)
    stamp = time.time_ns() + 10**9
    os.utime(good / "P0" / "mask_GED4.nii.gz", ns=(stamp, stamp))
    assert open_cohort(good, cache=cache).case("P0__GED4").expert is None
    assert opened == ["mask_GED4.nii.gz"]


def test_the_cache_moves_with_the_cohort(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "headers.json"
    open_cohort(good, cache=cache)
    good.rename(tmp_path / "moved")
    monkeypatch.setattr(facts, "read_header", lambda path: pytest.fail("the header was read again"))
    assert _ids(open_cohort(tmp_path / "moved", cache=cache)) == ["P0__GED4"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"version": 999}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"version": 2, "files": {"P0/GED4.nii.gz": [1]}}',
        b'{"version": 2, "files": {"P0/GED4.nii.gz": [1, 2, true, [[1], 2, 3, 4, ""]]}}',
    ],
)
def test_a_damaged_cache_is_made_anew(good: Path, tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "headers.json"
    cache.write_bytes(content)
    cohort = open_cohort(good, cache=cache)
    assert _ids(cohort) == ["P0__GED4"] and cohort.problems == ()
    assert json.loads(cache.read_text())["version"] == 2


def test_a_cache_that_cannot_be_written_does_no_harm(good: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert _ids(open_cohort(good, cache=tmp_path / "file" / "headers.json")) == ["P0__GED4"]


def test_the_cohort_folder_is_left_as_it_was(good: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in sorted(good.rglob("*"))}
    open_cohort(good)
    assert {path: path.stat().st_mtime_ns for path in sorted(good.rglob("*"))} == before


# --- summary ----------------------------------------------------------------------------------------------------


def test_the_summary_counts(put: Put, tmp_path: Path) -> None:
    coarse = replace(SMALL, spacing=(1.0, 1.0, 7.0), size=(6, 5, 9))
    for study, files in {"1-A-S1": ("GED4", "T2", "DWI_800"), "2-A-S1": ("GED4", "T2"), "1-B1-S1": ("GED4",)}.items():
        for name in files:
            put(f"Vendor_{study[2:4].rstrip('-')}/{study}/{name}.nii.gz", geometry=SMALL if name == "GED4" else coarse)
    root = put("Vendor_A/1-A-S1/mask_GED4.nii.gz")
    summary = summarize(open_cohort(root), cache=tmp_path / "headers.json")
    assert (summary.studies, summary.patients, summary.cases, summary.labelled) == (3, 3, 6, 1)
    assert summary.vendors == {"A": 2, "B1": 1}
    assert summary.b_values == {"800": 1}
    by_phase = {phase.phase: phase for phase in summary.phases}
    assert list(by_phase) == ["GED4", "T2", "DWI"]
    assert (by_phase["T2"].cases, by_phase["T2"].missing, by_phase["T2"].vendors) == (2, 1, {"A": 2})
    assert by_phase["GED4"].vendors == {"A": 2, "B1": 1} and by_phase["GED4"].labelled == 1
    thickness, slices = by_phase["T2"].thickness_mm, by_phase["T2"].slices
    assert thickness is not None and (thickness.low, thickness.median, thickness.high) == (7.0, 7.0, 7.0)
    assert slices is not None and slices.median == 9
    assert summary.liver_ml is not None and summary.liver_ml.high == pytest.approx(8 * 1.5 * 1.5 * 3 / 1000)
    assert json.loads(json.dumps(summary.as_dict()))["phases"][0]["phase"] == Phase.GED4.value
