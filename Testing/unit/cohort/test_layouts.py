"""Plain folders, named files, patterns and manifests."""

from pathlib import Path

import pytest
from small_grid import Put

from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.cohort.study import Cohort, Phase
from LiverSegSSLLib.errors import CohortError


def _ids(cohort: Cohort) -> list[str]:
    return [case.id for case in cohort.cases()]


def _labelled(cohort: Cohort) -> dict[str, str]:
    return {case.id: case.expert.name for case in cohort.cases() if case.expert}


# --- a folder per study -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_folder_per_study_in_every_format(put: Put, suffix: str) -> None:
    put(f"P1/GED4{suffix}")
    put(f"P1/T2{suffix}")
    root = put(f"P1/GED4_mask{suffix}")
    cohort = open_cohort(root)
    assert (cohort.layout, _ids(cohort)) == ("folder", ["P1__GED4", "P1__T2"])
    assert _labelled(cohort) == {"P1__GED4": f"GED4_mask{suffix}"}
    assert cohort.problems == ()


@pytest.mark.parametrize(
    "mask", ["mask_GED4", "GED4_mask", "label_GED4", "GED4-label", "GED4.seg", "hbp_mask", "P1_GED4_mask", "GED4_liver"]
)
def test_masks_by_many_names(put: Put, mask: str) -> None:
    put("P1/GED4.nrrd")
    put("P1/T2.nrrd")
    assert _labelled(open_cohort(put(f"P1/{mask}.nrrd"))) == {"P1__GED4": f"{mask}.nrrd"}


def test_a_mask_without_phase_belongs_to_the_only_image(put: Put) -> None:
    put("P1/T2.nii.gz")
    put("P1/mask.nii.gz")
    put("P2/T1.nii.gz")
    put("P2/T2.nii.gz")
    cohort = open_cohort(put("P2/mask.nii.gz"))
    assert _labelled(cohort) == {"P1__T2": "mask.nii.gz"}
    assert any("P2/mask.nii.gz: is a mask, but not of any image" in str(problem) for problem in cohort.problems)


def test_file_names_that_repeat_the_study(put: Put) -> None:
    assert _ids(open_cohort(put("P1/P1_T2.nii.gz"))) == ["P1__T2"]


def test_a_single_study_may_be_the_folder_itself(put: Put) -> None:
    put("GED4.nii.gz")
    root = put("T2.nii.gz")
    assert _ids(open_cohort(root)) == [f"{root.name}__GED4", f"{root.name}__T2"]


def test_hidden_files_and_workspaces_are_no_data(put: Put) -> None:
    root = put("P1/T2.nii.gz")
    put("P1/.T1.nii.gz")
    put("workspace/labels/P1__T2/T2.nii.gz")
    (root / "workspace" / ".liversegssl").write_text("{}")
    assert _ids(open_cohort(root)) == ["P1__T2"]


def test_two_files_of_one_phase_leave_it_out(put: Put) -> None:
    put("P1/T2.nii.gz")
    put("P1/T2w.nrrd")
    cohort = open_cohort(put("P1/T1.nii.gz"))
    assert _ids(cohort) == ["P1__T1"]
    assert any("several files are T2 (T2.nii.gz, T2w.nrrd)" in p.what and p.fatal for p in cohort.problems)


def test_without_ged4_it_is_a_warning(put: Put) -> None:
    put("P1/GED4.nii.gz")
    cohort = open_cohort(put("P2/T2.nii.gz"))
    assert _ids(cohort) == ["P1__GED4", "P2__T2"]
    assert any(p.where == "study P2" and "no GED4" in p.what and not p.fatal for p in cohort.problems)


# --- files named after study and phase --------------------------------------------------------------------------


def test_lld_mmri_names(put: Put) -> None:
    for phase in ("C-pre", "C--A", "C--V", "C--Delay", "InPhase", "OutPhase", "T2WI", "DWI"):
        put(f"MR-391_1_{phase}_0000.nii.gz")
    root = put("MR-391_1_C-pre_mask.nii.gz")
    cohort = open_cohort(root)
    assert cohort.layout == "files"
    phases = ("GED1", "GED2", "GED3", "T1", "T2", "DWI", "IP", "OP")
    assert _ids(cohort) == [f"MR-391_1__{phase}" for phase in phases]
    assert _labelled(cohort) == {"MR-391_1__T1": "MR-391_1_C-pre_mask.nii.gz"}


def test_nnunet_raw_folders(put: Put) -> None:
    put("imagesTr/P1_T2_0000.nii.gz")
    put("imagesTr/P2_T2_0000.nii.gz")
    cohort = open_cohort(put("labelsTr/P1_T2.nii.gz"))
    assert _ids(cohort) == ["P1__T2", "P2__T2"]
    assert _labelled(cohort) == {"P1__T2": "P1_T2.nii.gz"}


