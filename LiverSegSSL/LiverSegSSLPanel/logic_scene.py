"""The logic's part that brings a study into the scene, and shows more of it: doubt, probabilities, other versions."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from LiverSegSSLLib.errors import CohortError, LabelError
from LiverSegSSLPanel.logic_cohort import OpenedCohort
from LiverSegSSLPanel.logic_results import ResultLogic
from LiverSegSSLPanel.scene.study import StudyInScene, add_outline, add_overlay, remove_study, study_in_scene
from LiverSegSSLPanel.task import Steps, Task

if TYPE_CHECKING:
    from LiverSegSSLLib.volume import Volume
    from LiverSegSSLPanel.loading import StudyLoading
    from LiverSegSSLPanel.reviewing import ReviewDesk


class SceneLogic(ResultLogic):
    """The study that is in the scene. What takes long returns a task when it is called ``begin…``: the caller polls.

    :param scene: ``None``: Slicer's; what else there is, is of the jobs.
    """

    def __init__(
        self, scene: Any = None, python: str | Path | None = None, device: str = "auto", workers: int = 0
    ) -> None:
        super().__init__(python, device, workers)
        self.scene = slicer.mrmlScene if scene is None else scene
        self._desk: ReviewDesk | None = None
        self._loading: StudyLoading | None = None

    def _takeOver(self, opened: OpenedCohort) -> None:
        from LiverSegSSLPanel.reviewing import ReviewDesk

        super()._takeOver(opened)
        self._desk = ReviewDesk(self.scene, self.store, self.case)

    def closeCohort(self) -> None:
        """Let go of the cohort: its study leaves the scene, work in progress is kept, jobs go on."""
        if self._desk is not None:
            self.closeStudy()
        self.release()

    def keepWork(self) -> None:
        """Keep what is drawn and not recorded as work in progress; a thread writes it, see :attr:`keepingWork`."""
        if self._desk is not None:
            self._desk.work.save(self._shownCases(), user_name(), {})

    @property
    def keepingWork(self) -> bool:
        """Whether work in progress is being written; to be polled until it is not."""
        return self._desk is not None and self._desk.work.busy

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

    # --- more of it ---------------------------------------------------------------------------------------------

    def beginDoubt(self, caseId: str) -> Task[Any]:
        """See :meth:`showDoubt`."""
        from LiverSegSSLLib.doubt import binary_entropy

        return self._reading(self._overlay(caseId, "doubt", lambda p: p.with_array(binary_entropy(p.array))))

    def showDoubt(self, caseId: str) -> Any:
        """Show how uncertain the label of a loaded case is, as an overlay; returns the volume node.

        :raises LabelError: the case is not loaded, or its label came without a probability.
        """
        return self.beginDoubt(caseId).wait()

    def beginProbability(self, caseId: str) -> Task[Any]:
        """See :meth:`showProbability`."""
        return self._reading(self._overlay(caseId, "probability", lambda probability: probability))

    def showProbability(self, caseId: str) -> Any:
        """Show the probability behind the label of a loaded case, as an overlay; returns the volume node."""
        return self.beginProbability(caseId).wait()

    def doubtBySlice(self, caseId: str) -> list[float]:
        """Doubt of each slice along the first axis of the array, in voxels of full doubt; empty: nothing is known."""
        from LiverSegSSLLib.doubt import slice_entropy

        label = self.store.current(caseId)
        probability = None if label is None else self.store.read_probability(label)
        return [] if probability is None else slice_entropy(probability.array).tolist()

    def beginVersion(self, labelId: str) -> Task[Any]:
        """See :meth:`showVersion`."""

        def steps() -> Steps[Any]:
            label = yield lambda: self.store.label(labelId)
            phase = self.desk.phase(label.case_id)
            mask = yield lambda: self.desk.on_image(label.case_id, self.store.read_mask(label))
            return add_outline(self.scene, phase, mask, f"{label.source} (version {label.version})", label.version)

        return self._reading(steps())

    def showVersion(self, labelId: str) -> Any:
        """Show a version of the label of a loaded case as a thin outline, whatever is drawn; returns the node.

        It is no label: it is not saved or exported, and goes when the study goes.

        :raises LabelError: there is no such label, or its case is not loaded.
        """
        return self.beginVersion(labelId).wait()

    # --- within -------------------------------------------------------------------------------------------------

    def _reading(self, steps: Steps[Any]) -> Task[Any]:
        return Task(steps, self.desk.reader)

    def _writing(self, steps: Steps[Any]) -> Task[Any]:
        return Task(steps, self.desk.writer)

    def _shownCases(self) -> list[str]:
        study = self.loadedStudy()
        return [] if study is None else [phase.case_id for phase in study.phases if phase.segmentation is not None]

    def _overlay(self, case_id: str, name: str, shown: Callable[[Volume], Volume]) -> Steps[Any]:
        label_id = self.desk.phase(case_id).label_id

        def read() -> Volume:
            probability = self.store.read_probability(self.store.label(label_id)) if label_id else None
            if probability is None:
                raise LabelError("has no probability behind its label", case_id, "labels of a person have none")
            return shown(probability)

        volume = yield read
        return add_overlay(self.scene, self.desk.phase(case_id), volume, name)


def user_name() -> str:
    """The name of the user of this computer."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user of this number
        return "unknown"
