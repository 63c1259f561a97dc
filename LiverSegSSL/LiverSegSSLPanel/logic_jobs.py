"""The logic's second part: what is done with the cohort in jobs. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.jobs.job import VERBS
from LiverSegSSLPanel.jobs import RunningJob, jobs_under_way, start_job
from LiverSegSSLPanel.logic_cohort import CohortLogic, places
from LiverSegSSLPanel.task import Steps, Task
from LiverSegSSLPanel.training import (
    Outlook,
    PhaseLabels,
    RoundFigure,
    Training,
    labels_by_phase,
    round_figures,
    unfinished_training,
)

if TYPE_CHECKING:
    from LiverSegSSLLib.rounds.session import Session


_REPORTING = ("run", "report")
"""Verbs that write a report."""


class JobLogic(CohortLogic):
    """Each method starts a job in a process of its own and returns it.

    :param python: the Python that runs the jobs; ``None``: Slicer's own.
    :param device: of the jobs: ``auto``, ``cuda``, ``mps`` or ``cpu``.
    :param workers: processes that a job may use at once; 0: one for each core.
    """

    def __init__(self, python: str | Path | None = None, device: str = "auto", workers: int = 0) -> None:
        super().__init__()
        self.python = python
        self.device = device
        self.workers = workers
        self.pseudonyms = False
        """Whether reports call studies by pseudonyms instead of their keys."""
        self.jobs: list[RunningJob] = []
        """Jobs that were started here, oldest first."""

    def indexCohort(self, folder: str | Path, workspace: str | Path = "", pattern: str = "") -> RunningJob:
        """Read the headers of a cohort in a job, so that :meth:`openCohort` finds them at once afterwards."""
        data, place = places(folder, workspace)
        parameters = {"data": str(data), "workspace": str(place), **({"pattern": pattern} if pattern else {})}
        return self._keep(start_job("inspect", parameters, None, self.python))

    def checkWorkspace(self, folder: str | Path, workspace: str | Path = "") -> RunningJob:
        """Look whether a cohort's workspace is whole, and repair what can be repaired; nothing is lost by it."""
        parameters = {"workspace": str(places(folder, workspace)[1])}
        return self._keep(start_job("check", parameters, None, self.python, "LiverSegSSLLib.rounds.checkup"))

    def sampleCohort(self, folder: str | Path, preset: str = "demo") -> RunningJob:
        """Make the built-in study: a computed cohort of phantoms in CARE's layout, some with a GED4 label.

        :param folder: gets the cohort in ``data`` and its truth in ``truth``; what is there already is kept.
        :param preset: ``demo``: ten studies as ``liversegssl demo`` has them; ``tiny``: three coarse ones.
        """
        data = str(Path(folder).expanduser().absolute() / "data")
        parameters = {"data": data, "preset": preset, "workers": self.workers}
        return self._keep(start_job("sample_cohort", parameters, None, self.python, "LiverSegSSLLib.rounds.demo"))

    def equip(self, verb: str, **parameters: Any) -> RunningJob:
        """Look after the Python that runs the jobs: ``look``, ``install``, ``fetch_weights``, ``import_weights``,
        ``remove_weights``; see :mod:`LiverSegSSLLib.rounds.equipment`."""
        return self._keep(start_job(verb, parameters, None, self.python, "LiverSegSSLLib.rounds.equipment"))

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
        rounds: int = 1,
    ) -> RunningJob:
        """Train on the expert, reviewed and chosen labels of the round; empty means as the recipe says.

        :param rounds: more than one: the whole loop, round after round, as :meth:`run`.
        """
        training = Training(method, preset, network, folds, rounds, init, recipe, tuple(changes))
        return self._start(training.verb, recipe=recipe, changes=list(training.all_changes))

    def unfinishedTraining(self, training: Training) -> Path | None:
        """The folder of the last training, if it was this one and was cancelled, killed or failed: it would go on."""
        asked = self._parameters(recipe=training.recipe, changes=list(training.all_changes))
        return unfinished_training(self.workspace, training.verb, asked)

    def trainingSummary(self, recipe: str = "default", changes: Sequence[str] = ()) -> list[PhaseLabels]:
        """What a training would learn from now: for each phase the number of labels of every kind.

        Counted by the rule by which :meth:`retrain` chooses; proposals that its recipe lacks are made first.
        """
        return labels_by_phase(self._session(recipe, changes))

    def roundFigures(self, recipe: str = "default", changes: Sequence[str] = ()) -> list[RoundFigure]:
        """Before and after: how good the models of the rounds are on cases that were kept out."""
        return round_figures(self._session(recipe, changes))

    def beginOutlook(self, training: Training) -> Task[Outlook]:
        """What a training would learn from, how good the models are, and whether it goes on: read in a thread."""
        session = self._session(training.recipe, training.all_changes)
        workspace, verb = self.workspace, training.verb
        asked = self._parameters(recipe=training.recipe, changes=list(training.all_changes))

        def look() -> Outlook:
            goes_on = unfinished_training(workspace, verb, asked) is not None
            return Outlook(tuple(labels_by_phase(session)), tuple(round_figures(session)), goes_on)

        def steps() -> Steps[Outlook]:
            outlook = yield look
            return outlook

        return Task(steps(), self._opener)

    def run(self, recipe: str = "default", changes: Sequence[str] = (), truth: str | Path = "") -> RunningJob:
        """The whole loop: propose, score, select, train, predict, report; started again it goes on."""
        return self._start("run", recipe=recipe, changes=list(changes), truth=str(truth))

    def predict(
        self,
        model: str | Path = "",
        targets: Sequence[str] = (),
        recipe: str = "default",
        changes: Sequence[str] = (),
    ) -> RunningJob:
        """Segment all cases that no person has vouched for with the last model, or with a given one."""
        return self._start("predict", recipe=recipe, targets=list(targets), model=str(model), changes=list(changes))

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

        folder = job_folder(self.workspace, verb.split("_")[0])
        given = self._parameters(**parameters)
        if self.pseudonyms and verb in _REPORTING:
            given["pseudonyms"] = True
        return self._keep(start_job(verb, given, folder, self.python, module, detached=module == VERBS))

    def _parameters(self, **parameters: Any) -> dict[str, Any]:
        given = {key: value for key, value in parameters.items() if value is not None and value not in ("", [])}
        if self._pattern is not None:
            given["pattern"] = self._pattern
        where = {"device": self.device, "workers": self.workers}
        return {"data": str(self._data), "workspace": str(self.workspace), **where, **given}

    def _session(self, recipe: str, changes: Sequence[str]) -> Session:
        """A run as a job would find it now; only to be looked at."""
        from LiverSegSSLLib.events import SILENT
        from LiverSegSSLLib.rounds.places import Places
        from LiverSegSSLLib.rounds.recipe import load_recipe
        from LiverSegSSLLib.rounds.session import Session
        from LiverSegSSLLib.rounds.state import RunState

        known = load_recipe(recipe, changes)
        place = Places(self.workspace, known.name)
        return Session(self.cohort, self.store, known, place, RunState(place.state), SILENT)

    def _keep(self, job: RunningJob) -> RunningJob:
        self.jobs.append(job)
        return job
