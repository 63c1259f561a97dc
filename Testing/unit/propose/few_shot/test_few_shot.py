"""The proposer around a network of random weights: grids, seeds, choices, and what is said when something is wrong."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import BadInputError, GeometryError, RecipeError, WeightsError
from LiverSegSSLLib.propose.few_shot.budget import process_mb
from LiverSegSSLLib.propose.few_shot.consistency import LEAST_CEILING
from LiverSegSSLLib.propose.few_shot.few_shot import FewShot
from LiverSegSSLLib.propose.few_shot.labelled import ceiling, read_supports, returned
from LiverSegSSLLib.propose.few_shot.network import build_network, save_network, small_spec
from LiverSegSSLLib.propose.few_shot.spaces import SPACES
from LiverSegSSLLib.propose.proposer import make_proposer
from LiverSegSSLLib.types import Support
from LiverSegSSLLib.volume import Geometry, Volume, orient, read_geometry, resample, write_volume
from Testing.unit.align.scenes import abdomen

GRID = Geometry((30, 26, 7), (7.0, 7.0, 20.0), (-105.0, -90.0, -60.0))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A SAM 2 of few channels that has learnt nothing, and always believes that there is an object."""
    import torch

    network = build_network(small_spec(64), seed=4)
    with torch.no_grad():
        network.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(10.0)
    path = tmp_path_factory.mktemp("weights") / "network.pt"
    save_network(network, path)
    return path


def write_case(folder: Path, study: str, seed: int, axes: str, phase=Phase.GED4, mask=True) -> tuple[Case, Support]:
    image = resample(abdomen(seed=seed), GRID)
    truth = image.with_array((image.array > 130).astype(np.uint8) if mask else np.zeros(GRID.shape, np.uint8))
    write_volume(orient(image, axes), folder / f"{study}.nii.gz")
    write_volume(orient(truth, axes), folder / f"{study}-mask.nii.gz")
    case = Case(study, phase, folder / f"{study}.nii.gz", "A")
    return case, Support(case, folder / f"{study}-mask.nii.gz", f"label-{study}")


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patients")
    return [write_case(folder, f"s{number}", number, axes) for number, axes in enumerate(("LPS", "RAS", "PIR"))]


def few_shot(weights: Path, **options) -> FewShot:
    return FewShot(**{"weights": str(weights), "insertions": 2, "device": "cpu", **options})


def test_a_proposal_lies_on_the_cases_own_grid_and_says_where_it_comes_from(weights, patients):
    (target, _), *others = patients
    proposal = few_shot(weights).propose(target, [support for _, support in others], seed=1)
    assert proposal.failure == ""
    assert proposal.probability.geometry.same_grid(read_geometry(target.image))
    assert proposal.probability.array.dtype == np.float32
    assert 0 <= proposal.probability.array.min() <= proposal.probability.array.max() <= 1
    assert proposal.parents == ("label-s1", "label-s2")
    assert set(proposal.measurements) == {"consistency", "consistency_ceiling", "entropy_bits", "disagreement"}
    recorded = json.loads(json.dumps(dict(proposal.parameters)))
    assert [member["support"] for member in recorded["members"]] == ["s1__GED4", "s2__GED4"]
    assert len(recorded["slice_disagreement"]) == len(proposal.probability.array)
    assert recorded["intensity"][1] > recorded["intensity"][0]


def test_neither_order_nor_company_changes_what_a_support_says(weights, patients):
    (target, _), (_, one), (_, two) = patients
    proposer = few_shot(weights)
    both = proposer.segment(target, [one, two], seed=1)
    turned = proposer.segment(target, [two, one], seed=1)
    assert np.allclose(both.probability.array, turned.probability.array, atol=1e-6)
    alone = proposer.segment(target, [one], seed=1)
    assert alone.members[0].returned == pytest.approx(both.members[0].returned, abs=1e-3)


def test_the_reference_engine_gives_the_same(weights, patients):
    (target, _), (_, support), _ = patients
    fast, published = (
        few_shot(weights, engine=engine, consistency=False).segment(target, [support], seed=3).probability.array
        for engine in ("fast", "reference")
    )
    assert np.abs(fast - published).max() < 2e-3
    assert np.ptp(published) > 1e-3


def test_the_reference_engine_remembers_what_has_a_name(weights, patients):
    _, (_, support), _ = patients
    (_, (one,), _) = read_supports([support])
    tracker = few_shot(weights, engine="reference").tracker()
    assert tracker.once(one, lambda: 0.25) == 0.25 == tracker.once(one, lambda: 0.5)
    assert tracker.once(replace(one, key=""), lambda: 0.5) == 0.5


