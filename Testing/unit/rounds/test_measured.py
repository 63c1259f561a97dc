"""What a method could not measure is kept with its proposal, and judged as not passed."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.propose.atlas import AtlasProposer
from LiverSegSSLLib.rounds.judging import measured
from LiverSegSSLLib.rounds.proposing import add_proposal
from LiverSegSSLLib.score.gate import GateScore
from LiverSegSSLLib.types import Proposal, Support
from LiverSegSSLLib.volume import read_volume
from Testing.integration.loop_cohort import write_small_cohort


def test_a_measurement_that_is_not_a_number_stops_nothing_and_passes_nothing(tmp_path: Path) -> None:
    data, _, _ = write_small_cohort(tmp_path, (Phase.GED4,))
    case = Case("P1", Phase.GED4, next(data.rglob("GED4.nii.gz")))
    image = read_volume(case.image)
    probability = image.with_array(np.full(image.array.shape, 0.9, np.float32))
    measurements = {"boundary_alignment": math.nan, "agreement": 0.9, "mi_gain": math.inf}
    proposal = Proposal(case, "atlas", probability, measurements=measurements)
    with LabelStore.open(tmp_path / "work") as store:
        added = add_proposal(SimpleNamespace(store=store), proposal, 1, "key")  # type: ignore[arg-type]
        found = measured(store.label(added.id))
        assert not store.repair_sidecars()
    assert found["agreement"] == 0.9 and math.isnan(found["boundary_alignment"]) and math.isnan(found["mi_gain"])
    score = GateScore().judge(found)
    assert score is not None and not score.ok


def test_a_single_atlas_proposes(tmp_path: Path) -> None:
    data, _, _ = write_small_cohort(tmp_path, (Phase.GED4,))
    expert = next(data.rglob("mask_GED4.nii.gz"))
    labelled = Case("P1", Phase.GED4, expert.with_name("GED4.nii.gz"), expert=expert)
    other = next(path for path in sorted(data.rglob("GED4.nii.gz")) if not list(path.parent.glob("mask_*")))
    case = Case("P2", Phase.GED4, other)
    cheap = AtlasProposer(affine="sobel", deformable="none", spacing_mm=6, edges=False, refinement=0)
    proposal = cheap.propose(case, [Support(labelled, expert, "P1__GED4.v1", expert=True)], seed=0)
    assert math.isnan(proposal.measurements["atlas_agreement"])
    with LabelStore.open(tmp_path / "work") as store:
        added = add_proposal(SimpleNamespace(store=store), proposal, 1, "key")  # type: ignore[arg-type]
        assert added.volume_ml > 100 and math.isnan(measured(added)["atlas_agreement"])
