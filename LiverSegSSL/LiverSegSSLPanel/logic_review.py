"""The logic's part for the review: the queue, corrections and verdicts, versions, work in progress. Free of Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLPanel.jobs import RunningJob
from LiverSegSSLPanel.library import Readiness
from LiverSegSSLPanel.logic_scene import SceneLogic, user_name
from LiverSegSSLPanel.scene.study import StudyInScene
from LiverSegSSLPanel.task import Steps, Task

if TYPE_CHECKING:
    from LiverSegSSLLib.labels.label import Label
    from LiverSegSSLLib.score.review_order import ReviewItem
    from LiverSegSSLPanel.reviewing import Changes, Propagation
    from LiverSegSSLPanel.versions import Version
    from LiverSegSSLPanel.work import Work

SaveState = Callable[[], Any]
"""Called once before the scene is changed, so that a user can take the change back in one step: the segment editor's
``saveStateForUndo``."""

NETWORK = "medsam2"
"""Weights of the network that takes part in propagating, by their name in the catalogue."""


@dataclass(frozen=True)
class QueueState:
    """What is left to look at, most needed first (without the doubtful slices).

    ``done_today``: how many cases the reviewer has judged today.
    """

    items: tuple[ReviewItem, ...]
    done_today: int


@dataclass(frozen=True)
class CaseFacts:
    """What the ledger knows of a case: versions of its label, oldest first, and the doubt of each slice along the first
    axis of the array in voxels of full doubt (empty: not known)."""

    case_id: str
    versions: tuple[Version, ...]
    doubt: tuple[float, ...]

    @property
    def standing(self) -> Version | None:
        """The version that counts."""
        return next((version for version in self.versions if version.stands), None)


class ReviewLogic(SceneLogic):
    """What a reviewer does. Each ``begin…`` returns a task: the caller polls, and the window stays alive."""

    # --- the queue ----------------------------------------------------------------------------------------------

    def queue(self, limit: int | None = None) -> list[ReviewItem]:
        """What to look at first, most needed first: case, reason in words, doubtful slices (array indices)."""
        return self._queue(limit, slices=True)

    def beginQueue(self, reviewer: str = "") -> Task[QueueState]:
        """The queue without the doubtful slices, and how many cases a reviewer (empty: the user) has judged today."""
        author = reviewer or user_name()

        def read() -> QueueState:
            midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
            judged = {review.label_id.rpartition(".")[0] for review in self.store.reviews(author, midnight)}
            return QueueState(tuple(self._queue(None, slices=False)), len(judged))

        def steps() -> Steps[QueueState]:
            return (yield read)

        return self._reading(steps())

    def beginFacts(self, caseId: str) -> Task[CaseFacts]:
        """What the ledger knows of a case."""

        def read() -> CaseFacts:
            return CaseFacts(caseId, tuple(self.versions(caseId)), tuple(self.doubtBySlice(caseId)))

        def steps() -> Steps[CaseFacts]:
            return (yield read)

        return self._reading(steps())

    # --- corrections --------------------------------------------------------------------------------------------

    def changedSlices(self, caseId: str) -> Changes:
        """The slices in which the label of a loaded case differs from what was loaded."""
        return self.beginChanges(caseId).wait()

    def beginChanges(self, caseId: str) -> Task[Changes]:
        """See :meth:`changedSlices`."""
        return self._reading(self.desk.changes(caseId))

    def networkReady(self) -> Readiness:
        """Whether the weights of the network that can take part in propagating are on this computer. It may take a
        moment."""
        try:
            from LiverSegSSLLib.models.shelf import default_shelf

            found = default_shelf().path(NETWORK)
        except ImportError as error:
            return Readiness(False, f"{error.name} is not installed")
        return Readiness(found is not None, "" if found else f"the weights of {NETWORK} are not on this computer")

    def beginNetworkReady(self) -> Task[Readiness]:
        """See :meth:`networkReady`."""

        def steps() -> Steps[Readiness]:
            return (yield self.networkReady)

        return self._reading(steps())

    def beginPropagation(self, caseId: str, axis: int | None = None, network: bool = True) -> Propagation:
        """Begin to carry the slices that were changed through the volume; the caller polls ``job``.

        :param axis: of the array ``[z, y, x]``, across which was drawn; ``None``: found out.
        :param network: let the network take part, if its weights are on this computer.
        :raises LabelError: nothing was changed.
        """
        return self.preparePropagation(caseId, axis, network).wait()

    def preparePropagation(self, caseId: str, axis: int | None = None, network: bool = True) -> Task[Propagation]:
        """See :meth:`beginPropagation`, which waits until the job has what it needs."""

        def start(verb: str, parameters: Mapping[str, Any]) -> RunningJob:
            from LiverSegSSLLib.rounds.places import Places

            features = str(Places(self.workspace, "").features)
            return self._start(verb, "LiverSegSSLLib.rounds.propagating", features=features, **parameters)

        return self._writing(self.desk.propagate(caseId, start, axis, network))

    def applyPropagation(self, propagation: Propagation, saveState: SaveState | None = None) -> str:
        """Put a finished propagation into the scene, as one step of undo; returns what was done, in words."""
        propagation.job.wait()
        return self.beginApplying(propagation, saveState).wait()

    def beginApplying(self, propagation: Propagation, saveState: SaveState | None = None) -> Task[str]:
        """See :meth:`applyPropagation`; the job must have ended."""
        return self._reading(self.desk.apply(propagation, saveState))

    def propagateSlices(
        self, caseId: str, axis: int | None = None, network: bool = True, saveState: SaveState | None = None
    ) -> str:
        """Carry the slices that were changed through the volume, and wait for it; returns what was done, in words."""
        return self.applyPropagation(self.beginPropagation(caseId, axis, network), saveState)

    # --- verdicts -----------------------------------------------------------------------------------------------

    def recordReview(
        self, caseId: str, verdict: str, reviewer: str = "", seconds: float = 0.0, comment: str = ""
    ) -> Label:
        """Write a person's verdict into the ledger: of the label in the scene, else of the newest of the case.

        :param verdict: ``accept``, ``reject``, or ``correct``: what is drawn in the scene becomes a new version.
        :param reviewer: empty: the name of the user.
        :param seconds: how long the person took.
        :raises LabelError: there is nothing to judge, it is an expert's, or it was changed and is to be accepted.
        """
        return self.beginReview(caseId, verdict, reviewer, seconds, comment).wait()

    def beginReview(
        self, caseId: str, verdict: str, reviewer: str = "", seconds: float = 0.0, comment: str = ""
    ) -> Task[Label]:
        """See :meth:`recordReview`."""
        self.case(caseId)
        return self._writing(self.desk.record(caseId, verdict, reviewer or user_name(), seconds, comment))

    def versions(self, caseId: str) -> list[Version]:
        """Every version of a case's label, oldest first."""
        from LiverSegSSLPanel.versions import label_versions

        return label_versions(self.store, self.case(caseId).id)

    def takeBack(self, labelId: str, reviewer: str = "", saveState: SaveState | None = None) -> Label:
        """Make an earlier version the one that stands; the others stay and can be taken back in their turn.

        Where its study is in the scene it is shown there, as one step of undo.

        :raises LabelError: there is no such version, or an expert's mask stands.
        """
        return self.beginTakeBack(labelId, reviewer, saveState).wait()

    def beginTakeBack(self, labelId: str, reviewer: str = "", saveState: SaveState | None = None) -> Task[Label]:
        """See :meth:`takeBack`."""
        from LiverSegSSLPanel.versions import take_back

        def steps() -> Steps[Label]:
            label: Label = yield lambda: take_back(self.store, labelId, reviewer or user_name())
            if self.desk.find(label.case_id) is not None:
                yield from self.desk.show_label(label, saveState)
            return label

        return self._writing(steps())

    # --- work in progress ---------------------------------------------------------------------------------------

    def saveWork(self, reviewer: str = "", seconds: Mapping[str, float] | None = None) -> list[str]:
        """Keep what has been drawn and not recorded; to be called every few seconds. Returns the cases kept now.

        :param seconds: by case id, how long the person has worked on it.
        """
        return self.beginSaving(reviewer, seconds).wait()

    def beginSaving(self, reviewer: str = "", seconds: Mapping[str, float] | None = None) -> Task[list[str]]:
        """See :meth:`saveWork`. It is written also if nobody polls."""
        return self.desk.work.save(self._shownCases(), reviewer or user_name(), seconds or {})

    def recoverableWork(self) -> list[Work]:
        """What was drawn and never recorded, newest first: after a crash, or a study closed in the middle."""
        self.desk.work.finish()
        return self.beginRecoverable(self._shownCases()).wait()

    def beginRecoverable(self, without: Sequence[str] = ()) -> Task[list[Work]]:
        """See :meth:`recoverableWork`.

        :param without: cases that do not count.
        """

        def steps() -> Steps[list[Work]]:
            ours = {case.id for case in self.cohort.cases()} - set(without)
            return [work for work in (yield from self.desk.work.left()) if work.case_id in ours]

        return self._writing(steps())

    def recoverWork(self, caseId: str, saveState: SaveState | None = None) -> StudyInScene:
        """Show work that was left, loading its study if need be; it waits to be recorded as before.

        :raises LabelError: there is none of this case.
        """
        case = self.case(caseId)
        self.desk.work.finish()
        if not any(work.case_id == caseId for work in self.beginRecoverable().wait()):
            raise LabelError("has no work in progress", caseId)
        study = self.loadedStudy()
        if study is None or study.key != case.study or study.phase(caseId) is None:
            self.loadStudy(case.study)
        self.beginRecovering(caseId, saveState).wait()
        found = self.loadedStudy()
        assert found is not None
        return found

    def beginRecovering(self, caseId: str, saveState: SaveState | None = None) -> Task[float]:
        """Show work that was left of a case that is loaded; the result is the seconds that were spent on it."""
        return self._writing(self.desk.put_back(caseId, saveState))

    def discardWork(self, caseId: str) -> None:
        """Forget the work in progress of a case; what is still drawn in the scene is kept again when that closes."""
        self.desk.work.forget(caseId)

    def _queue(self, limit: int | None, slices: bool) -> list[ReviewItem]:
        from LiverSegSSLLib.rounds.reviewing import review_queue

        ours = {case.id for case in self.cohort.cases()}
        return [item for item in review_queue(self.store, limit, slices) if item.case_id in ours]