def test_seeds_change_the_places_only(weights, patients):
    (target, _), (_, support), _ = patients
    proposer = few_shot(weights, insertions=1, consistency=False)
    one, again, other = (proposer.segment(target, [support], seed=seed).probability.array for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_other_contrasts_are_tried_where_they_differ(weights, patients, tmp_path):
    _, support = patients[0]
    for phase, spaces in ((Phase.T1, {"plain"}), (Phase.T2, set(SPACES))):
        target, _ = write_case(tmp_path, f"other-{phase}", 5, "LPS", phase)
        found = few_shot(weights, insertions=1).segment(target, [support], seed=1)
        assert {member.space for member in found.members} == spaces


def test_uncertainty_is_on_the_cases_grid(weights, patients):
    (_, first), (target, _), (_, second) = patients
    found = few_shot(weights).segment(target, [first, second], seed=1)
    spread = found.uncertainty
    assert spread.entropy.shape == spread.disagreement.shape == found.probability.array.shape
    assert spread.slice_entropy.shape == (len(found.probability.array),)


def test_a_pseudo_label_counts_less(weights, patients):
    (target, _), (_, one), (_, two) = patients
    pseudo = Support(two.case, two.mask, two.label_id, expert=False)
    proposer = few_shot(weights, consistency=False, pseudo_trust=0.25)
    alone = [proposer.segment(target, [support], seed=1).probability.array for support in (one, two)]
    mixed = proposer.segment(target, [one, pseudo], seed=1).probability.array
    assert np.allclose(mixed, (alone[0] + 0.25 * alone[1]) / 1.25, atol=1e-5)


def test_a_support_without_foreground_is_left_out_and_named(weights, patients, tmp_path):
    (target, _), (_, good), _ = patients
    _, empty = write_case(tmp_path, "empty", 7, "LPS", mask=False)
    mixed = few_shot(weights).propose(target, [empty, good], seed=1)
    assert mixed.failure == ""
    assert mixed.parents == ("label-s1",)
    assert "empty__GED4: the mask is empty" in mixed.parameters["failed"][0]
    nothing = few_shot(weights).propose(target, [empty], seed=1)
    assert nothing.probability is None
    assert "label the liver in it" in nothing.failure


def test_a_mask_of_one_voxel_is_a_failure_in_words_or_a_prompt(weights, patients, tmp_path):
    (target, _), *_ = patients
    case, support = write_case(tmp_path, "speck", 7, "LPS", mask=False)
    geometry = read_geometry(case.image)
    speck = np.zeros(geometry.shape, np.uint8)
    speck[3, 10, 10] = 1
    write_volume(Volume(speck, geometry), support.mask)
    assert few_shot(weights).propose(target, [support], seed=1).failure == ""


def test_a_support_that_changes_on_the_disk_is_read_again(weights, patients, tmp_path):
    (target, _), *_ = patients
    _, support = write_case(tmp_path, "changes", 7, "LPS")
    proposer = few_shot(weights, consistency=False)
    assert proposer.propose(target, [support], seed=1).failure == ""
    geometry = read_geometry(support.mask)
    write_volume(Volume(np.zeros(geometry.shape, np.uint8), geometry), support.mask)
    assert "the mask is empty" in proposer.propose(target, [support], seed=1).failure
    support.case.image.unlink()
    with pytest.raises(BadInputError, match="no such file"):
        proposer.propose(target, [support], seed=1)


def test_a_black_image_is_a_failed_proposal(weights, patients, tmp_path):
    _, support = patients[0]
    case, _ = write_case(tmp_path, "black", 1, "LPS")
    geometry = read_geometry(case.image)
    write_volume(Volume(np.zeros(geometry.shape, np.int16), geometry), case.image)
    proposal = few_shot(weights).propose(case, [support], seed=1)
    assert proposal.probability is None
    assert proposal.failure == "there is no contrast in the image"


def test_a_mask_on_another_grid_is_refused(weights, patients, tmp_path):
    (target, _), (_, good), (_, other) = patients
    wrong = Support(good.case, other.mask, "label")
    with pytest.raises(GeometryError, match="not on its image's grid"):
        few_shot(weights).propose(target, [wrong], seed=1)


def test_one_slice_is_enough(weights, patients, tmp_path):
    _, support = patients[1]
    image = resample(abdomen(), Geometry((30, 26, 1), (7.0, 7.0, 20.0), (-105.0, -90.0, 0.0)))
    write_volume(image, tmp_path / "one.nii.gz")
    case = Case("one", Phase.GED4, tmp_path / "one.nii.gz")
    proposal = few_shot(weights).propose(case, [support], seed=1)
    assert proposal.failure == ""
    assert proposal.probability.array.shape == (1, 26, 30)


def test_absent_weights_say_the_command_that_fetches_them(patients, tmp_path, monkeypatch):
    (target, _), (_, support), _ = patients
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "models"))
    with pytest.raises(WeightsError, match="liversegssl models fetch medsam2"):
        FewShot().propose(target, [support], seed=1)
    assert "liversegssl models fetch medsam2" in FewShot().unavailable()
    with pytest.raises(WeightsError):
        FewShot(weights="nosuch").propose(target, [support], seed=1)
    with pytest.raises(BadInputError, match="no such checkpoint"):
        FewShot(weights=str(tmp_path / "absent.pt")).propose(target, [support], seed=1)


