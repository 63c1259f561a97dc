"""What every stage of a run works with: the cohort, the labels, the recipe, where to write and whom to tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.study import Case, Cohort, Phase
from LiverSegSSLLib.errors import CohortError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.jobs.executors import open_executor, usable_cores
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.memory import processes_for
from LiverSegSSLLib.rounds.places import Places
from LiverSegSSLLib.rounds.recipe import Recipe
from LiverSegSSLLib.rounds.state import RunState
from LiverSegSSLLib.types import Score
from LiverSegSSLLib.volume import read_geometry

FIXED = (LabelState.EXPERT, LabelState.CORRECTED, LabelState.ACCEPTED)
"""States a person has vouched for: trained on in every fold, never proposed for again."""


@dataclass(frozen=True)
class Session:
    """One run on one cohort in one workspace."""

    cohort: Cohort
    store: LabelStore
    recipe: Recipe
    places: Places
    state: RunState
    report: Reporter
    truth: Path | None = None
    device: str = "auto"
    where: str = "local"
    workers: int = 0
    pseudonyms: bool = False
    """Whether reports call studies by pseudonyms."""
    scores: dict[str, tuple[Score, ...]] = field(default_factory=dict)
    """By label id: what has been judged in this process (a proposal counts at once, and again in the selection)."""

    @property
    def phases(self) -> frozenset[Phase]:
        """Phases to segment: the recipe's, or all there are."""
        if self.recipe.phases:
            return frozenset(self.recipe.phases)
        return frozenset(case.phase for case in self.cohort.cases())

    def cases(self) -> list[Case]:
        """Cases to segment, in the cohort's order."""
        return list(self.cohort.cases(self.phases))

    def fixed(self) -> dict[str, Label]:
        """By case id: the label that a person has vouched for."""
        ours = {case.id for case in self.cohort.cases()}
        current = self.store.current_all()
        return {case_id: label for case_id, label in current.items() if case_id in ours and label.state in FIXED}

    def truth_of(self, case: Case) -> Path | None:
        """The true mask of a case, where the user has one to measure against."""
        if self.truth is None:
            return None
        path = self.truth / f"{case.id}.nii.gz"
        return path if path.is_file() else None

    @contextmanager
    def executor(self, items: int, step: str, images: Iterable[Path]) -> Iterator[tuple[Executor, int]]:
        """An executor for ``items`` pieces of work, and the threads that each may use.

        :param step: which work, see :func:`~LiverSegSSLLib.rounds.memory.processes_for`; ``images``: that it is on.
        """
        cores = usable_cores()
        workers = max(1, min(self.workers or cores, items))
        if self.where == "local":
            workers = processes_for(step, images, workers, asked=bool(self.workers), report=self.report)
        with open_executor(self.where, workers) as executor:
            yield executor, max(1, cores // workers)


def without_replaced(cohort: Cohort, store: LabelStore, report: Reporter) -> Cohort:
    """The cohort without the cases whose image lies on another grid than the labels that were made of it; each is told.

    One replaced image must not stop the others.
    """
    grids = {label.case_id: label.grid for label in store.labels()}
    replaced = {
        case.id
        for case in cohort.cases()
        if case.id in grids and not grids[case.id].same_grid(read_geometry(case.image))
    }
    remedy = "put the old image back, or begin a new workspace"
    for case_id in sorted(replaced):
        report.warn(f"{case_id}: its labels lie on another grid than its image, which is left out – {remedy}", "cohort")
    return cohort.without(replaced)


def register_experts(session: Session) -> dict[str, str]:
    """Put the masks that came with the data into the ledger; returns case id → label id."""
    labels: dict[str, str] = {}
    for case in session.cohort.cases():
        if case.expert is not None:
            labels[case.id] = session.store.add_expert(case).id
    return labels


def require_labels(session: Session) -> None:
    """Raise :class:`CohortError` unless some case has a label that a person vouches for."""
    if not session.fixed():
        raise CohortError(
            "has no labelled case", session.cohort.root, "put mask_GED4.nii.gz beside GED4.nii.gz of one study or more"
        )


def fingerprint(case: Case) -> list[Any]:
    """What identifies a case's image without reading it: id and size in bytes."""
    return [case.id, case.image.stat().st_size]


def checksums(labels: Mapping[str, Label]) -> dict[str, str]:
    """Case id → checksum of its label, for the inputs of a stage."""
    return {case_id: label.sha256 for case_id, label in sorted(labels.items())}
