"""The logic's third part: labels made as a person asks, and what has come of it. Free of Qt."""

from __future__ import annotations

from pathlib import Path

from LiverSegSSLPanel.jobs import RunningJob
from LiverSegSSLPanel.logic_jobs import JobLogic
from LiverSegSSLPanel.proposing import (
    MODEL,
    TRAININGS,
    TrainedModel,
    Wish,
    labelled_cases,
    refusals,
    trained_models,
    training_changes,
)
from LiverSegSSLPanel.results import Results, count_labels, newest_evaluation


class ResultLogic(JobLogic):
    """What Propose and Results need beside the jobs themselves."""

    def whyNotMakeLabels(self, wish: Wish) -> list[str]:
        """What speaks against :meth:`makeLabels`, in the library's words; may take a second, any thread may ask."""
        return refusals(wish)

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
        reports = list((self.workspace / "runs").glob("*/report.html"))
        return max(reports, key=lambda path: path.stat().st_mtime, default=None)

    def results(self) -> Results:
        """What has come of the cohort by phase and vendor: labels by state, and the newest evaluation.

        :raises BadInputError: the table of the evaluation cannot be read.
        """
        volumes = {label.id: label.volume_ml for label in self.store.labels()}
        files = (self.workspace / "runs").glob("*/metrics.csv")
        return Results(count_labels(self.rows(), volumes), newest_evaluation(files))
