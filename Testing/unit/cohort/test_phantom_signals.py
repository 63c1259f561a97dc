"""The phantom's signal equations and tissues, against closed forms and what radiologists expect."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.phantom import PHASES, protocol, vendors
from LiverSegSSLLib.cohort.phantom.sequences import (
    Relaxation,
    Sequence,
    diffusion_weighting,
    ernst_angle_deg,
    signal,
    spin_echo,
    spoiled_gradient_echo,
    with_contrast_agent,
)
from LiverSegSSLLib.cohort.phantom.tissues import Chemistry, organ_values, relaxation, signals, tissue_names
from LiverSegSSLLib.cohort.study import Phase


@given(t1=st.floats(200, 3000), tr=st.floats(2, 50))
def test_gradient_echo_is_largest_at_the_ernst_angle(t1: float, tr: float) -> None:
    angle = ernst_angle_deg(t1, tr)
    best = spoiled_gradient_echo(1.0, t1, 1e9, tr, 0.0, angle)
    # At the Ernst angle the signal is tan(α/2), from cos α = E1.
    assert best == pytest.approx(math.tan(math.radians(angle) / 2), rel=1e-6)
    for other in (0.8 * angle, 1.2 * angle):
        assert spoiled_gradient_echo(1.0, t1, 1e9, tr, 0.0, other) < best


def test_gradient_echo_fully_relaxed_at_90_degrees_is_the_proton_density() -> None:
    assert spoiled_gradient_echo(0.8, 500.0, 1e9, 1e6, 0.0, 90.0) == pytest.approx(0.8)


def test_gradient_echo_decays_with_t2star() -> None:
    first, second = (spoiled_gradient_echo(1.0, 800.0, 20.0, 4.0, te, 10.0) for te in (1.0, 21.0))
    assert second / first == pytest.approx(math.exp(-1.0))


def test_spin_echo_decays_with_t2_and_recovers_with_t1() -> None:
    assert spin_echo(1.0, 1e-3, 50.0, 1e3, 50.0) == pytest.approx(math.exp(-1.0))
    assert spin_echo(1.0, 1000.0, 1e12, 1000.0, 0.0) == pytest.approx(1.0 - math.exp(-1.0))


def test_diffusion_weighting_of_free_water() -> None:
    assert diffusion_weighting(800.0, 3.0) == pytest.approx(math.exp(-2.4))
    assert diffusion_weighting(0.0, 3.0) == 1.0


def test_contrast_agent_adds_relaxation_rates() -> None:
    # 0.1 mmol/L at 6.2 L/(mmol s) adds 0.62 /s to the 1/0.809 s of liver at 3 T.
    enhanced = with_contrast_agent(Relaxation(1.0, 809.0, 34.0), 0.1, 6.2, 11.0)
    assert enhanced.t1_ms == pytest.approx(1000.0 / (1000.0 / 809.0 + 0.62))
    assert enhanced.t2_ms == pytest.approx(1000.0 / (1000.0 / 34.0 + 1.1))
    untouched = Relaxation(1.0, 809.0, 34.0)
    assert with_contrast_agent(untouched, 0.0, 6.2, 11.0).t1_ms == pytest.approx(untouched.t1_ms)


def test_fat_suppression_leaves_its_share_of_fat_only() -> None:
    sequence = Sequence("gradient_echo", 4.0, 1.5, 12.0, fat_residual=0.1)
    fat, water = Relaxation(1.0, 382.0, 68.0, fat=True), Relaxation(1.0, 382.0, 68.0)
    assert signal(fat, sequence) == pytest.approx(0.1 * signal(water, sequence))


def test_table_holds_the_published_relaxation_times() -> None:
    # de Bazelaire 2004, 3 T: liver 809/34, spleen 1328/61, renal cortex 1142/76, pancreas 725/43, fat 382/68.
    published = {
        "liver": (809, 34),
        "spleen": (1328, 61),
        "renal_cortex": (1142, 76),
        "renal_medulla": (1545, 81),
        "pancreas": (725, 43),
        "subcutaneous_fat": (382, 68),
    }
    for name, (t1, t2) in published.items():
        found = relaxation(name, 3.0, Phase.T1)
        assert (found.t1_ms, found.t2_ms) == pytest.approx((t1, t2))


def test_every_tissue_has_a_signal_in_every_phase_of_every_vendor() -> None:
    for vendor in vendors():
        scanner = protocol(vendor)
        for phase in PHASES:
            values = signals(scanner.phases[phase].sequence, scanner.field_t, phase)
            assert set(values) == set(tissue_names())
            assert all(np.isfinite(value) and value >= 0 for value in values.values())


@pytest.mark.parametrize("vendor", ["A", "B1", "B2", "C"])
def test_contrasts_are_those_of_gadoxetate_enhanced_liver_mri(vendor: str) -> None:
    scanner = protocol(vendor)
    by_phase = {p: signals(scanner.phases[p].sequence, scanner.field_t, p) for p in PHASES}
    t1, arterial, portal, late = (by_phase[p] for p in (Phase.T1, Phase.GED1, Phase.GED2, Phase.GED4))
    assert t1["liver"] > t1["spleen"] and t1["liver"] > t1["arterial_blood"]
    assert arterial["arterial_blood"] == max(arterial.values())
    assert portal["portal_blood"] > 1.2 * portal["liver"]
    assert late["liver"] > 1.5 * late["hepatic_blood"] and late["liver"] > 1.5 * late["spleen"]
    assert late["bile"] > late["liver"]
    assert late["metastasis"] < 0.8 * late["liver"]
    enhancement = late["liver"] / t1["liver"] - 1.0
    assert 0.5 < enhancement < 1.2
    t2 = by_phase[Phase.T2]
    assert t2["liver"] < 0.65 * t2["spleen"] < t2["renal_cortex"] < min(t2["gallbladder_bile"], t2["csf"])
    assert t2["carcinoma"] > 1.5 * t2["liver"] and t2["cyst"] > 3 * t2["liver"]
    dwi = by_phase[Phase.DWI]
    for darker in ("liver", "renal_cortex", "muscle", "gallbladder_bile", "csf", "subcutaneous_fat", "portal_blood"):
        assert dwi[darker] < 0.8 * dwi["spleen"], darker


def test_poor_uptake_makes_the_hepatobiliary_phase_darker_and_no_other_unenhanced_phase() -> None:
    scanner = protocol("A")
    for phase, changes in ((Phase.GED4, True), (Phase.T1, False), (Phase.T2, False)):
        good, poor = (
            signals(scanner.phases[phase].sequence, 3.0, phase, Chemistry(uptake=u))["liver"] for u in (1.0, 0.3)
        )
        assert (poor < 0.8 * good) if changes else (poor == good)


def test_organ_values_follow_chaos_and_do_not_repeat() -> None:
    values = organ_values()
    assert [values[k] for k in ("liver", "right_kidney", "left_kidney", "spleen")] == [1, 2, 3, 4]
    assert len(set(values.values())) == len(values)
