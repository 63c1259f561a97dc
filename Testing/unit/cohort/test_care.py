"""The CARE layout with its spellings and traps (METHODS 2.1)."""

from pathlib import Path

import pytest
from small_grid import Put

from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.cohort.study import Cohort, Phase
from LiverSegSSLLib.errors import CohortError
from LiverSegSSLLib.volume import read_volume

ALL = ("GED1", "GED2", "GED3", "GED4", "T1", "T2", "DWI_800")


def _study(put: Put, folder: str, files: tuple[str, ...] = ALL, mask: bool = False) -> Path:
    for name in files:
        put(f"{folder}/{name}.nii.gz")
    if mask:
        put(f"{folder}/mask_GED4.nii.gz")
    return put(f"{folder}/GED4.nii.gz")


def _texts(cohort: Cohort) -> list[str]:
    return [str(problem) for problem in cohort.problems]


@pytest.mark.parametrize(
    "folder",
    [
        "Vendor_A/1009-A-S4",
        "Vendor-A/1009-A-S4",
        "VendorA/1009-A-S4",
        "vendor a/1009-A-S4",
        "1009-A-S4",
        "LiQA_training_data/Vendor_A/1009-A-S4",
        "LiQA_val/Data/Vendor_A/1009-A",
        "input/Liver-Test-Dataset/Vendor-A/1009-A",
    ],
)
def test_all_spellings_of_the_folders(put: Put, folder: str) -> None:
    root = _study(put, folder, mask=True)
    cohort = open_cohort(root)
    assert cohort.layout == "care"
    (study,) = cohort.studies
    assert study.key == folder.split("/")[-1]
    assert (study.vendor, study.patient) == ("A", "1009-A")
    assert list(study.cases) == [Phase.GED1, Phase.GED2, Phase.GED3, Phase.GED4, Phase.T1, Phase.T2, Phase.DWI]
    assert study.cases[Phase.GED4].expert == root / folder / "mask_GED4.nii.gz"
    assert study.cases[Phase.DWI].b_value == 800
    assert cohort.problems == ()


def test_the_folder_given_may_be_the_vendor_or_the_case(put: Put) -> None:
    root = _study(put, "Vendor_B1/0241-B1-S2", mask=True)
    for path in (root, root / "Vendor_B1", root / "Vendor_B1" / "0241-B1-S2"):
        (study,) = open_cohort(path).studies
        assert (study.key, study.vendor, len(study.cases)) == ("0241-B1-S2", "B1", 7)


def test_patient_numbers_repeat_across_vendors(put: Put) -> None:
    _study(put, "Vendor_A/1053-A-S3", mask=True)
    cohort = open_cohort(_study(put, "Vendor_B2/1053-B2-S3", mask=True))
    assert [study.key for study in cohort.studies] == ["1053-A-S3", "1053-B2-S3"]
    assert len({study.patient for study in cohort.studies}) == 2
    assert cohort.problems == ()


def test_a_missing_phase_is_an_absent_file(put: Put) -> None:
    _study(put, "Vendor_A/1-A-S1", ("GED4", "T2"), mask=True)
    cohort = open_cohort(_study(put, "Vendor_A/2-A-S1", ("GED4",)))
    assert [case.id for case in cohort.cases()] == ["1-A-S1__GED4", "1-A-S1__T2", "2-A-S1__GED4"]
    assert [case.id for case in cohort.cases({Phase.T2})] == ["1-A-S1__T2"]
    assert cohort.problems == ()


def test_a_study_without_ged4_is_an_error_and_the_others_go_on(put: Put) -> None:
    root = _study(put, "Vendor_A/1-A-S1", mask=True)
    put("Vendor_A/2-A-S1/T2.nii.gz")
    cohort = open_cohort(root)
    assert [study.key for study in cohort.studies] == ["1-A-S1"]
    (problem,) = cohort.problems
    assert problem.fatal and "no GED4" in problem.what and problem.where.endswith("2-A-S1")


