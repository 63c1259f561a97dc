"""The self test: the whole story inside the application, with generated data. Nothing is downloaded.

With a main window the panel's own widgets are used, without one the logic. Settings and scene are left as they were
found: empty where the test began with an empty one.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import qt
import slicer

from LiverSegSSLPanel.library import panel_readiness
from LiverSegSSLPanel.settings import PREFIX

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob
    from LiverSegSSLPanel.logic import Logic

LIMIT_S = 100.0
"""For one step; on a quiet computer they take 25 s together."""

PHANTOM = "tiny"
TARGETS = 2
"""Phases that are proposed for: one label is corrected, the other accepted."""

FOLDS = 3
"""A parameter to be found again in a saved scene; any other than the default."""

_HERE = ("python", "device", "workers")
"""Settings that say where jobs run: these stay."""


class Way(Protocol):
    """How the steps of the story are done: with the panel, or without."""

    logic: Logic

    def open(self, data: Path, workspace: Path) -> None: ...

    def propose(self, support: str, targets: list[str]) -> None: ...

    def look_at(self, case_id: str) -> None: ...

    def propagate(self, case_id: str) -> None: ...

    def judge(self, case_id: str, verdict: str) -> None: ...

    def export(self, folder: Path) -> None: ...

    def parameters(self) -> Any: ...

    def close(self) -> None: ...


def run_story(test: Any, make_logic: Callable[[], Any]) -> None:
    """Open, propose, correct, propagate, accept, export; save and restore the scene.

    :param test: the ScriptedLoadableModuleTest, which asserts and displays.
    :param make_logic: makes the logic that is used where there is no main window.
    """
    readiness = panel_readiness()
    if not readiness.ok:
        test.skipTest(readiness.reason)
    folder = Path(tempfile.mkdtemp(prefix="LiverSegSSL-test-", dir=slicer.app.temporaryPath))
    with own_settings():
        way: Way | None = None
        try:
            way = _way(test, make_logic)
            _tell(test, way, folder)
        finally:
            if way is not None:
                way.close()
            slicer.mrmlScene.Clear()
            shutil.rmtree(folder, ignore_errors=True)
    test.delayDisplay("The story has been told to its end.")


def wait_for(condition: Callable[[], Any], what: str) -> None:
    """Let the application live until something holds.

    :raises AssertionError: it does not in :data:`LIMIT_S`.
    """
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"Waited {LIMIT_S:.0f} s in vain for this: {what}"
        slicer.app.processEvents()
        time.sleep(0.01)


def wait_for_job(job: RunningJob) -> dict[str, Any]:
    """Let the application live until a job has ended; returns its result, or raises what it says of itself."""

    def ended() -> bool:
        job.poll()
        return not job.running

    wait_for(ended, f"the end of the job {job.verb}")
    return job.wait()


@contextmanager
def own_settings() -> Iterator[None]:
    """Inside, the settings of the module are those of a first start; afterwards they are what they were."""
    settings = qt.QSettings()
    settings.beginGroup(PREFIX)
    kept = {key: settings.value(key) for key in settings.allKeys() if key not in _HERE}
    for key in kept:
        settings.remove(key)
    settings.endGroup()
    try:
        yield
    finally:
        settings.beginGroup(PREFIX)
        for key in settings.allKeys():
            if key not in _HERE:
                settings.remove(key)
        for key, value in kept.items():
            settings.setValue(key, value)
        settings.endGroup()


def _way(test: Any, make_logic: Callable[[], Any]) -> Way:
    if slicer.util.mainWindow() is not None:
        from LiverSegSSLPanel.self_test_panel import ByPanel

        panel = ByPanel()
        if not panel.why_not:
            return panel
        test.delayDisplay(f"{panel.why_not} – the logic is tested without the panel.")
    return ByLogic(make_logic())


def _tell(test: Any, way: Way, folder: Path) -> None:
    logic, data = way.logic, folder / "data"
    test.delayDisplay("Making a small phantom cohort")
    wait_for_job(logic.sampleCohort(folder, PHANTOM))

    test.delayDisplay("Opening it")
    way.open(data, folder / "workspace")
    test.assertEqual(len(logic.rows()), 3)
    row = next(row for row in logic.rows() if row.state != "expert" and any(c.state == "expert" for c in row.phases))
    support = next(cell.case_id for cell in row.phases if cell.state == "expert")
    targets = [cell.phase for cell in row.phases if cell.state == "none"][:TARGETS]
    test.assertEqual(len(targets), TARGETS)

    test.delayDisplay("Proposing labels for two phases by transfer")
    way.propose(support, targets)
    queue = [item.case_id for item in logic.queue()]
    test.assertEqual(sorted(queue), sorted(f"{row.study}__{phase}" for phase in targets))
    first, second = queue

    test.delayDisplay("Looking at the first case, correcting a slice of it, and carrying that on")
    way.look_at(first)
    drawn = _correct_a_slice(logic, first)
    test.assertEqual(logic.changedSlices(first).slices, tuple(drawn))
    way.propagate(first)
    carried = logic.desk.drawn(first).array
    for index, there in drawn.items():
        np.testing.assert_array_equal(carried[index], there, "a slice that was drawn stays as it was drawn")
    test.assertGreater(len(logic.changedSlices(first).slices), len(drawn), "others have followed")

    test.delayDisplay("Recording the correction, accepting the other label")
    way.judge(first, "correct")
    way.look_at(second)
    way.judge(second, "accept")
    current = logic.store.current_all()
    states = {case_id: label.state.value for case_id, label in current.items()}
    test.assertEqual((states[support], states[first], states[second]), ("expert", "corrected", "accepted"))
    test.assertEqual(logic.queue(), [])
    np.testing.assert_array_equal(logic.store.read_mask(current[first]).array, carried)

    test.delayDisplay("Exporting the masks")
    way.export(folder / "masks")
    _check_export(test, logic, folder / "masks")

    test.delayDisplay("Saving the scene and opening it again")
    way.parameters().trainFolds = FOLDS
    scene = str(folder / "scene.mrb")
    test.assertTrue(slicer.util.saveScene(scene, properties={}))
    slicer.mrmlScene.Clear()
    test.assertNotEqual(way.parameters().trainFolds, FOLDS)
    slicer.util.loadScene(scene, properties={"clear": False})
    slicer.app.processEvents()
    test.assertEqual(way.parameters().trainFolds, FOLDS)
    study = logic.loadedStudy()
    test.assertEqual(study and study.key, row.study, "the study is in the scene again")
    np.testing.assert_array_equal(logic.desk.drawn(first).array, carried)


def _correct_a_slice(logic: Any, case_id: str) -> dict[int, Any]:
    """What a person does with the brush: the liver of two slices grows. By index along the first axis, the slices."""
    phase = logic.desk.phase(case_id)
    node, image = phase.segmentation, phase.image
    segment = node.GetSegmentation().GetNthSegmentID(0)
    array = np.array(slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, image))
    sizes = (array > 0).sum(axis=(1, 2))
    largest = int(sizes.argmax())
    changed = [index for index in (largest - 1, largest + 1) if sizes[index]]
    for index in changed:
        array[index] = np.maximum(array[index], np.roll(array[index], 2, axis=1))
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segment, image)
    mask = logic.desk.drawn(case_id).array
    return {index: mask[index].copy() for index in changed}


def _check_export(test: Any, logic: Any, folder: Path) -> None:
    """Every label that stands is there, voxel for voxel, on the grid of its image."""
    from LiverSegSSLLib.volume import read_geometry, read_mask

    current = logic.store.current_all()
    test.assertEqual(len(list(folder.rglob("*.nii.gz"))), len(current))
    for case_id, label in current.items():
        study, phase = case_id.split("__")
        exported = read_mask(folder / study / f"{phase}.nii.gz", read_geometry(logic.case(case_id).image))
        np.testing.assert_array_equal(exported.array, logic.store.read_mask(label).array, case_id)


class ByLogic:
    """The steps without a window."""

    def __init__(self, logic: Any) -> None:
        self.logic = logic

    def open(self, data: Path, workspace: Path) -> None:
        self.logic.openCohort(data, workspace)

    def propose(self, support: str, targets: list[str]) -> None:
        wait_for_job(self.logic.propose("transfer", targets=targets, supports=[support]))

    def look_at(self, case_id: str) -> None:
        if self.logic.loadedStudy() is None:
            self.logic.loadStudy(case_id.split("__")[0])

    def propagate(self, case_id: str) -> None:
        self.logic.propagateSlices(case_id, network=False)

    def judge(self, case_id: str, verdict: str) -> None:
        self.logic.recordReview(case_id, verdict)

    def export(self, folder: Path) -> None:
        wait_for_job(self.logic.export(folder))

    def parameters(self) -> Any:
        return self.logic.getParameterNode()

    def close(self) -> None:
        self.logic.closeCohort()
