"""Proposals on small synthetic patients: what is carried, what is refused, what fails in words."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import GeometryError, ImageError, RecipeError
from LiverSegSSLLib.propose.atlas import AtlasProposer
from LiverSegSSLLib.propose.proposer import make_proposer, seed_for
from LiverSegSSLLib.propose.transfer import TransferProposer
from LiverSegSSLLib.types import Support
from LiverSegSSLLib.volume import Geometry, Volume, orient, read_geometry, read_volume, resample, write_volume
from Testing.unit.align.scenes import abdomen, moved_by

TARGET_GRID = Geometry((50, 40, 16), (4.4, 4.4, 9.0), (-108.0, -88.0, -69.0))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def liver_of(image: Volume) -> Volume:
    """The liver of :func:`abdomen`, from its formula."""
    z, y, x = np.indices(image.array.shape)
    world = np.stack([x, y, z, np.ones_like(x)], -1) @ image.geometry.index_to_lps().T
    centre, radii = np.array((-40, -10, 10)), np.array((45, 45, 50))
    return image.with_array(((((world[..., :3] - centre) / radii) ** 2).sum(-1) < 1).astype(np.uint8))


@pytest.fixture
def patient(tmp_path: Path) -> tuple[Case, Support, np.ndarray]:
    """A study with a labelled GED4 and a T2 of other contrast, grid and breath; the truth on the T2's grid."""
    image = abdomen()
    breath = sitk.TranslationTransform(3, (2.0, -4.0, 14.0))
    moved = moved_by(breath, image)
    other = resample(moved.with_array(np.where(moved.array > 5, 230 - moved.array, 0)), TARGET_GRID)
    truth = resample(liver_of(image), TARGET_GRID, "nearest", breath.GetInverse()).array > 0
    write_volume(image, tmp_path / "ged4.nii.gz")
    write_volume(liver_of(image), tmp_path / "mask.nii.gz")
    write_volume(orient(other, "RAS"), tmp_path / "t2.nii.gz")
    ged4 = Case("s1", Phase.GED4, tmp_path / "ged4.nii.gz")
    t2 = Case("s1", Phase.T2, tmp_path / "t2.nii.gz")
    return t2, Support(ged4, tmp_path / "mask.nii.gz", "label-1"), orient(Volume(truth, TARGET_GRID), "RAS").array > 0


def test_transfer_brings_the_liver_to_the_phases_own_grid(patient):
    target, support, truth = patient
    proposer = TransferProposer(spacing_mm=5.0)
    assert proposer.choose(target, [support]) == [support]
    proposal = proposer.propose(target, [support], seed=1)
    assert proposal.failure == ""
    assert proposal.probability is not None
    assert proposal.probability.geometry.same_grid(read_geometry(target.image))
    assert proposal.probability.array.dtype == np.float32
    assert dice(proposal.probability.array >= 0.5, truth) > 0.9
    assert proposal.parents == ("label-1",)
    assert proposal.measurements["inverse_consistency_mm"] < 3.0
    assert proposal.measurements["mi_gain"] > 0
    assert {"boundary_alignment", "agreement"} <= set(proposal.measurements)
    assert "left_kidney_dice" not in proposal.measurements


def test_transfer_takes_only_the_same_study_and_ged4_first(patient):
    target, support, _ = patient
    elsewhere = Support(Case("s2", Phase.GED4, support.case.image), support.mask)
    t1 = Support(Case("s1", Phase.T1, support.case.image), support.mask)
    own = Support(target, support.mask)
    proposer = TransferProposer()
    assert proposer.choose(target, [elsewhere, t1, own, support]) == [support]
    assert proposer.choose(target, [elsewhere, own]) == []


def test_transfer_fails_in_words(patient, tmp_path):
    target, support, _ = patient
    image = read_volume(support.case.image)
    write_volume(image.with_array(np.zeros(image.array.shape, np.uint8)), tmp_path / "empty.nii.gz")
    proposal = TransferProposer().propose(target, [Support(support.case, tmp_path / "empty.nii.gz")], seed=0)
    assert proposal.probability is None
    assert "empty" in proposal.failure
    far = Geometry(image.geometry.size, image.geometry.spacing, (3000.0, 0.0, 0.0))
    write_volume(Volume(image.array, far), tmp_path / "far.nii.gz")
    proposal = TransferProposer().propose(Case("s1", Phase.T1, tmp_path / "far.nii.gz"), [support], seed=0)
    assert proposal.probability is None
    assert "overlap" in proposal.failure


def test_wrong_files_are_input_errors(patient, tmp_path):
    target, support, _ = patient
    with pytest.raises(ImageError):
        TransferProposer().propose(Case("s1", Phase.T1, tmp_path / "none.nii.gz"), [support], seed=0)
    with pytest.raises(GeometryError):
        TransferProposer().propose(target, [Support(support.case, target.image)], seed=0)