def test_a_pattern_says_where_study_and_phase_stand(put: Put) -> None:
    put("B1/sub-7/anat/x_DWI_800.nii.gz")
    put("B1/sub-7/anat/x_DWI_800_mask.nii.gz")
    cohort = open_cohort(put("B1/sub-7/other/x_T1.nii.gz"), pattern="{vendor}/sub-{study}/anat/*_{phase}.nii.gz")
    assert _ids(cohort) == ["7__DWI"]
    assert cohort.studies[0].vendor == "B1"
    assert _labelled(cohort) == {"7__DWI": "x_DWI_800_mask.nii.gz"}


def test_a_pattern_without_phase(put: Put) -> None:
    put("image_1.nii.gz")
    put("image_2.nii.gz")
    root = put("label_1.nii.gz", value=63)
    cohort = open_cohort(
        root, pattern="image_{study}", mask_pattern="label_{study}", phase=Phase.T2, organs=(("liver", 63),)
    )
    assert _ids(cohort) == ["1__T2", "2__T2"]
    assert cohort.case("1__T2").liver_value == 63
    assert _labelled(cohort) == {"1__T2": "label_1.nii.gz"}


def test_a_pattern_with_separators_inside_the_study(put: Put) -> None:
    assert _ids(open_cohort(put("a_b_C-pre.nii.gz"), pattern="{study}_{phase}.nii.gz")) == ["a_b__T1"]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{study}_{fase}.nii.gz", r"\{fase\}.*is unknown.*\{phase\}"),
        ("{phase}.nii.gz", "does not say study and phase"),
        ("{study}.nii.gz", "does not say study and phase"),
        ("{study}/{study}_{phase}", "names a part twice"),
        ("{study}-{phase}.nrrd", r"no file matches.*P1_T2\.nii\.gz"),
    ],
)
def test_patterns_that_make_no_sense(put: Put, pattern: str, reason: str) -> None:
    with pytest.raises(CohortError, match=reason):
        open_cohort(put("P1_T2.nii.gz"), pattern=pattern)


# --- manifest ---------------------------------------------------------------------------------------------------


def _manifest(root: Path, *rows: str, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    (root / name).write_text("\n".join(rows), encoding=encoding)
    return root / name


def test_a_manifest_with_everything(put: Put) -> None:
    put("x/one.nii.gz")
    put("x/two.nrrd")
    root = put("y/mask.nii.gz", value=5)
    table = _manifest(
        root,
        "study,phase,image,vendor,patient,label,label_value,organs",
        "P1,HBP,x/one.nii.gz,A,Smith,y/mask.nii.gz,5,right_kidney=2;left_kidney=3",
        "",
        "P1,dwi_b50,x/two.nrrd,A,Smith,,,",
    )
    cohort = open_cohort(table)
    assert (cohort.layout, cohort.root) == ("manifest", root)
    assert _ids(cohort) == ["P1__GED4", "P1__DWI"]
    case = cohort.case("P1__GED4")
    assert case.organs == (("right_kidney", 2), ("left_kidney", 3), ("liver", 5)) and case.vendor == "A"
    assert cohort.case("P1__DWI").b_value == 50
    assert cohort.studies[0].patient == "Smith"
    assert cohort.problems == ()


def test_a_manifest_in_the_folder_is_found_also_with_semicolons(put: Put) -> None:
    root = put("odd name.nii.gz")
    _manifest(root, "Study;Phase;Image", "P1;T2;odd name.nii.gz", name="cohort.csv", encoding="utf-8-sig")
    assert _ids(open_cohort(root)) == ["P1__T2"]


def test_bad_rows_are_told_and_the_others_go_on(put: Put) -> None:
    root = put("ok.nii.gz")
    put("mask.nii.gz")
    table = _manifest(
        root,
        "study,phase,image,label,label_value,organs",
        "P1,T2,ok.nii.gz,,,",
        "P2,T9,ok.nii.gz,,,",
        "P3,,ok.nii.gz,,,",
        "P4,T2,none.nii.gz,,,",
        "P5,T2,ok.nii.gz,mask.nii.gz,one,",
        "P6,T2,ok.nii.gz,mask.nii.gz,1,liver=2",
        "P7,T2,ok.nii.gz,mask.nii.gz,,liver:1",
        "P8,T2,ok.nii.gz,,,",
        "P8,T2W,ok.nii.gz,,,",
    )
    cohort = open_cohort(table)
    assert _ids(cohort) == ["P1__T2"]
    texts = "\n".join(str(problem) for problem in cohort.problems if problem.fatal)
    for expected in (
        "line 3: 'T9' is no known phase (nearest: ",
        "line 4: has no phase",
        "none.nii.gz: there is no such file",
        "line 6: label_value 'one' is not a whole number above 0",
        "line 7: label_value 1 contradicts organs 'liver=2'",
        "line 8: organs 'liver:1' is not name=value",
        "line 10: study 'P8' has T2 in an earlier row too; neither is used",
    ):
        assert expected in texts


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("study,image", "lacks the column phase.*study, phase, image"),
        ("", "lacks the column study and phase and image"),
        ("study,phase,image,lable", "'lable' is unknown – did you mean 'label'"),
    ],
)
def test_a_manifest_without_its_columns(put: Put, head: str, reason: str) -> None:
    with pytest.raises(CohortError, match=reason):
        open_cohort(_manifest(put("a.nii.gz"), head, "1,2,3"))
