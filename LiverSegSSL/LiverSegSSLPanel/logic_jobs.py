"""The logic's second part: what is done with the cohort in jobs. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.jobs.job import VERBS
from LiverSegSSLPanel.jobs import RunningJob, jobs_under_way, start_job
from LiverSegSSLPanel.logic_cohort import CohortLogic, places


class JobLogic(CohortLogic):
    """Each method starts a job in a process of its own and returns it.

    :param python: the Python that runs the jobs; ``None``: this one.
    :param device: of the jobs: ``auto``, ``cuda``, ``mps`` or ``cpu``.
    :param workers: processes that a job may use at once; 0: one for each core.
    """

    def __init__(self, python: str | Path | None = None, device: str = "auto", workers: int = 0) -> None:
        super().__init__()
        self.python = python
        self.device = device
        self.workers = workers
        self.jobs: list[RunningJob] = []
        """Jobs that were started here, oldest first."""

    def indexCohort(self, folder: str | Path, workspace: str | Path = "", pattern: str = "") -> RunningJob:
        """Read the headers of a cohort in a job, so that :meth:`openCohort` finds them at once afterwards."""
        data, place = places(folder, workspace)
        parameters = {"data": str(data), "workspace": str(place), **({"pattern": pattern} if pattern else {})}
        return self._keep(start_job("inspect", parameters, None, self.python))

    def propose(
        self,
        method: str = "",
        targets: Sequence[str] = (),
        supports: Sequence[str] = (),
        options: Sequence[str] = (),
        recipe: str = "default",
        changes: Sequence[str] = (),
    ) -> RunningJob:
        """Make pseudo labels and judge them.

        :param method: few-shot, transfer, atlas, …; empty: the steps of the recipe.
        :param targets: phases to propose for; ``supports``: case ids of labelled cases; empty: all.
        :param options: of the method, as ``insertions=2``; ``changes`` of the recipe, as ``rounds=1``.
        """
        return self._start(
            "propose",
            method=method,
            targets=list(targets),
            support_cases=list(supports),
            method_options=list(options),
            recipe=recipe,
            changes=list(changes),
        )

    def copyToOtherPhases(self, caseId: str) -> RunningJob:
        """Propose labels for the other phases of a study by registration of one that a person has vouched for."""
        case = self.case(caseId)
        study = self.cohort.study_of(case)
        others = [phase.value for phase in study.cases if phase is not case.phase]
        if not others:
            raise LabelError("is the only phase of its study", caseId)
        return self.propose("transfer", targets=others, supports=[caseId])

    def retrain(
        self,
        method: str = "",
        preset: str = "",
        network: str = "",
        folds: int = 0,
        init: str = "",
        recipe: str = "default",
        changes: Sequence[str] = (),
    ) -> RunningJob:
        """Train on the expert, reviewed and chosen labels of the round; empty means as the recipe says."""
        return self._start(
            "train",
            method=method,
            preset=preset,
            network=network,
            folds=folds or None,
            init=init,
            recipe=recipe,
            changes=list(changes),
        )

    def run(self, recipe: str = "default", changes: Sequence[str] = (), truth: str | Path = "") -> RunningJob:
        """The whole loop: propose, score, select, train, predict, report; started again it goes on."""
        return self._start("run", recipe=recipe, changes=list(changes), truth=str(truth))

    def predict(self, model: str | Path = "", targets: Sequence[str] = (), recipe: str = "default") -> RunningJob:
        """Segment all cases that no person has vouched for with the last model, or with a given one."""
        return self._start("predict", recipe=recipe, targets=list(targets), model=str(model))

    def evaluate(self, truth: str | Path = "", recipe: str = "default") -> RunningJob:
        """Measure proposals and predictions against true masks."""
        return self._start("evaluate", recipe=recipe, truth=str(truth))

    def report(self, recipe: str = "default") -> RunningJob:
        """Write the report of what has been done so far."""
        return self._start("report", recipe=recipe)

    def export(self, folder: str | Path, states: Sequence[str] = (), care: bool = False) -> RunningJob:
        """Copy the masks that stand to a folder: ``<study>/<phase>.nii.gz``, or in CARE's submission layout.

        :param states: ``expert``, ``corrected``, ``accepted``, ``proposed``; empty: all.
        """
        output = str(Path(folder).absolute())
        return self._start("export", "LiverSegSSLLib.rounds.exporting", output=output, states=list(states), care=care)

    def runningJobs(self) -> list[RunningJob]:
        """Those of :attr:`jobs` that have not ended. They go on when Slicer ends, unless they are cancelled."""
        return [job for job in self.jobs if job.running]

    def findJobs(self) -> list[RunningJob]:
        """Jobs of this workspace that run already: left by an earlier Slicer, or started from a shell.

        They are added to :attr:`jobs`, and tell all that they have said from the beginning.
        """
        known = {job.folder for job in self.jobs}
        found = [job for job in jobs_under_way(self.workspace) if job.folder not in known]
        self.jobs += found
        return found

    def _start(self, verb: str, module: str = VERBS, **parameters: Any) -> RunningJob:
        """Start a verb on this cohort; what is empty is left to the verb. Verbs of the loop may take hours: they go on
        without us."""
        from LiverSegSSLLib.rounds.places import job_folder

        given = {key: value for key, value in parameters.items() if value is not None and value not in ("", [])}
        if self._pattern is not None:
            given["pattern"] = self._pattern
        where = {"device": self.device, "workers": self.workers}
        data = {"data": str(self._data), "workspace": str(self.workspace), **where}
        folder = job_folder(self.workspace, verb.split("_")[0])
        return self._keep(start_job(verb, {**data, **given}, folder, self.python, module, detached=module == VERBS))

    def _keep(self, job: RunningJob) -> RunningJob:
        self.jobs.append(job)
        return job
