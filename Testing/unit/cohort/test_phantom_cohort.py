"""A written phantom cohort: layout, truth apart, the same bytes always, taken up again after a kill."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.cohort.phantom import PHASES, PhantomSpec, plan_studies, preset, write_phantom_cohort
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import CohortError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.volume import read_geometry, read_mask, read_volume

SPEC = PhantomSpec(
    studies=3, labelled=1, vendors=("A", "B2"), unseen=1, seed=5, scale=4.0, missing=0.0, phases=(Phase.T2, Phase.GED4)
)


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_cohort(folder / "data", folder / "truth", SPEC)
    return folder / "data", folder / "truth"


def test_layout_is_the_challenges(cohort: tuple[Path, Path]) -> None:
    data, truth = cohort
    keys = [plan.key for plan in plan_studies(SPEC)]
    assert sorted(p.name for p in (data / "LiQA_training_data").iterdir()) == [
        "Vendor_A",
        "Vendor_B2",
        "Vendor_C",
        "info.csv",
    ]
    for key in keys:
        study = data / "LiQA_training_data" / f"Vendor_{key.split('-')[1]}" / key
        names = {p.name for p in study.iterdir()}
        assert names - {"mask_GED4.nii.gz"} == {"GED4.nii.gz", "T2.nii.gz"}
        assert ("mask_GED4.nii.gz" in names) == (key == keys[0])
        for phase in ("GED4", "T2"):
            image = read_volume(study / f"{phase}.nii.gz")
            mask = read_mask(truth / f"{key}__{phase}.nii.gz", image.geometry)
            assert image.array.dtype == np.int16 and 1000 < mask.volume_ml() < 2200
            assert read_geometry(truth / "organs" / f"{key}__{phase}.nii.gz").same_grid(image.geometry)
    assert "no clinical evidence" in (data / "README.txt").read_text(encoding="utf-8")


def test_the_given_mask_is_the_truth(cohort: tuple[Path, Path]) -> None:
    data, truth = cohort
    given = next(data.rglob("mask_GED4.nii.gz"))
    image = read_volume(given.with_name("GED4.nii.gz"))
    mask = read_mask(given, image.geometry)
    assert np.array_equal(mask.array, read_mask(truth / f"{given.parent.name}__GED4.nii.gz").array)
    assert mask.trailing_singleton == image.trailing_singleton


def test_it_is_indexed_without_a_problem(cohort: tuple[Path, Path]) -> None:
    found = open_cohort(cohort[0])
    assert found.layout == "care"
    assert {case.id for case in found.cases()} == {
        f"{plan.key}__{phase.value}" for plan in plan_studies(SPEC) for phase in plan.phases
    }
    assert not found.problems
    assert [case.id for case in found.cases() if case.expert] == [f"{plan_studies(SPEC)[0].key}__GED4"]


def test_same_bytes_on_any_executor(cohort: tuple[Path, Path], tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as executor:
        write_phantom_cohort(tmp_path / "data", tmp_path / "truth", SPEC, executor)
    assert digests(tmp_path / "data") == digests(cohort[0])
    assert digests(tmp_path / "truth") == digests(cohort[1])


def test_interrupted_writing_is_taken_up_again(cohort: tuple[Path, Path], tmp_path: Path) -> None:
    data, truth = tmp_path / "data", tmp_path / "truth"
    seen: list[Event] = []

    def die_after_one(event: Event) -> None:
        seen.append(event)
        if event.data.get("done") == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_phantom_cohort(data, truth, SPEC, report=Reporter(die_after_one))
    first = next(data.rglob("GED4.nii.gz"))
    written = first.stat().st_mtime_ns
    (first.parent.parent.parent / f".writing-{plan_studies(SPEC)[1].key}").mkdir()  # what a kill leaves behind
    write_phantom_cohort(data, truth, SPEC)
    assert first.stat().st_mtime_ns == written
    assert digests(data) == digests(cohort[0])
    assert not list(data.rglob(".writing-*"))


def test_another_phantom_in_the_same_place_is_refused(cohort: tuple[Path, Path]) -> None:
    with pytest.raises(CohortError, match="another phantom"):
        write_phantom_cohort(*cohort, PhantomSpec(studies=2, labelled=1, unseen=0, seed=6))


def test_truth_inside_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="must not lie inside"):
        write_phantom_cohort(tmp_path, tmp_path / "truth", SPEC)


def test_plans_are_drawn_from_the_seed() -> None:
    spec = PhantomSpec(studies=40, labelled=12, unseen=7, missing=0.3, seed=1)
    plans = plan_studies(spec)
    assert plans == plan_studies(spec) != plan_studies(PhantomSpec(40, 12, unseen=7, missing=0.3, seed=2))
    assert len({plan.key for plan in plans}) == 40
    assert sum(plan.vendor == "C" for plan in plans) == 7
    assert not any(plan.labelled for plan in plans if plan.vendor == "C")
    assert sum(plan.labelled for plan in plans) == 12
    assert all(Phase.GED4 in plan.phases for plan in plans)
    assert 0.15 < 1 - np.mean([len(plan.phases) - 1 for plan in plans]) / (len(PHASES) - 1) < 0.45
    numbers = {vendor: {p.key.split("-")[0] for p in plans if p.vendor == vendor} for vendor in ("A", "B1")}
    assert numbers["A"] & numbers["B1"]  # patient numbers repeat across vendors


def test_presets() -> None:
    demo = preset("demo")
    assert (demo.studies, demo.labelled, demo.unseen) == (10, 4, 1)
    assert preset("demo", seed=3).seed == 3
    with pytest.raises(CohortError, match="choose from demo"):
        preset("dmeo")
    with pytest.raises(CohortError, match="no setting 'sedd'"):
        preset("demo", sedd=3)
    with pytest.raises(CohortError, match="no vendor 'X'"):
        PhantomSpec(vendors=("X",))
    with pytest.raises(CohortError, match="labelled"):
        PhantomSpec(studies=3, labelled=3, unseen=1)


def test_picture_is_drawn_and_small(tmp_path: Path) -> None:
    from LiverSegSSLLib.cohort.phantom.picture import draw_picture

    draw_picture(tmp_path / "phantom.png", ((9, "A"),), scale=4.0)
    assert (tmp_path / "phantom.png").read_bytes()[:4] == b"\x89PNG"
    assert 5_000 < (tmp_path / "phantom.png").stat().st_size < 100_000
