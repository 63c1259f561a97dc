"""The logic's third part: labels made as a person asks, and what has come of it. Free of Qt."""

from __future__ import annotations

from pathlib import Path

from LiverSegSSLPanel.cohort_rows import study_rows
from LiverSegSSLPanel.jobs import RunningJob
from LiverSegSSLPanel.logic_jobs import JobLogic
from LiverSegSSLPanel.proposing import (
    MODEL,
    TRAININGS,
    Choices,
    TrainedModel,
    Wish,
    labelled_cases,
    refusals,
    trained_models,
    training_changes,
)
from LiverSegSSLPanel.results import Results, newest_report, read_results
from LiverSegSSLPanel.task import Steps, Task


class ResultLogic(JobLogic):
    """What Propose and Results need beside the jobs themselves."""

    def whyNotMakeLabels(self, wish: Wish) -> list[str]:
        """What speaks against :meth:`makeLabels`, in the library's words: recipe, options, weights."""
        return self.beginWhyNot(wish).wait()

    def beginWhyNot(self, wish: Wish) -> Task[list[str]]:
        """See :meth:`whyNotMakeLabels`, which may take a second the first time."""

        def steps() -> Steps[list[str]]:
            return (yield lambda: refusals(wish))

        return Task(steps(), self._opener)

    def beginChoices(self) -> Task[Choices]:
        """What there is to propose from and for: :meth:`rows` and :meth:`trainedModels`."""
        cohort, store, workspace = self.cohort, self.store, self.workspace

        def read() -> Choices:
            rows = study_rows(cohort, store.labels(), store.decisions())
            return Choices(tuple(rows), tuple(trained_models(workspace)))

        def steps() -> Steps[Choices]:
            return (yield read)

        return Task(steps(), self._opener)

    def makeLabels(self, wish: Wish) -> RunningJob:
        """Have labels made: proposed, predicted by a model, or by a network that is trained first.

        A training is one round of the recipe without proposals: it learns from every label that a person vouches for
        and from the images without one, then predicts.
        """
        if wish.method == MODEL:
            return self.predict(wish.model, wish.targets, wish.recipe, wish.changes)
        if wish.method in TRAININGS:
            learnt = {cell.phase for _row, cell in labelled_cases(self.rows())}
            return self.run(wish.recipe, training_changes(wish, learnt))
        return self.propose(wish.method, wish.targets, wish.supports, wish.options, wish.recipe, wish.changes)

    def trainedModels(self) -> list[TrainedModel]:
        """The models that were trained in the workspace, newest first."""
        return trained_models(self.workspace)

    def reportPath(self) -> Path | None:
        """The newest report of the workspace, if there is one."""
        return newest_report(self.workspace)

    def results(self) -> Results:
        """What has come of the cohort by phase and vendor: labels by state, and the newest evaluation.

        :raises BadInputError: the table of the evaluation cannot be read.
        """
        return self.beginResults().wait()

    def beginResults(self) -> Task[Results]:
        """See :meth:`results`."""
        cohort, store, workspace = self.cohort, self.store, self.workspace

        def steps() -> Steps[Results]:
            return (yield lambda: read_results(cohort, store, workspace))

        return Task(steps(), self._opener)
