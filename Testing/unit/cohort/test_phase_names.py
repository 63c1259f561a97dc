"""Names of phases, masks and studies."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.names import LONGEST_KEY, mask_target, safe_key
from LiverSegSSLLib.cohort.phase import PhaseName, nearest_phase, parse_phase
from LiverSegSSLLib.cohort.study import Phase, split_case_id
from LiverSegSSLLib.resources import table


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        # CARE
        ("GED1", Phase.GED1),
        ("GED4", Phase.GED4),
        ("T1", Phase.T1),
        ("T2", Phase.T2),
        # LLD-MMRI with nnU-Net's channel
        ("C-pre_0000", Phase.T1),
        ("C--A_0000", Phase.GED1),
        ("C+V", Phase.GED2),
        ("C--Delay_0000", Phase.GED3),
        ("InPhase_0000", Phase.IP),
        ("OutPhase", Phase.OP),
        ("T2WI_0000", Phase.T2),
        # what people type
        ("ged 4", Phase.GED4),
        ("Hepatobiliary phase", Phase.GED4),
        ("portal_venous", Phase.GED2),
        ("AX T2 triggered", Phase.T2),
        ("ax vibe delay 20min", Phase.GED4),
        ("opposed-phase", Phase.OP),
        ("CT", Phase.CT),
        # series descriptions of scanners
        ("t1_vibe_fs_tra_20min", Phase.GED4),
        ("eTHRIVE_HBP", Phase.GED4),
        ("LAVA-Flex 20 min", Phase.GED4),
        ("WATER: Ax LAVA-Flex 20min", Phase.GED4),
        ("t1_vibe_fs_tra_bh_art", Phase.GED1),
        ("t1_vibe_fs_tra_bh_pv", Phase.GED2),
        ("t1_vibe_dixon_tra_bh_pre_W", Phase.T1),
        ("t1_vibe_dixon_tra_bh_opp", Phase.OP),
        ("t2_blade_fs_tra", Phase.T2),
    ],
)
def test_spellings_of_phases(name: str, phase: Phase) -> None:
    assert parse_phase(name) == PhaseName(phase)


@pytest.mark.parametrize(
    ("name", "b_value"),
    [
        ("DWI_800", 800),
        ("DWI800", 800),
        ("dwi_b50", 50),
        ("DWI-b-1000", 1000),
        ("b400", 400),
        ("DWI", None),
        ("ax diff_TRACEW", None),
        ("DWI_0", 0),
        ("DWI b800", 800),
        ("ep2d_diff_b50_400_800_TRACEW", 800),
        ("ep2d_diff_b50_400_800_tra_TRACEW_DFC_MIX", 800),
    ],
)
def test_b_values(name: str, b_value: int | None) -> None:
    assert parse_phase(name) == PhaseName(Phase.DWI, b_value)


@pytest.mark.parametrize(
    "name",
    [
        *("GED5", "cor T2", "ADC", "equilibrium", "localizer", "", "_", "T", "b", "image"),
        # maps, other contrasts and other planes of the same protocols
        *("ep2d_diff_b50_400_800_ADC", "ep2d_diff_b50_400_800_tra_ADC_DFC_MIX", "t1_vibe_dixon_tra_bh_F"),
        *("FAT: Ax LAVA-Flex 20min", "t2_haste_cor", "t1_vibe_fs_cor_20min", "LAVA-Flex", "WATER: LAVA-Flex"),
    ],
)
def test_what_is_no_phase_is_not_guessed(name: str) -> None:
    assert parse_phase(name) is None


def test_the_nearest_phase_is_named() -> None:
    assert nearest_phase("GED44") == "GED4"
    assert nearest_phase("hepatobilliary") == "GED4"
    assert nearest_phase("quatsch") == "GED1, GED2, GED3, GED4, T1, T2, DWI, IP, OP, CT"


def test_no_spelling_means_two_phases() -> None:
    compact = [
        (re.sub(r"[^a-z0-9]", "", str(name).lower()), phase)
        for phase, names in table("phases.yaml")["phases"].items()
        for name in names
    ]
    assert len({name for name, _ in compact}) == len(set(compact))
    assert {phase for _, phase in compact} == {phase.value for phase in Phase}
    for name, phase in compact:
        found = parse_phase(name)
        assert found is not None and found.phase.value == phase


@pytest.mark.parametrize(
    ("stem", "target"),
    [
        ("mask_GED4", "GED4"),
        ("GED4_mask", "GED4"),
        ("GED4-label", "GED4"),
        ("GED4.seg", "GED4"),
        ("label_DWI_800", "DWI_800"),
        ("GED4_liver_mask", "GED4"),
        ("liver_mask_GED4", "GED4"),
        ("T2_liver", "T2"),
        ("mask", ""),
        ("P01_C-pre_mask", "P01_C-pre"),
        ("GED4", None),
        ("liver_T2", None),
        ("masked_T2", None),
    ],
)
def test_masks_are_told_by_their_names(stem: str, target: str | None) -> None:
    assert mask_target(stem) == target


@given(st.text(min_size=1, max_size=300))
def test_every_study_name_becomes_a_safe_key(name: str) -> None:
    key = safe_key(name)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", key) and len(key) <= LONGEST_KEY
    assert "__" not in key and Path(key).name == key
    assert safe_key(key) == key
    assert split_case_id(f"{key}__GED4") == (key, Phase.GED4)


def test_keys_that_are_safe_stay() -> None:
    for name in ("1009-A-S4", "P01", "case_7.b"):
        assert safe_key(name) == name
    assert safe_key("a__b") == "a_b"
    assert safe_key("../../etc") == "etc"


def test_names_that_only_differ_in_lost_letters_stay_different() -> None:
    keys = {safe_key(name) for name in ("患者1", "病人1", "患者2", "х", "x" * 100, "x" * 101)}
    assert len(keys) == 6
