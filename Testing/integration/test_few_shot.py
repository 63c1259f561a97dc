"""Few-shot propagation on the phantom with the small network that was trained on it: a test of the code, no evidence.

Patients, supports and cases here are none that the network was trained on, and it has never seen T2.
"""

from pathlib import Path

import numpy as np
import pytest

from LiverSegSSLLib.cohort.phantom import acquire, draw_anatomy, protocol
from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.propose.few_shot.consistency import dice
from LiverSegSSLLib.propose.few_shot.few_shot import FewShot
from LiverSegSSLLib.propose.few_shot.network import load_network
from LiverSegSSLLib.types import Support
from LiverSegSSLLib.volume import Volume, read_mask, read_volume, write_volume

WEIGHTS = Path(__file__).resolve().parents[1] / "few_shot" / "small_phantom_sam2.pt"
SCALE = 3.0


def patient(folder: Path, seed: int, phase: Phase, vendor: str) -> Support:
    taken = acquire(draw_anatomy(seed), phase, protocol(vendor), SCALE, seed=seed)
    image, mask = folder / f"{seed}-{phase}.nii.gz", folder / f"{seed}-{phase}-mask.nii.gz"
    write_volume(taken.image, image)
    write_volume(taken.liver, mask)
    return Support(Case(f"p{seed}", phase, image, vendor), mask, f"p{seed}")


def overlap(found: Volume, support: Support) -> float:
    return dice(found.array >= 0.5, read_mask(support.mask).array > 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("patients")


@pytest.fixture(scope="module")
def support(folder) -> Support:
    return patient(folder, 2000, Phase.GED4, "A")


def few_shot(**options) -> FewShot:
    return FewShot(**{"weights": str(WEIGHTS), "insertions": 2, "device": "cpu", **options})


def test_the_asset_is_small_and_says_what_it_is():
    assert WEIGHTS.stat().st_size < 4 * 2**20
    assert load_network(WEIGHTS).spec.variant == "sam2.1-mini"
    assert "no clinical evidence" in WEIGHTS.with_name("README.md").read_text()


@pytest.mark.parametrize(("seed", "vendor"), [(2001, "A"), (2002, "B2")])
def test_one_support_carries_its_liver_to_another_patient(folder, support, seed, vendor):
    target = patient(folder, seed, Phase.GED4, vendor)
    proposal = few_shot().propose(target.case, [support], seed=1)
    assert overlap(proposal.probability, target) >= 0.85
    assert proposal.measurements["consistency"] >= 0.8


def test_a_support_finds_itself(support):
    """Inserted into itself (METHODS 7.1)."""
    twin = Case("twin", Phase.GED4, support.case.image, "A")
    assert overlap(few_shot(consistency=False).segment(twin, [support], seed=1).probability, support) > 0.9


def test_other_spaces_find_the_liver_in_t2_where_the_plain_method_does_not(folder, support):
    target = patient(folder, 2003, Phase.T2, "A")
    plain, chosen = (
        overlap(few_shot(insertions=1, **how).segment(target.case, [support], seed=1).probability, target)
        for how in ({"spaces": ["plain"], "consistency": False}, {})
    )
    assert chosen > plain + 0.1


def test_what_comes_back_is_low_where_the_support_has_another_organ(folder, support, tmp_path):
    """A mask of nothing in particular cannot be found again."""
    image = read_volume(support.case.image)
    z, y, x = np.indices(image.array.shape)
    nonsense = ((x // 6 + y // 6) % 2 == 0) & (np.abs(z - len(image.array) // 2) < 10)
    write_volume(image.with_array(nonsense.astype(np.uint8)), tmp_path / "nonsense.nii.gz")
    target = patient(folder, 2001, Phase.GED4, "A")
    wrong = Support(support.case, tmp_path / "nonsense.nii.gz", "wrong")
    good, bad = (few_shot(insertions=1).propose(target.case, [one], seed=1) for one in (support, wrong))
    assert bad.measurements["consistency"] < good.measurements["consistency"] - 0.3