def write_atlas(folder: Path, name: str, transform: sitk.Transform, seed: int) -> Support:
    image = moved_by(transform, abdomen(seed=seed))
    liver = resample(liver_of(abdomen()), image.geometry, "nearest", transform.GetInverse())
    write_volume(image, folder / f"{name}.nii.gz")
    write_volume(liver, folder / f"{name}_mask.nii.gz")
    return Support(Case(name, Phase.T2, folder / f"{name}.nii.gz"), folder / f"{name}_mask.nii.gz", f"label of {name}")


@pytest.fixture
def strangers(tmp_path: Path) -> tuple[Case, list[Support]]:
    write_volume(abdomen(seed=11), tmp_path / "t.nii.gz")
    small = sitk.AffineTransform((0.92, 0, 0, 0, 0.92, 0, 0, 0, 0.95), (5.0, 4.0, 10.0))
    large = sitk.AffineTransform((1.07, 0, 0, 0, 1.07, 0, 0, 0, 1.0), (-5.0, 4.0, -10.0))
    supports = [write_atlas(tmp_path, "small", small, 12), write_atlas(tmp_path, "large", large, 13)]
    return Case("t", Phase.T2, tmp_path / "t.nii.gz"), supports


def test_atlases_of_other_patients_find_the_liver(strangers):
    target, supports = strangers
    proposer = AtlasProposer(spacing_mm=6.0)
    proposal = proposer.propose(target, proposer.choose(target, supports), seed=0)
    assert proposal.probability is not None
    assert dice(proposal.probability.array >= 0.5, liver_of(abdomen()).array > 0) > 0.85
    assert set(proposal.parents) == {"label of small", "label of large"}
    assert 0.5 < proposal.measurements["atlas_agreement"] <= 1


def test_one_broken_atlas_does_not_spoil_the_others(strangers, tmp_path):
    target, supports = strangers
    blank = Volume(np.zeros((8, 8, 8), np.float32), Geometry((8, 8, 8), (5.0, 5.0, 5.0)))
    write_volume(blank, tmp_path / "blank.nii.gz")
    broken = Support(Case("blank", Phase.T2, tmp_path / "blank.nii.gz"), tmp_path / "blank.nii.gz", "b")
    proposal = AtlasProposer(spacing_mm=6.0).propose(target, [broken, supports[0]], seed=0)
    assert proposal.probability is not None
    assert proposal.parents == ("label of small",)
    assert "blank__T2: there is no body" in proposal.parameters["failed"][0]
    alone = AtlasProposer(spacing_mm=6.0).propose(target, [broken], seed=0)
    assert alone.probability is None
    assert "no body" in alone.failure


def test_matching_is_by_patient_phase_expert_and_body_volume(strangers, tmp_path):
    target, (small, large) = strangers
    own_phase = Support(Case("t", Phase.GED4, large.case.image), large.mask)
    other_phase = Support(Case("a", Phase.GED4, target.image), small.mask)
    twin = Support(Case("z", Phase.T2, target.image), small.mask)
    pseudo = Support(Case("y", Phase.T2, target.image), small.mask, expert=False)
    available = [other_phase, pseudo, large, twin, own_phase]
    expected = [own_phase, twin, large, pseudo, other_phase]
    proposer = AtlasProposer(atlases=9)
    assert proposer.choose(target, available) == expected
    assert proposer.choose(target, available[::-1]) == expected
    assert AtlasProposer(atlases=2).choose(target, available) == expected[:2]
    assert proposer.choose(target, [Support(target, small.mask)]) == []


def test_options_are_checked_and_proposers_travel_to_workers():
    proposer = make_proposer("atlas", {"atlases": 3, "deformable": "sobel"})
    assert pickle.loads(pickle.dumps(proposer)) == proposer == AtlasProposer(atlases=3, deformable="sobel")
    with pytest.raises(RecipeError, match="did you mean spacing_mm"):
        make_proposer("transfer", {"spacing": 3})
    with pytest.raises(RecipeError, match="did you mean transfer"):
        make_proposer("transfr", {})
    with pytest.raises(RecipeError, match="model must be"):
        make_proposer("transfer", {"model": "elastic"})
    with pytest.raises(RecipeError):
        make_proposer("transfer", {"margin_mm": "wide"})


def test_seeds_depend_on_the_pair_only(strangers):
    target, (small, large) = strangers
    seeds = {seed_for(0, target, small), seed_for(0, target, large), seed_for(1, target, small)}
    assert len(seeds) == 3
    assert seed_for(0, target, small) == seed_for(0, target, small)