def test_what_is_there_is_available_to_as_many_processes_as_memory_allows(weights):
    assert few_shot(weights).unavailable() == ""
    fitting = psutil.virtual_memory().available / 2**20 / process_mb(64, 2, 10)
    assert few_shot(weights).most_processes() == pytest.approx(fitting, rel=0.2, abs=1)
    greedy = few_shot(weights, insertions=100, supports=100, memory_mb=1e9, features_memory_mb=1e9)
    assert 1 <= greedy.most_processes() < few_shot(weights).most_processes()


def test_a_process_takes_what_its_network_and_options_ask_for_within_the_bounds():
    assert process_mb(512, 5, 10, 4096, 4096) == pytest.approx(700 + 10 * 60 + 2 * 4096)
    assert process_mb(128, 5, 10, 4096, 4096) < 2500, "small networks run one process a core"
    assert process_mb(512, 1, 1) < process_mb(512, 5, 10) and process_mb(1024, 1, 1) > process_mb(512, 1, 1)
    with pytest.raises(BadInputError, match="not a checkpoint"):
        FewShot(weights=__file__, device="cpu").most_processes()


@pytest.mark.parametrize(("image_size", "used"), [(64, 1), (256, 3)])
def test_small_networks_take_one_thread(patients, tmp_path, monkeypatch, image_size, used):
    """Two threads on a network of 128 pixels wait for each other."""
    import torch

    save_network(build_network(small_spec(image_size, width=16, hidden=16, memory=8), seed=0), tmp_path / "net.pt")
    (target, _), (_, support), _ = patients
    seen, before = set(), torch.get_num_threads()
    segment = FewShot.segment

    def watched(self, *given, **options):
        seen.add(torch.get_num_threads())
        return segment(self, *given, **options)

    monkeypatch.setattr(FewShot, "segment", watched)
    proposer = few_shot(tmp_path / "net.pt", insertions=1, consistency=False)
    assert proposer.propose(target, [support], seed=1, threads=3).failure == ""
    assert seen == {used} and torch.get_num_threads() == before


def test_features_on_disk_serve_the_next_run(weights, patients, tmp_path):
    (target, _), (_, support), _ = patients
    first = few_shot(weights, features=str(tmp_path / "features")).segment(target, [support], seed=1)
    files = sorted((tmp_path / "features").rglob("*.features"))
    assert files
    again = few_shot(weights, features=str(tmp_path / "features"), memory_mb=2048).segment(target, [support], seed=1)
    assert np.allclose(first.probability.array, again.probability.array, atol=1e-6)
    assert sorted((tmp_path / "features").rglob("*.features")) == files


def test_the_ceiling_of_a_support_is_worked_out_once_ever(weights, patients, tmp_path):
    """What a support returns to itself, in the space that judges; by the process, and by later ones from the disk."""
    (target, _), (_, support), (_, other) = patients
    _, (one,), _ = read_supports([support])
    proposer = few_shot(weights, features=str(tmp_path / "features"))
    tracker = proposer.tracker()
    itself = returned(tracker, one, one.frames, one.mask.astype(np.float32))
    found = proposer.segment(target, [support, other], seed=1)
    assert found.members[0].ceiling == max(itself, LEAST_CEILING)
    later = few_shot(weights, features=str(tmp_path / "features"), memory_mb=2048).tracker()
    for known in (tracker, later):
        assert ceiling(known, one) == found.members[0].ceiling
        assert known.once(one, lambda: pytest.fail("worked out again")) == itself


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("insertions", 0),
        ("supports", 0),
        ("spaces", ["plain", "wavelet"]),
        ("spaces", []),
        ("spaces", ["plain", "plain"]),
        ("engine", "slow"),
        ("device", "gpu"),
        ("precision", "float8"),
        ("pseudo_trust", 0),
        ("memory_mb", 1),
        ("image_size", -1),
        ("weights", ""),
    ],
)
def test_options_that_cannot_be_are_refused(option, value):
    with pytest.raises(RecipeError, match=option):
        make_proposer("few-shot", {option: value})


def test_it_travels_to_worker_processes():
    proposer = make_proposer("few-shot", {"spaces": ["plain", "sobel"], "insertions": 3})
    assert pickle.loads(pickle.dumps(proposer)) == proposer
