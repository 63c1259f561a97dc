"""One acquisition: contrasts, truth, breath-hold, noise, geometry, variety."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from LiverSegSSLLib.cohort.phantom import (
    PHASES,
    Acquisition,
    Anatomy,
    acquire,
    draw_anatomy,
    organ_values,
    protocol,
    tissue_names,
)
from LiverSegSSLLib.cohort.phantom.artefacts import coil_shading, draw_distortion, rician, to_int16
from LiverSegSSLLib.cohort.phantom.protocols import LIVER_MARGIN_MM
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.volume import Geometry, axes_of

SCALE = 3.5
EVERYWHERE = np.ones((3, 3, 3))


@cache
def patient(seed: int) -> Anatomy:
    return draw_anatomy(seed)


@cache
def taken(seed: int, phase: Phase, vendor: str = "A") -> Acquisition:
    return acquire(patient(seed), phase, protocol(vendor), SCALE, seed)


def mean_of(acquisition: Acquisition, *tissues: str) -> float:
    numbers = [tissue_names().index(name) for name in tissues]
    inside = np.isin(acquisition.tissues.array, numbers)
    core = ndimage.binary_erosion(inside) if inside.sum() > 3000 else inside
    return float(acquisition.image.array[core].mean())


def centroid(acquisition: Acquisition) -> np.ndarray:
    matrix = acquisition.liver.geometry.index_to_lps()
    index = np.argwhere(acquisition.liver.array).mean(axis=0)[::-1]
    return matrix[:3, :3] @ index + matrix[:3, 3]


@pytest.mark.parametrize("vendor", ["A", "B2"])
def test_t2_shows_the_dark_liver_and_ged4_the_bright_one(vendor: str) -> None:
    t2, late = taken(3, Phase.T2, vendor), taken(3, Phase.GED4, vendor)
    assert mean_of(t2, "liver") < 0.75 * mean_of(t2, "spleen")
    assert mean_of(t2, "liver") < 0.75 * mean_of(t2, "renal_cortex", "renal_medulla")
    assert mean_of(late, "liver") > 1.3 * mean_of(late, "portal_blood", "hepatic_blood")
    assert mean_of(late, "liver") > 1.3 * mean_of(late, "spleen")


def test_dynamic_phases_follow_the_contrast_agent() -> None:
    arterial, portal = taken(3, Phase.GED1), taken(3, Phase.GED2)
    assert mean_of(arterial, "arterial_blood") > mean_of(arterial, "renal_cortex") > mean_of(arterial, "liver")
    assert mean_of(portal, "portal_blood") > mean_of(portal, "liver") > mean_of(portal, "muscle")
    assert mean_of(arterial, "subcutaneous_fat") < mean_of(arterial, "muscle")


def test_truth_has_the_same_volume_in_every_phase() -> None:
    expected = patient(3).liver_ml
    for phase in PHASES:
        assert taken(3, phase).liver.volume_ml() == pytest.approx(expected, rel=0.04), phase


def test_truth_moves_by_the_breath_hold_shift_and_the_spine_does_not() -> None:
    anatomy, scanner = patient(5), protocol("A")
    grid = taken(5, Phase.T1).image.geometry
    still, moved = (
        acquire(anatomy, Phase.T1, scanner, SCALE, 5, shift, grid) for shift in ((0.0, 0.0, 0.0), (1.0, -1.5, 7.0))
    )
    assert centroid(moved) - centroid(still) == pytest.approx([1.0, -1.5, 7.0], abs=0.25)
    spine = organ_values()["spine"]
    before, after = (a.organs.array[2:-2] == spine for a in (still, moved))
    assert (before & after).sum() > 0.97 * before.sum()


@pytest.mark.parametrize("phase", PHASES)
def test_the_whole_liver_lies_in_the_field_of_view_in_one_piece(phase: Phase) -> None:
    for seed, vendor in ((11, "B2"), (12, "C")):
        acquisition = taken(seed, phase, vendor)
        mask = acquisition.liver.array
        assert ndimage.label(mask, EVERYWHERE)[1] == 1
        slices = np.flatnonzero(mask.any(axis=(1, 2)))
        free_mm = min(slices[0], len(mask) - 1 - slices[-1]) * acquisition.image.geometry.spacing[2]
        assert free_mm > 0.5 * LIVER_MARGIN_MM
        assert not mask[:, [0, -1]].any() and not mask[:, :, [0, -1]].any()


def test_maps_agree_with_the_truth() -> None:
    acquisition = taken(3, Phase.GED4)
    values = organ_values()
    assert np.array_equal(acquisition.organs.array == values["liver"], acquisition.liver.array > 0)
    present = set(np.unique(acquisition.organs.array))
    assert {values[k] for k in ("right_kidney", "left_kidney", "spleen", "aorta", "stomach", "spine")} <= present
    vessels = [tissue_names().index(name) for name in ("portal_blood", "hepatic_blood")]
    inside = np.isin(acquisition.tissues.array, vessels) & (acquisition.liver.array > 0)
    assert 0.01 < inside.sum() / acquisition.liver.array.sum() < 0.12


def test_lesions_belong_to_the_liver() -> None:
    acquisition = acquire(draw_anatomy(8, stage=2, lesions=4), Phase.GED4, protocol("B1"), SCALE, 8)
    numbers = [tissue_names().index(name) for name in ("cyst", "haemangioma", "carcinoma", "metastasis")]
    lesion = np.isin(acquisition.tissues.array, numbers)
    assert lesion.sum() > 20
    assert acquisition.liver.array[lesion].mean() > 0.97


def test_organs_have_plausible_volumes() -> None:
    ranges = {"spleen": (80, 600), "right_kidney": (80, 260), "left_kidney": (80, 280), "gallbladder": (5, 80)}
    livers = []
    for seed in range(6):
        acquisition = taken(seed, Phase.T1)
        livers.append(acquisition.liver.volume_ml())
        for name, (low, high) in ranges.items():
            count = np.count_nonzero(acquisition.organs.array == organ_values()[name])
            volume = count * acquisition.organs.geometry.voxel_ml
            assert (name == "gallbladder" and volume == 0) or low < volume < high, (seed, name, volume)
    assert min(livers) > 1000 and max(livers) < 2200 and np.std(livers) > 80


def test_patients_differ_in_shape_but_overlap_when_centred() -> None:
    grid = Geometry((60, 50, 50), (6.0, 6.0, 6.0), (-180.0, -150.0, -150.0))
    masks = []
    for seed in range(5):
        anatomy = patient(seed)
        low, high = np.asarray(anatomy.liver_box)
        centred = replace(grid, origin=tuple(np.asarray(grid.origin) + 0.5 * (low + high)))
        masks.append(acquire(anatomy, Phase.T1, protocol("A"), SCALE, 0, (0.0, 0.0, 0.0), centred).liver.array > 0)
    for i, a in enumerate(masks):
        for b in masks[:i]:
            dice = 2 * (a & b).sum() / (a.sum() + b.sum())
            assert 0.5 < dice < 0.93  # neither the same patient again, nor hopeless for registration


def test_same_seed_same_image_other_seed_another() -> None:
    again = acquire(draw_anatomy(3), Phase.T2, protocol("A"), SCALE, 3)
    assert np.array_equal(again.image.array, taken(3, Phase.T2).image.array)
    assert again.image.geometry == taken(3, Phase.T2).image.geometry
    other = acquire(patient(3), Phase.T2, protocol("A"), SCALE, 4)
    assert other.image.geometry != again.image.geometry


def test_phases_have_grids_of_their_own_and_vendors_their_orientation() -> None:
    grids = [taken(3, phase).image.geometry for phase in PHASES]
    assert len({(g.size, g.spacing, g.origin) for g in grids}) == len(PHASES)
    assert 6.0 <= taken(3, Phase.T2).image.geometry.spacing[2] <= 8.6
    assert axes_of(taken(3, Phase.T1).image.geometry) == "LPS"
    assert axes_of(taken(3, Phase.GED4, "B2").image.geometry) == "LAS"
    assert abs(taken(3, Phase.GED4, "B2").image.geometry.direction[5]) > 1e-3  # leans


def test_full_quality_has_the_spacings_of_the_real_data() -> None:
    from LiverSegSSLLib.cohort.phantom.protocols import plan_grid

    rng = np.random.default_rng(0)
    for seed in range(4):
        anatomy = patient(seed)
        for vendor in ("A", "B1", "B2", "C"):
            scanner = protocol(vendor)
            for phase in PHASES:
                grid = plan_grid(anatomy, scanner.phases[phase], scanner, (0.0, 0.0, 6.0), 1.0, rng)
                assert 0.34 <= grid.spacing[0] <= 1.95
                flat = phase in (Phase.T2, Phase.DWI)
                low, high, fewest, most = (6.0, 8.6, 24, 38) if flat else (1.75, 3.55, 64, 94)
                assert low <= grid.spacing[2] <= high and fewest <= grid.size[2] <= most, (vendor, phase, grid)


def test_noise_is_rician() -> None:
    rng = np.random.default_rng(0)
    air = rician(np.zeros((60, 60, 60), np.float32), 5.0, rng)
    assert air.mean() == pytest.approx(5.0 * np.sqrt(np.pi / 2), rel=0.01)  # Rayleigh
    assert air.std() == pytest.approx(5.0 * np.sqrt(2 - np.pi / 2), rel=0.01)
    bright = rician(np.full((60, 60, 60), 200.0, np.float32), 5.0, rng)
    assert np.mean(np.square(bright)) == pytest.approx(200.0**2 + 2 * 5.0**2, rel=1e-3)  # exact second moment
    assert bright.std() == pytest.approx(5.0, rel=0.02)


def test_shading_is_smooth_positive_and_near_one() -> None:
    grid = Geometry((80, 60, 40), (4.0, 4.0, 4.0), (-160.0, -120.0, -80.0))
    for seed in range(5):
        gain = coil_shading(grid, (0.0, 0.0, 0.0), 0.5, np.random.default_rng(seed))
        assert gain.shape == grid.shape and gain.min() >= 0.1 and 0.6 < gain.mean() < 1.5
        assert max(np.abs(np.diff(np.log(gain), axis=axis)).max() for axis in range(3)) < 0.12
    flat = coil_shading(grid, (0.0, 0.0, 0.0), 0.0, np.random.default_rng(0))
    assert flat == pytest.approx(1.0)


def test_distortion_stays_within_its_limit_and_in_one_direction() -> None:
    distortion = draw_distortion(4.0, np.random.default_rng(1))
    assert distortion.limit_mm == pytest.approx(4.0)
    points = tuple(np.random.default_rng(2).uniform(-150, 150, (3, 500)))
    x, y, z = distortion(points)  # type: ignore[arg-type]
    assert np.array_equal(x, points[0]) and np.array_equal(z, points[2])
    assert 0.5 < np.abs(y - points[1]).max() <= 4.0


def test_whole_numbers_reach_the_wanted_brightness() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (20, 20, 20)).astype(np.float32)
    stored = to_int16(image, 1000.0)
    assert stored.dtype == np.int16 and stored.min() >= 0
    assert np.percentile(stored, 99.9) == pytest.approx(1000, rel=0.01)