def test_of_several_diffusion_images_the_one_nearest_to_b_800(put: Put) -> None:
    root = _study(put, "Vendor_A/1-A-S1", ("GED4", "DWI_50", "DWI_600", "DWI_1000", "DWI"), mask=True)
    cohort = open_cohort(root)
    assert cohort.case("1-A-S1__DWI").b_value == 1000
    (problem,) = cohort.problems
    assert "DWI_1000.nii.gz is used" in problem.what and not problem.fatal


def test_files_with_a_fourth_axis_of_one_frame(put: Put) -> None:
    root = _study(put, "Vendor_A/1-A-S1", mask=True)
    put("Vendor_A/1-A-S1/T2.nii.gz", singleton=True)
    cohort = open_cohort(root)
    assert cohort.problems == ()
    volume = read_volume(cohort.case("1-A-S1__T2").image)
    assert volume.trailing_singleton and volume.array.ndim == 3


def test_a_case_in_the_wrong_vendor_folder_is_told(put: Put) -> None:
    cohort = open_cohort(_study(put, "Vendor_A/7-B1-S2", mask=True))
    assert cohort.studies[0].vendor == "B1"
    assert "the name says vendor B1, the folder above vendor A" in _texts(cohort)[0]


def test_unlabelled_cohort_is_a_problem_but_opens(put: Put) -> None:
    cohort = open_cohort(_study(put, "Vendor_A/1-A"))
    assert [problem.what for problem in cohort.problems] == ["no case has a mask"]


# --- info.csv ---------------------------------------------------------------------------------------------------


def test_info_that_agrees_says_nothing(put: Put) -> None:
    _study(put, "LiQA_val/Data/Vendor_A/1-A", mask=True)
    root = _study(put, "LiQA_val/Data/Vendor_B1/2-B1", ("GED4", "T2"))
    rows = ["Case,Vendor,Missing Modality", "1-A,A,None", '2-B1,B1,"GED1, GED2,GED3;T1, DWI_800"']
    (root / "LiQA_val/info.csv").write_text("\n".join(rows))
    assert open_cohort(root).problems == ()


def test_info_that_contradicts_the_files_is_told_and_the_files_count(put: Put) -> None:
    _study(put, "Vendor_A/1-A", mask=True)
    _study(put, "Vendor_A/2-A")
    _study(put, "Vendor_A/3-A", ("GED4", "T1"))
    root = _study(put, "Vendor_A/5-A")
    rows = ["Case,Vendor,Missing Modality", "1-A,Vendor_B1,", "2-A,A,T2", "3-A,A,T2", "4-A,A,"]
    (root / "info.csv").write_text("\ufeff" + "\r\n".join(rows), encoding="utf-8")
    cohort = open_cohort(root)
    assert [len(study.cases) for study in cohort.studies] == [7, 7, 2, 7]
    texts = "\n".join(_texts(cohort))
    assert "info.csv line 2: 1-A is vendor B1 in the table and A by its folder" in texts
    assert "info.csv line 3: 2-A lacks T2 in the table, but the files are there" in texts
    assert "info.csv line 4: 3-A has GED1, GED2, GED3, DWI in the table, but no such file" in texts
    assert "info.csv line 5: 4-A is listed but has no folder with images" in texts
    assert f"5-A: is not listed in {root / 'info.csv'}" in texts
    assert len(cohort.problems) == 5 and not any(problem.fatal for problem in cohort.problems)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\x00bad", b"Case,Vendor\n1-A,A\n"])
def test_an_info_that_makes_no_sense_is_passed_over(put: Put, content: bytes) -> None:
    root = _study(put, "Vendor_A/1-A-S1", mask=True)
    (root / "info.csv").write_bytes(content)
    cohort = open_cohort(root)
    assert len(cohort.studies) == 1
    (problem,) = cohort.problems
    assert "cannot be understood" in problem.what and "Missing Modality" in problem.remedy


def test_no_study_with_ged4_at_all_is_an_error_of_the_cohort(put: Put) -> None:
    root = put("Vendor_A/1-A-S1/T2.nii.gz")
    with pytest.raises(CohortError, match="no GED4"):
        open_cohort(root)
