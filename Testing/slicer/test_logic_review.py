"""What the logic does for the review: queue, outlines, the network's weights, versions shown in the scene."""

import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from LiverSegSSLPanel.logic import Logic  # noqa: E402
from LiverSegSSLPanel.logic_review import NETWORK  # noqa: E402
from LiverSegSSLPanel.scene.segmentations import undo_steps  # noqa: E402

from LiverSegSSLLib.errors import LabelError  # noqa: E402
from LiverSegSSLLib.labels.label import LabelState  # noqa: E402
from Testing.slicer.drawing import draw, liver_slices  # noqa: E402


@pytest.fixture
def logic(scene, proposed_cohort, tmp_path):
    """The logic on a copy of a workspace with four proposals."""
    shutil.copytree(proposed_cohort / "workspace", tmp_path / "workspace")
    logic = Logic(scene, device="cpu")
    logic.openCohort(proposed_cohort / "data", tmp_path / "workspace")
    yield logic
    logic.closeCohort()


def test_the_queue_without_slices_is_the_same_and_counts_what_was_done_today(logic):
    slow = logic.queue()
    state = logic.beginQueue("dr").wait()
    assert [(item.case_id, item.rank, item.reason) for item in state.items] == [
        (item.case_id, item.rank, item.reason) for item in slow
    ]
    assert state.done_today == 0 and all(item.slices == () for item in state.items)
    first, second = slow[0].case_id, slow[1].case_id
    logic.recordReview(first, "reject", reviewer="dr")
    logic.recordReview(first, "accept", reviewer="dr")
    logic.recordReview(second, "accept", reviewer="another")
    state = logic.beginQueue("dr").wait()
    assert state.done_today == 1, "cases, not clicks; and one's own"
    assert len(state.items) == 2
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert logic.store.reviews("dr", tomorrow) == [] and len(logic.store.reviews("dr", tomorrow - timedelta(2))) == 2


def test_a_rejected_label_leaves_the_queue_and_an_earlier_proposal_takes_its_place(logic):
    item = logic.queue()[0]
    mask = logic.store.read_mask(logic.store.label(item.label_id))
    label = logic.store.add(item.case_id, mask, source="few-shot", round=1)
    logic.store.review(label.id, LabelState.REJECTED, author="dr")
    assert logic.queue()[0].label_id == item.label_id, "the earlier proposal stands again"
    logic.recordReview(item.case_id, "reject", reviewer="dr")
    logic.store.review(item.label_id, LabelState.REJECTED, author="dr")
    assert item.case_id not in [one.case_id for one in logic.queue()]


def test_another_version_is_an_outline_and_no_label(logic, scene):
    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    proposed = logic.desk.drawn(case_id).array
    draw(logic, case_id, slices=liver_slices(proposed)[:2])
    label = logic.recordReview(case_id, "correct", reviewer="dr")
    node = logic.showVersion(label.parents[0])
    phase = logic.loadedStudy().phase(case_id)
    assert phase.overlays == (node,) and phase.segmentation is not node
    display = node.GetDisplayNode()
    assert (display.GetVisibility2DFill(), display.GetVisibility2DOutline()) == (False, True)
    assert node.GetSegmentation().GetNthSegment(0).GetName() == "atlas (version 1)"
    shown = slicer.util.arrayFromSegmentBinaryLabelmap(node, node.GetSegmentation().GetNthSegmentID(0), phase.image)
    np.testing.assert_array_equal(shown != 0, proposed != 0)
    assert logic.saveWork() == [], "an outline is no work"
    logic.closeStudy()
    assert not scene.IsNodePresent(node)
    with pytest.raises(LabelError, match="is not in the scene"):
        logic.showVersion(label.id)


def test_a_version_taken_back_is_shown_in_one_step_of_undo(logic):
    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    proposed = logic.desk.drawn(case_id).array
    drawn = draw(logic, case_id, slices=liver_slices(proposed)[:2])
    label = logic.recordReview(case_id, "correct", reviewer="dr")
    history = undo_steps(logic.desk.phase(case_id).segmentation)
    logic.takeBack(label.parents[0], "dr", history.SaveState)
    np.testing.assert_array_equal(logic.desk.drawn(case_id).array, proposed)
    assert logic.changedSlices(case_id).slices == () and logic.desk.phase(case_id).label_id == label.parents[0]
    history.RestorePreviousState()
    np.testing.assert_array_equal(logic.desk.drawn(case_id).array, drawn)


def test_what_the_ledger_knows_of_a_case(logic):
    case_id = logic.queue()[0].case_id
    facts = logic.beginFacts(case_id).wait()
    assert facts.standing.source == "atlas" and facts.doubt == tuple(logic.doubtBySlice(case_id))
    study = case_id.split("__")[0]
    assert logic.beginFacts(f"{study}__T2").wait().standing is None


def test_the_network_takes_part_only_where_its_weights_are(logic, tmp_path, monkeypatch):
    from LiverSegSSLLib.propose.few_shot.few_shot import FewShot

    assert FewShot().weights == NETWORK
    monkeypatch.setenv("LIVERSEGSSL_MODELS", str(tmp_path / "nothing"))
    readiness = logic.beginNetworkReady().wait()
    assert not readiness.ok and NETWORK in readiness.reason


def test_a_disk_that_fails_is_told_and_the_work_is_kept_later(logic, monkeypatch):
    from LiverSegSSLPanel import keeping

    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    draw(logic, case_id, slices=liver_slices(logic.desk.drawn(case_id).array)[:2])

    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(keeping, "save_work", full)
    with pytest.raises(OSError, match="No space left"):
        logic.saveWork()
    monkeypatch.undo()
    assert logic.saveWork() == [case_id]
