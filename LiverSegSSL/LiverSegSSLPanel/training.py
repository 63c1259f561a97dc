"""What is to be trained, what it would learn from, and how good the models of the rounds are. Free of Qt."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Case
    from LiverSegSSLLib.jobs.job import Job
    from LiverSegSSLLib.rounds.session import Session

ONE_ROUND, SEVERAL_ROUNDS = "train", "run"
TRAININGS = frozenset({ONE_ROUND, SEVERAL_ROUNDS})
"""Verbs that train."""

Kind = Literal["expert", "corrected", "accepted", "chosen", "left_out", "unlabelled"]
KINDS: tuple[Kind, ...] = ("expert", "corrected", "accepted", "chosen", "left_out", "unlabelled")
"""What a case is to a training. ``chosen``: its proposal was chosen; ``left_out``: it has one that was not, or that was
rejected; ``unlabelled``: it has none."""

_HERE = frozenset({"device", "workers", "pseudonyms"})
"""Parameters of a job that say where it runs and what its report is like, not what it does."""


@dataclass(frozen=True)
class Training:
    """What to train; what is empty or 0 is left to the recipe.

    :param rounds: 1: on the labels as they are now; more: the whole loop, in which the model of each round proposes
        the labels of the next.
    :param init: weights to begin with.
    :param changes: of the recipe, as ``learn.options.epochs=30``.
    """

    method: str = ""
    preset: str = ""
    network: str = ""
    folds: int = 0
    rounds: int = 1
    init: str = ""
    recipe: str = "default"
    changes: tuple[str, ...] = ()

    @property
    def verb(self) -> str:
        """The job that does it."""
        return ONE_ROUND if self.rounds == 1 else SEVERAL_ROUNDS

    @property
    def all_changes(self) -> tuple[str, ...]:
        """The changes of the recipe, with what was chosen beside them."""
        learn = {name: getattr(self, name) for name in ("method", "preset", "network", "folds", "init")}
        chosen = [f"learn.{name}={json.dumps(value)}" for name, value in learn.items() if value]  # JSON is YAML
        rounds = [] if self.rounds == 1 else [f"rounds={self.rounds}"]
        return (*self.changes, *chosen, *rounds)


@dataclass(frozen=True)
class PhaseLabels:
    """One phase as a training sees it: how many cases of each of :data:`KINDS`."""

    phase: str
    cases: dict[Kind, int]


@dataclass(frozen=True)
class RoundFigure:
    """How good the model of a round is.

    :param which: ``trained``: the round's model; ``before``: the one whose place it took; ``proposed`` (what the round
        began with) and ``final``: masks measured against the truth.
    :param judged: ``dice``: with labels of experts that were kept out; ``agreement``: with pseudo labels kept out;
        ``truth``: Dice with true masks that the user has.
    :param value: the mean, 0 to 1. Of ``dice`` and ``agreement`` over folds, on patches, at the end of the training.
    """

    round: int
    which: Literal["before", "trained", "proposed", "final"]
    judged: Literal["dice", "agreement", "truth"]
    value: float
    cases: int


@dataclass(frozen=True)
class Outlook:
    """What is to be known before a training is started.

    ``goes_on``: it was stopped, and would go on.
    """

    phases: tuple[PhaseLabels, ...] = ()
    figures: tuple[RoundFigure, ...] = ()
    goes_on: bool = False

    def total(self, *kinds: Kind) -> int:
        """Cases of these kinds in all phases."""
        return sum(phase.cases[kind] for phase in self.phases for kind in kinds)


def labels_by_phase(session: Session) -> list[PhaseLabels]:
    """What a training would learn from now, phase by phase, in the order of the cohort."""
    from LiverSegSSLLib.rounds.training import begun_round, trained_on, training_labels

    vouched, chosen = training_labels(session, begun_round(session))
    states = {case_id: label.state.value for case_id, label in vouched.items()}
    labelled = {label.case_id for label in session.store.labels()}

    def kind(case: Case) -> Any:
        # (An expert's mask enters the ledger with the first job.)
        state = states.get(case.id) or ("expert" if case.expert is not None else "")
        return state or ("chosen" if case.id in chosen else "left_out" if case.id in labelled else "unlabelled")

    found: dict[str, Counter[Kind]] = {}
    for case in trained_on(session):
        found.setdefault(case.phase.value, Counter())[kind(case)] += 1
    return [PhaseLabels(phase, {kind: counts[kind] for kind in KINDS}) for phase, counts in found.items()]


def round_figures(session: Session) -> list[RoundFigure]:
    """Before and after: the models of the rounds on cases kept out, and what was measured against the truth."""
    from LiverSegSSLLib.rounds.training import held_out_figure

    figures = []
    for number in range(1, session.recipe.rounds + 1):
        output = session.state.output(f"round {number}: train")
        before = output.get("before") if output is not None else None
        for which, figure in (("before", before), ("trained", held_out_figure(output))):
            if figure is not None:
                figures.append(RoundFigure(number, which, **figure))  # type: ignore[arg-type]
    return figures + _measured(session)


def _measured(session: Session) -> list[RoundFigure]:
    from LiverSegSSLLib.evaluate.tables import read_csv, summarise
    from LiverSegSSLLib.rounds.measuring import FINAL, labelled_sources

    if not session.places.metrics.is_file():
        return []
    means = {one.group["source"]: one for one in summarise(read_csv(session.places.metrics), ("source",))}
    figures = []
    for number, (source, _labels) in enumerate(labelled_sources(session), 1):
        if source in means:
            dice, which = means[source].measures["dice"].mean, "final" if source == FINAL else "proposed"
            figures.append(RoundFigure(number, which, "truth", dice, means[source].cases))  # type: ignore[arg-type]
    return figures


def unfinished_training(workspace: Path, verb: str, parameters: dict[str, Any]) -> Path | None:
    """The folder of the last training, if it was this one and has not ended well; it goes on when started again.

    One that was refused (the input was bad) never began.
    """
    from LiverSegSSLLib.jobs.job import Job

    for record in sorted((workspace / "jobs").glob("*/job.json"), reverse=True):
        try:
            job = Job.from_json(record.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError):  # being written this moment, or of another version
            continue
        if job.verb not in TRAININGS:
            continue
        same = job.verb == verb and _what(job.parameters) == _what(parameters)
        return record.parent if same and not _ended(record.with_name("events.jsonl"), job) else None
    return None


def _what(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name not in _HERE}


def _ended(events: Path, job: Job) -> bool:
    """Whether a job is done, or was refused, by what it has said last of its state."""
    from LiverSegSSLLib.errors import BadInputError
    from LiverSegSSLLib.jobs.found import last_state

    if not events.is_file():
        return True  # it never said a word
    data = last_state(events, job)
    return data.get("state") == "done" or data.get("exit_code") == BadInputError.exit_code
