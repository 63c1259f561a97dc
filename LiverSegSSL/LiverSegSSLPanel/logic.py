"""The body of LiverSegSSLLogic: all that the panel can do, without a window. Free of Qt.

What takes long is a job in a process of its own and returns a handle (see :mod:`LiverSegSSLPanel.jobs`); what goes
wrong is a LiverSegError, one line that says what, where and what to do.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from LiverSegSSLLib.errors import BadInputError, CohortError, LabelError
from LiverSegSSLPanel.cohort_rows import StudyRow
from LiverSegSSLPanel.jobs import RunningJob
from LiverSegSSLPanel.logic_jobs import JobLogic
from LiverSegSSLPanel.scene.study import StudyInScene, add_overlay, remove_study, study_in_scene

if TYPE_CHECKING:
    from LiverSegSSLLib.labels.label import Label
    from LiverSegSSLLib.score.review_order import ReviewItem
    from LiverSegSSLPanel.loading import StudyLoading
    from LiverSegSSLPanel.reviewing import Changes, Propagation, ReviewDesk
    from LiverSegSSLPanel.versions import Version
    from LiverSegSSLPanel.work import Work

SaveState = Callable[[], Any]
"""Called once before the scene is changed, so that a user can take the change back in one step: the segment editor's
``saveStateForUndo``."""


class Logic(JobLogic):
    """One cohort, its workspace, and the study of it that is in the scene.

    :param scene: ``None``: Slicer's.
    :param python: the Python that runs the jobs; ``None``: Slicer's own.
    :param device: of the jobs: ``auto``, ``cuda``, ``mps`` or ``cpu``.
    :param workers: processes that a job may use at once; 0: one for each core.
    """

    def __init__(
        self, scene: Any = None, python: str | Path | None = None, device: str = "auto", workers: int = 0
    ) -> None:
        super().__init__(python, device, workers)
        self.scene = slicer.mrmlScene if scene is None else scene
        self._desk: ReviewDesk | None = None
        self._loading: StudyLoading | None = None

    def openCohort(self, folder: str | Path, workspace: str | Path = "", pattern: str = "") -> list[StudyRow]:
        from LiverSegSSLPanel.reviewing import ReviewDesk

        rows = super().openCohort(folder, workspace, pattern)
        self._desk = ReviewDesk(self.scene, self.store, self.case)
        return rows

    openCohort.__doc__ = JobLogic.openCohort.__doc__

    def closeCohort(self) -> None:
        """Let go of the cohort: its study leaves the scene, work in progress is kept, jobs go on."""
        if self._desk is not None:
            self.closeStudy()
        self.release()

    def keepWork(self) -> None:
        """Keep what is drawn and not recorded as work in progress, and wait until it is on the disk."""
        if self._desk is not None:
            self._desk.save_work(_user(), {})
            self._desk.finish_saving()

    def release(self) -> None:
        """Let go of the cohort, leaving the scene as it is: work in progress is kept, jobs go on."""
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None
        if self._desk is not None:
            self.keepWork()
            self._desk.close()
            self._desk = None
        super().closeCohort()

    @property
    def desk(self) -> ReviewDesk:
        """The labels in the scene."""
        assert self.cohort is not None and self._desk is not None
        return self._desk

    # --- the study in the scene ---------------------------------------------------------------------------------

    def beginLoading(self, study: str, phases: Sequence[str] = ()) -> StudyLoading:
        """Bring a study into the scene in pieces: the caller polls. See :meth:`loadStudy`."""
        from LiverSegSSLPanel.loading import StudyLoading

        found = next((one for one in self.cohort.studies if one.key == study), None)
        cases = [] if found is None else [case for case in found.cases.values() if not phases or case.phase in phases]
        if found is None or not cases:
            raise CohortError("is no study of this cohort, or has none of these phases", study, "see the table")
        self.closeStudy()
        self._loading = StudyLoading(self.scene, found, cases, self.store)
        return self._loading

    def loadStudy(self, study: str, phases: Sequence[str] = ()) -> StudyInScene:
        """Bring a study into the scene: its phases, each with its label. The study of ours that was there goes.

        :param phases: only these; empty: all.
        :raises CohortError: there is no such study.
        :raises LiverSegError: none of its phases can be read.
        """
        return self.beginLoading(study, phases).wait()

    def loadedStudy(self) -> StudyInScene | None:
        """The study of ours that is in the scene."""
        return study_in_scene(self.scene)

    def closeStudy(self) -> None:
        """Take our study out of the scene; what was drawn and not recorded is kept as work in progress."""
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None
        self.keepWork()
        remove_study(self.scene)

    def showDoubt(self, caseId: str) -> Any:
        """Show how uncertain the label of a loaded case is, as an overlay; returns the volume node.

        :raises LabelError: the case is not loaded, or its label came without a probability.
        """
        from LiverSegSSLLib.doubt import binary_entropy

        probability = self._probability(caseId)
        return add_overlay(
            self.scene, self.desk.phase(caseId), probability.with_array(binary_entropy(probability.array)), "doubt"
        )

    def showProbability(self, caseId: str) -> Any:
        """Show the probability behind the label of a loaded case, as an overlay; returns the volume node."""
        return add_overlay(self.scene, self.desk.phase(caseId), self._probability(caseId), "probability")

    def doubtBySlice(self, caseId: str) -> list[float]:
        """Doubt of each slice along the first axis of the array, in voxels of full doubt; empty: nothing is known."""
        from LiverSegSSLLib.doubt import slice_entropy

        label = self.store.current(caseId)
        probability = None if label is None else self.store.read_probability(label)
        return [] if probability is None else slice_entropy(probability.array).tolist()

    # --- review -------------------------------------------------------------------------------------------------

    def queue(self, limit: int | None = None) -> list[ReviewItem]:
        """What to look at first, most needed first: case, reason in words, doubtful slices (array indices)."""
        from LiverSegSSLLib.rounds.reviewing import review_queue

        ours = {case.id for case in self.cohort.cases()}
        return [item for item in review_queue(self.store, limit) if item.case_id in ours]

    def changedSlices(self, caseId: str) -> Changes:
        """The slices in which the label of a loaded case differs from what was loaded."""
        return self.desk.changes(caseId)

    def beginPropagation(self, caseId: str, axis: int | None = None, network: bool = True) -> Propagation:
        """Begin to carry the slices that were changed through the volume; the caller polls ``job``.

        :param axis: of the array ``[z, y, x]``, across which was drawn; ``None``: found out.
        :param network: let the network take part, if its weights are on this computer.
        :raises LabelError: nothing was changed.
        """

        def start(verb: str, parameters: Mapping[str, Any]) -> RunningJob:
            from LiverSegSSLLib.rounds.places import Places

            features = str(Places(self.workspace, "").features)
            return self._start(verb, "LiverSegSSLLib.rounds.propagating", features=features, **parameters)

        return self.desk.start_propagation(caseId, start, axis, network)

    def applyPropagation(self, propagation: Propagation, saveState: SaveState | None = None) -> str:
        """Put a finished propagation into the scene, as one step of undo; returns what was done, in words."""
        return self.desk.apply_propagation(propagation, saveState)

    def propagateSlices(
        self, caseId: str, axis: int | None = None, network: bool = True, saveState: SaveState | None = None
    ) -> str:
        """Carry the slices that were changed through the volume, and wait for it; returns what was done, in words."""
        return self.applyPropagation(self.beginPropagation(caseId, axis, network), saveState)

    def recordReview(
        self, caseId: str, verdict: str, reviewer: str = "", seconds: float = 0.0, comment: str = ""
    ) -> Label:
        """Write a person's verdict into the ledger: of the label in the scene, else of the newest of the case.

        :param verdict: ``accept``, ``reject``, or ``correct``: what is drawn in the scene becomes a new version.
        :param reviewer: empty: the name of the user.
        :param seconds: how long the person took.
        :raises LabelError: there is nothing to judge, it is an expert's, or it was changed and is to be accepted.
        """
        self.case(caseId)
        return self.desk.record(caseId, verdict, reviewer or _user(), seconds, comment)

    def versions(self, caseId: str) -> list[Version]:
        """Every version of a case's label, oldest first."""
        from LiverSegSSLPanel.versions import label_versions

        return label_versions(self.store, self.case(caseId).id)

    def takeBack(self, labelId: str, reviewer: str = "") -> Label:
        """Make an earlier version the one that stands; the others stay and can be taken back in their turn.

        :raises LabelError: there is no such version, or an expert's mask stands.
        """
        from LiverSegSSLPanel.versions import take_back

        return take_back(self.store, labelId, reviewer or _user())

    # --- work in progress ---------------------------------------------------------------------------------------

    def saveWork(self, reviewer: str = "", seconds: Mapping[str, float] | None = None) -> list[str]:
        """Keep what has been drawn and not recorded; to be called every few seconds. Returns the cases kept now.

        :param seconds: by case id, how long the person has worked on it.
        """
        return self.desk.save_work(reviewer or _user(), seconds or {})

    def recoverableWork(self) -> list[Work]:
        """What was drawn and never recorded, newest first: after a crash, or a study closed in the middle."""
        from LiverSegSSLPanel.work import left_work

        self.desk.finish_saving()
        study = self.loadedStudy()
        shown = {phase.case_id for phase in study.phases} if study is not None else set()
        ours = {case.id for case in self.cohort.cases()}
        return [work for work in left_work(self.workspace) if work.case_id in ours - shown]

    def recoverWork(self, caseId: str, saveState: SaveState | None = None) -> StudyInScene:
        """Show work that was left, loading its study if need be; it waits to be recorded as before.

        :raises LabelError: there is none of this case.
        """
        from LiverSegSSLLib.volume import read_geometry
        from LiverSegSSLPanel.work import left_work, work_mask

        case = self.case(caseId)
        work = next((one for one in left_work(self.workspace) if one.case_id == caseId), None)
        if work is None:
            raise LabelError("has no work in progress", caseId)
        mask = work_mask(self.workspace, caseId, read_geometry(case.image))
        study = self.loadedStudy()
        if study is None or study.key != case.study or study.phase(caseId) is None:
            self.loadStudy(case.study)
        self.desk.put_back(work, mask, saveState)
        found = self.loadedStudy()
        assert found is not None
        return found

    def discardWork(self, caseId: str) -> None:
        """Forget the work in progress of a case; what is still drawn in the scene is kept again when that closes."""
        self.desk.discard_work(caseId)

    # --- results ------------------------------------------------------------------------------------------------

    def reportPath(self) -> Path | None:
        """The newest report of the workspace, if there is one."""
        reports = list((self.workspace / "runs").glob("*/report.html"))
        return max(reports, key=lambda path: path.stat().st_mtime, default=None)

    def exportSegmentation(self, caseId: str, file: str | Path) -> Path:
        """Save the segmentation of a loaded case with names, terminology and colours (``.seg.nrrd``)."""
        path = Path(file).absolute()
        if not path.name.endswith(".seg.nrrd"):
            raise BadInputError("is no name for a segmentation", path, "let it end in .seg.nrrd")
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        if not storage.WriteData(self.desk.phase(caseId).segmentation):
            raise BadInputError("cannot be written", path, "choose another folder")
        return path

    def _probability(self, caseId: str) -> Any:
        label_id = self.desk.phase(caseId).label_id
        probability = self.store.read_probability(self.store.label(label_id)) if label_id else None
        if probability is None:
            raise LabelError("has no probability behind its label", caseId, "labels of a person have none")
        return probability


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user of this number
        return "unknown"
