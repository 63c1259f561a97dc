"""The module's logic without a window, on a small phantom cohort and a real MRML scene."""

import shutil

import numpy as np
import pytest
from scipy import ndimage

slicer = pytest.importorskip("slicer")

from LiverSegSSLPanel.jobs import start_job  # noqa: E402
from LiverSegSSLPanel.logic import Logic  # noqa: E402
from LiverSegSSLPanel.logic_cohort import CohortLogic  # noqa: E402
from LiverSegSSLPanel.scene.segmentations import labels_of, set_labels  # noqa: E402
from LiverSegSSLPanel.scene.volumes import volume_of  # noqa: E402

from LiverSegSSLLib.errors import BadInputError, Cancelled, CohortError, LabelError  # noqa: E402
from LiverSegSSLLib.labels.label import LabelState  # noqa: E402
from LiverSegSSLLib.types import Decision, Score  # noqa: E402
from LiverSegSSLLib.volume import read_geometry, read_mask  # noqa: E402
from Testing.integration.loop_cohort import write_small_cohort  # noqa: E402
from Testing.slicer.drawing import draw, liver_slices  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Images, and their true masks."""
    return write_small_cohort(tmp_path_factory.mktemp("cohort"))[:2]


@pytest.fixture
def cohort(data):
    return data[0]


@pytest.fixture(scope="module")
def proposed(data, tmp_path_factory):
    """A workspace with proposals for the T2 of two studies: the truth, moved and blurred."""
    workspace = tmp_path_factory.mktemp("proposed") / "workspace"
    logic = CohortLogic()
    labelled = [
        row for row in logic.openCohort(data[0], workspace) if row.state == "none" and row.phases[0].state != "none"
    ]
    assert len(labelled) == 2
    for need, row in zip((0.7, 0.3), labelled, strict=True):
        case_id = row.phases[1].case_id
        truth = read_mask(data[1] / f"{case_id}.nii.gz")
        probability = ndimage.gaussian_filter(np.roll(truth.array, 1, axis=2).astype(np.float32), 0.7)
        mask = truth.with_array((probability >= 0.5).astype(np.uint8))
        chances = truth.with_array(probability)
        label = logic.store.add(case_id, mask, source="transfer", round=1, probability=chances)
        scores = (Score("parts", 0.0, False, "2 separate parts, the second of 14 mL"),)
        logic.store.record(Decision(case_id, label.id, scores, False, "parts", need))
    logic.closeCohort()
    return workspace


@pytest.fixture
def logic(scene, cohort, proposed, tmp_path):
    """The logic on a copy of that workspace."""
    workspace = tmp_path / "workspace"
    shutil.copytree(proposed, workspace)
    logic = Logic(scene, device="cpu")
    logic.openCohort(cohort, workspace)
    yield logic
    logic.closeCohort()


def test_a_changed_label_cannot_be_accepted_by_mistake_nor_an_unchanged_one_corrected(logic):
    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    with pytest.raises(LabelError, match="has not been changed"):
        logic.recordReview(case_id, "correct")
    draw(logic, case_id, slices=liver_slices(logic.desk.drawn(case_id).array)[:2])
    with pytest.raises(LabelError, match="has been changed since it was loaded – record it as correct"):
        logic.recordReview(case_id, "accept")
    set_labels(logic.desk.phase(case_id).segmentation, logic.desk.drawn(case_id).with_array(_none(logic, case_id)))
    with pytest.raises(LabelError, match="the mask is empty"):
        logic.recordReview(case_id, "correct")
    with pytest.raises(LabelError, match="no verdict 'approve'"):
        logic.recordReview(case_id, "approve")
    assert logic.store.current(case_id).state is LabelState.PROPOSED
    assert logic.recordReview(case_id, "reject").state is LabelState.REJECTED
    logic.closeStudy()
    assert logic.recoverableWork() == [], "what was rejected is not offered again"


def test_a_case_without_a_label_can_be_drawn_from_nothing(logic):
    row = next(row for row in logic.rows() if row.state == "none")
    case_id = row.phases[0].case_id
    logic.loadStudy(row.study)
    with pytest.raises(LabelError, match="has no label yet"):
        logic.recordReview(case_id, "accept")
    array = _none(logic, case_id)
    array[3, 4:9, 5:11] = 1
    array[6, 4:9, 5:11] = 1
    set_labels(logic.desk.phase(case_id).segmentation, logic.desk.drawn(case_id).with_array(array))
    note = logic.propagateSlices(case_id, network=False)
    assert "interpolated to slices 4 to 5" in note
    label = logic.recordReview(case_id, "correct", reviewer="dr")
    assert (label.source, label.state, label.parents) == ("drawn", LabelState.CORRECTED, ())
    assert logic.store.read_mask(label).array[4, 6, 7] == 1


def test_an_experts_mask_is_shown_and_stays(logic):
    row = next(row for row in logic.rows() if any(cell.state == "expert" for cell in row.phases))
    case_id = next(cell.case_id for cell in row.phases if cell.state == "expert")
    logic.loadStudy(row.study, ["GED4"])
    truth = read_mask(logic.case(case_id).expert)
    np.testing.assert_array_equal(logic.desk.drawn(case_id).array, truth.array)
    draw(logic, case_id, slices=liver_slices(truth.array)[:1])
    for verdict in ("correct", "reject"):
        with pytest.raises(LabelError):
            logic.recordReview(case_id, verdict)
    assert logic.store.current(case_id).state is LabelState.EXPERT


def test_versions_can_be_looked_at_and_taken_back_and_forth(logic):
    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    draw(logic, case_id, slices=liver_slices(logic.desk.drawn(case_id).array)[:2])
    logic.recordReview(case_id, "correct", reviewer="dr", seconds=10.0)
    first, second = logic.versions(case_id)
    assert [(one.version, one.state, one.stands) for one in (first, second)] == [
        (1, "proposed", False),
        (2, "corrected", True),
    ]
    assert (second.author, second.seconds) == ("dr", 10.0)
    assert logic.takeBack(first.label_id).state is LabelState.PROPOSED
    assert [one.stands for one in logic.versions(case_id)] == [True, False]
    assert logic.versions(case_id)[1].state == "rejected"
    assert logic.takeBack(second.label_id).state is LabelState.CORRECTED
    assert [one.stands for one in logic.versions(case_id)] == [False, True]
    with pytest.raises(LabelError, match="no such label"):
        logic.takeBack("nobody__T2.v9")


def test_the_queue_is_in_order_of_need_with_reasons_in_words_and_doubtful_slices(logic):
    first, second = logic.queue()
    assert (first.need, second.need) == (0.7, 0.3) and (first.rank, second.rank) == (1, 2)
    assert first.reason == "T2: 2 separate parts, the second of 14 mL"
    doubt = logic.doubtBySlice(first.case_id)
    assert first.slices[0] == int(np.argmax(doubt))
    assert logic.queue(limit=1) == [first]
    assert logic.recordReview(first.case_id, "accept", reviewer="dr").state is LabelState.ACCEPTED
    assert [item.case_id for item in logic.queue()] == [second.case_id]


def test_the_table_can_be_filtered(logic):
    rows = logic.rows()
    assert logic.rows(state="proposed", phase="T2") == [row for row in rows if row.state == "proposed"]
    assert logic.rows(state="proposed", phase="GED4") == []
    vendors = {row.vendor for row in rows}
    assert sum(len(logic.rows(vendor=vendor)) for vendor in vendors) == 4
    assert [row.study for row in logic.rows(text=rows[0].study.upper())] == [rows[0].study]
    assert all(row.doubt is not None and 0 <= row.doubt <= 1 for row in rows if row.state == "proposed")


def test_work_in_progress_is_kept_and_offered_again(logic, scene, cohort):
    case_id = logic.queue()[0].case_id
    study = case_id.split("__")[0]
    logic.loadStudy(study)
    assert logic.saveWork() == [], "nothing has been drawn"
    drawn = draw(logic, case_id, slices=liver_slices(logic.desk.drawn(case_id).array)[:2])
    assert logic.saveWork("dr", {case_id: 12.5}) == [case_id]
    assert logic.saveWork("dr") == [], "and nothing since"
    assert logic.recoverableWork() == [], "it is in the scene"
    workspace = logic.workspace
    logic.desk.work.finish()
    scene.Clear(0)  # as after a crash
    again = Logic(scene, device="cpu")
    again.openCohort(cohort, workspace)
    (work,) = again.recoverableWork()
    assert (work.case_id, work.reviewer, work.seconds) == (case_id, "dr", 12.5)
    again.recoverWork(case_id)
    np.testing.assert_array_equal(again.desk.drawn(case_id).array, drawn)
    assert len(again.changedSlices(case_id).slices) == 2, "it still counts as a change of the proposal"
    again.recordReview(case_id, "correct", reviewer="dr")
    again.closeCohort()
    assert not list((workspace / "work").glob("*.json"))


def test_closing_a_study_keeps_what_was_drawn(logic):
    case_id = logic.queue()[0].case_id
    study = case_id.split("__")[0]
    logic.loadStudy(study)
    drawn = draw(logic, case_id, slices=liver_slices(logic.desk.drawn(case_id).array)[:2])
    other = next(row.study for row in logic.rows() if row.study != study)
    logic.loadStudy(other)
    assert [work.case_id for work in logic.recoverableWork()] == [case_id]
    logic.recoverWork(case_id)
    assert logic.loadedStudy().key == study
    np.testing.assert_array_equal(logic.desk.drawn(case_id).array, drawn)
    logic.discardWork(case_id)
    logic.closeStudy()
    assert [work.case_id for work in logic.recoverableWork()] == [case_id], "it was still drawn when it was closed"


def test_strokes_made_while_a_propagation_runs_are_not_lost(logic):
    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    there = liver_slices(logic.desk.drawn(case_id).array)
    draw(logic, case_id, slices=there[1:2])
    propagation = logic.beginPropagation(case_id, network=False)
    later = draw(logic, case_id, slices=there[3:4])
    propagation.job.wait(60)
    with pytest.raises(LabelError, match="was changed while its corrections were propagated"):
        logic.applyPropagation(propagation)
    np.testing.assert_array_equal(logic.desk.drawn(case_id).array, later)
    with pytest.raises(LabelError, match="nothing has been changed"):
        logic.loadStudy(case_id.split("__")[0])
        logic.beginPropagation(case_id)


def test_what_the_loop_refuses_arrives_as_one_line(logic, tmp_path):
    refused = {
        "learn.method is wrong": logic.retrain(method="supervized"),
        "guess": logic.propose("guess"),
        "is not a folder": logic.evaluate(truth=tmp_path / "nowhere"),
        "nobody__GED4": logic.propose("transfer", supports=["nobody__GED4"], recipe="demo"),
    }
    for word, job in refused.items():
        with pytest.raises(BadInputError, match=word) as error:
            job.wait(240)
        assert len(str(error.value).splitlines()) == 1
        assert job.state == "failed" and job.log().splitlines()[-1] == f"Error: {error.value}"


def test_a_label_can_be_sent_to_the_other_phases_of_its_study_and_the_job_cancelled(logic):
    case_id = next(cell.case_id for row in logic.rows() for cell in row.phases if cell.state == "expert")
    job = logic.copyToOtherPhases(case_id)
    assert (job.parameters["method"], job.parameters["targets"]) == ("transfer", ["T2"])
    assert job.parameters["support_cases"] == [case_id]
    job.cancel()
    with pytest.raises(Cancelled):
        job.wait(60)
    assert logic.runningJobs() == [] and logic.findJobs() == []


def test_a_job_that_runs_already_is_found(logic):
    folder = logic.workspace / "jobs" / "1-count"
    parameters = {"to": 3, "folder": str(folder)}
    left = start_job("slow_count", parameters, folder, module="Testing.slicer.slow_verbs", detached=True)
    while not left.poll():
        pass
    (job,) = logic.findJobs()
    assert logic.findJobs() == [] and logic.runningJobs() == [job]
    (folder / "go").touch()
    assert job.wait(120) == {"sum": 3}
    left.wait(60)
    assert logic.runningJobs() == []


def test_doubt_and_probability_are_overlays_of_the_case(logic):
    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    probability = logic.store.read_probability(logic.store.current(case_id)).array
    np.testing.assert_array_equal(volume_of(logic.showProbability(case_id)).array, probability)
    doubt = volume_of(logic.showDoubt(case_id)).array
    assert doubt.max() <= 1 and doubt[probability == 0].max() == 0
    np.testing.assert_allclose(logic.doubtBySlice(case_id), doubt.sum(axis=(1, 2), dtype=float), rtol=1e-5)
    assert len(logic.loadedStudy().phase(case_id).overlays) == 2
    expert = next(phase.case_id for phase in logic.loadedStudy().phases if phase.phase == "GED4")
    with pytest.raises(LabelError, match="no probability"):
        logic.showDoubt(expert)
    assert logic.doubtBySlice(expert) == []


def test_nodes_deleted_under_the_logic_and_a_closed_scene_are_errors_in_words(logic, scene):
    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    scene.RemoveNode(logic.desk.phase(case_id).segmentation)
    for call in (logic.changedSlices, logic.propagateSlices, lambda one: logic.recordReview(one, "correct")):
        with pytest.raises(LabelError, match="is not in the scene – load its study"):
            call(case_id)
    assert logic.saveWork() == []
    scene.Clear(0)
    assert logic.loadedStudy() is None and logic.saveWork() == []
    logic.loadStudy(case_id.split("__")[0])
    assert logic.changedSlices(case_id).slices == ()


def test_a_segmentation_is_saved_with_its_terminology(logic, scene, tmp_path):
    case_id = logic.queue()[0].case_id
    logic.loadStudy(case_id.split("__")[0])
    before = scene.GetNumberOfNodes()
    file = logic.exportSegmentation(case_id, tmp_path / "new" / "liver.seg.nrrd")
    assert scene.GetNumberOfNodes() == before
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(file))
    assert storage.ReadData(node)
    labels, names = labels_of(node, read_geometry(logic.case(case_id).image))
    assert names == {1: "Liver"}
    np.testing.assert_array_equal(labels.array, logic.desk.drawn(case_id).array)
    assert "SCT^10200004^Liver" in node.GetSegmentation().GetNthSegment(0).GetTerminology()
    with pytest.raises(BadInputError, match="let it end in"):
        logic.exportSegmentation(case_id, tmp_path / "liver.nii.gz")


def test_a_damaged_phase_is_told_and_the_others_are_shown(scene, cohort, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(cohort, data)
    logic = Logic(scene)
    rows = logic.openCohort(data, tmp_path / "workspace")
    t2 = logic.case(next(cell.case_id for cell in rows[0].phases if cell.phase == "T2"))
    content = t2.image.read_bytes()
    t2.image.write_bytes(content[: len(content) // 2])  # between opening the cohort and loading the study
    loading = logic.beginLoading(rows[0].study)
    while not loading.poll():
        pass
    assert [phase.phase for phase in logic.loadedStudy().phases] == ["GED4"]
    assert "T2" in str(loading.errors[t2.id])
    with pytest.raises(BadInputError, match="T2"):
        logic.loadStudy(rows[0].study, ["T2"])
    assert logic.loadedStudy() is None
    logic.closeCohort()


def test_what_is_wrong_is_said_in_one_line(scene, cohort, tmp_path):
    logic = Logic(scene)
    with pytest.raises(CohortError, match="no cohort is open"):
        logic.rows()
    with pytest.raises(CohortError, match="is not there"):
        logic.openCohort(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CohortError, match="no image"):
        logic.openCohort(tmp_path / "empty")
    assert not (tmp_path / "empty-liversegssl").exists()
    logic.openCohort(cohort, tmp_path / "workspace")
    with pytest.raises(CohortError, match="no case of this cohort"):
        logic.recordReview("x__T2", "accept")
    with pytest.raises(CohortError, match="no study of this cohort"):
        logic.loadStudy("x")
    logic.closeCohort()


def _none(logic, case_id):
    return np.zeros(read_geometry(logic.case(case_id).image).shape, np.uint8)
