"""A whole story without a window: open, propose, queue, load, correct, propagate, record, export."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from LiverSegSSLPanel.logic import Logic  # noqa: E402
from LiverSegSSLPanel.scene.segmentations import undo_steps  # noqa: E402
from LiverSegSSLPanel.scene.volumes import add_volume, volume_of  # noqa: E402

from LiverSegSSLLib.labels.label import LabelState  # noqa: E402
from LiverSegSSLLib.volume import Geometry, Volume, read_mask, read_volume  # noqa: E402
from Testing.integration.loop_cohort import write_small_cohort  # noqa: E402
from Testing.slicer.drawing import draw, liver_slices  # noqa: E402


@pytest.mark.slow
def test_the_whole_story_without_a_window(scene, tmp_path):
    mine = add_volume(scene, Volume(np.zeros((2, 2, 2), np.int16), Geometry((2, 2, 2), (1.0, 1.0, 1.0))), "mine")
    cohort = write_small_cohort(tmp_path)[0]
    logic = Logic(scene, device="cpu", workers=1)
    rows = logic.openCohort(cohort, tmp_path / "workspace")
    assert len(rows) == 4 and {row.state for row in rows} == {"none"}
    support = next(cell.case_id for row in rows for cell in row.phases if cell.state == "expert")

    job = logic.propose("transfer", targets=["T2"], supports=[support])
    job.wait()
    assert job.state == "done" and logic.runningJobs() == []
    (item,) = logic.queue()
    case_id = item.case_id
    assert case_id == support.replace("GED4", "T2") and item.reason.startswith("T2: ")
    assert [row.study for row in logic.rows(state="proposed")] == [case_id.split("__")[0]]

    study = logic.loadStudy(case_id.split("__")[0])
    assert [phase.phase for phase in study.phases] == ["GED4", "T2"]
    phase = study.phase(case_id)
    image = read_volume(logic.case(case_id).image)
    np.testing.assert_array_equal(volume_of(phase.image).array, image.array)
    before = logic.store.read_mask(logic.store.label(item.label_id)).array
    np.testing.assert_array_equal(logic.desk.drawn(case_id).array, before)
    assert logic.changedSlices(case_id).slices == ()

    there = liver_slices(before)
    corrected = (there[1], there[-2])
    drawn = draw(logic, case_id, slices=corrected)
    assert (logic.changedSlices(case_id).axis, logic.changedSlices(case_id).slices) == (0, corrected)

    history = undo_steps(phase.segmentation)
    note = logic.propagateSlices(case_id, network=False, saveState=history.SaveState)
    carried = logic.desk.drawn(case_id).array
    assert note.startswith("The corrections of slices")
    np.testing.assert_array_equal(carried[list(corrected)], drawn[list(corrected)])
    assert (carried != drawn).any(), "the slices between follow"
    history.RestorePreviousState()
    np.testing.assert_array_equal(logic.desk.drawn(case_id).array, drawn)
    history.RestoreNextState()

    label = logic.recordReview(case_id, "correct", reviewer="dr", seconds=42.0, comment="lateral edge")
    assert (label.state, label.author, label.parents) == (LabelState.CORRECTED, "dr", (item.label_id,))
    assert logic.store.history(case_id)[-1].seconds == 42.0
    np.testing.assert_array_equal(logic.store.read_mask(label).array, carried)
    assert logic.changedSlices(case_id).slices == ()
    assert logic.queue() == []

    result = logic.export(tmp_path / "masks").wait(60)
    assert result["lines"] == ["3 masks: 1 corrected, 2 expert"]
    study_key = case_id.split("__")[0]
    exported = read_mask(tmp_path / "masks" / study_key / "T2.nii.gz", image.geometry)
    np.testing.assert_array_equal(exported.array, carried)

    logic.closeStudy()
    assert logic.loadedStudy() is None and scene.IsNodePresent(mine)
    assert logic.reportPath() is None, "no report has been written yet"
    logic.closeCohort()
