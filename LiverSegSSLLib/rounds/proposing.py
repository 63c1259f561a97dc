"""The propose stage: each step of the recipe gives labels to the cases that have no usable one yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.components import largest_component
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.propose.proposer import Proposer, make_proposer, proposers
from LiverSegSSLLib.rounds.judging import judge_labels
from LiverSegSSLLib.rounds.recipe import NETWORK, ProposeStep
from LiverSegSSLLib.rounds.session import FIXED, Session, checksums, fingerprint
from LiverSegSSLLib.rounds.state import digest_of
from LiverSegSSLLib.spelling import advice
from LiverSegSSLLib.types import Proposal, Support
from LiverSegSSLLib.volume import Volume, read_geometry

THRESHOLD = 0.5
"""Probability from which a voxel is liver."""


def propose_round(session: Session, round_number: int) -> dict[str, str]:
    """Run the recipe's steps of a round; returns case id → id of the label that it ends with.

    A later step tries where an earlier one failed or its label did not pass the scores (and, if it says ``again``,
    everywhere); of several labels for a case the last that passes counts, else the last.
    """
    _require_possible(session)
    labels: dict[str, str] = {}
    usable: set[str] = set()
    for number, step in enumerate(session.recipe.steps(round_number), start=1):
        name = f"round {round_number}: propose {number} ({step.method})"
        reason = _why_not(session, step)
        if reason:
            session.report.info(f"left out: {reason}", name)
            continue
        fixed = session.fixed()
        phases = frozenset(step.targets) or session.phases
        targets = [
            case for case in session.cases() if case.id not in fixed and case.id not in usable and case.phase in phases
        ]
        supports = _supports(session, step, fixed, {case_id: labels[case_id] for case_id in usable})
        inputs = {
            "step": step.model_dump(mode="json"),
            "seed": session.recipe.seed,
            "targets": [fingerprint(case) for case in targets],
            "supports": checksums({support.case.id: session.store.label(support.label_id) for support in supports}),
            "score": session.recipe.score,
            "before": _training_behind(session, round_number) if step.method == NETWORK else None,
        }
        work = _Step(round_number, name, step, tuple(targets), tuple(supports))
        output = session.state.stage(name, inputs, lambda: _run_step(session, work))  # noqa: B023
        passed = set(output["usable"])
        for case_id, label_id in output["labels"].items():
            if label_id in passed or case_id not in usable:
                labels[case_id] = label_id
            if label_id in passed:
                usable.add(case_id)
    return labels


def add_proposal(session: Session, proposal: Proposal, round_number: int, key: str) -> Label:
    """Keep a proposal: its mask (largest part), its probability, where it comes from. A failed one is empty."""
    probability = proposal.probability
    if probability is None:
        geometry = read_geometry(proposal.case.image)
        mask = Volume(np.zeros(geometry.shape, np.uint8), geometry)
    else:
        mask = probability.with_array(largest_component(probability.array >= THRESHOLD).astype(np.uint8))
    return session.store.add(
        proposal.case.id,
        mask,
        source=proposal.source,
        round=round_number,
        state=LabelState.PROPOSED,
        parents=proposal.parents,
        parameters={
            **proposal.parameters,
            # JSON has no "not a number", which is what a single atlas agrees with itself by.
            "measurements": {
                name: float(value) if np.isfinite(value) else None for name, value in proposal.measurements.items()
            },
            "failure": proposal.failure,
        },
        seed=proposal.seed,
        probability=probability,
        key=key,
    )


@dataclass(frozen=True)
class _Step:
    """A step of the recipe with what it is to work on."""

    round: int
    name: str
    how: ProposeStep
    targets: tuple[Case, ...]
    supports: tuple[Support, ...]


def _require_possible(session: Session) -> None:
    """Before hours go into the steps before it.

    :raises RecipeError: a method cannot run here, and may not be left out.
    """
    for step in (*session.recipe.propose, *session.recipe.propose_again):
        reason = _why_not(session, step)
        if reason and not step.where_possible:
            raise RecipeError(f"{step.method} cannot run: {reason}", session.recipe.name)


def _why_not(session: Session, step: ProposeStep) -> str:
    return "" if step.method == NETWORK else _proposer(session, step).unavailable()


def _run_step(session: Session, step: _Step) -> dict[str, Any]:
    if step.how.method == NETWORK:
        from LiverSegSSLLib.rounds.predicting import propose_by_network

        added = propose_by_network(session, step.round, step.name, step.targets)
    else:
        added = _from_supports(session, step)
    verdicts = judge_labels(session, list(added.values()), f"{step.name}: score")
    for case_id, label in added.items():
        failure = label.parameters.get("failure")
        if failure:
            session.report.warn(f"{case_id}: {failure}", step.name)
    usable = [label_id for label_id, scores in verdicts.items() if all(score.ok for score in scores)]
    return {"labels": {case_id: label.id for case_id, label in sorted(added.items())}, "usable": sorted(usable)}


def _from_supports(session: Session, step: _Step) -> dict[str, Label]:
    proposer = _proposer(session, step.how)
    added: dict[str, Label] = {}
    work: dict[str, tuple[object, ...]] = {}
    keys: dict[str, str] = {}
    origin = [session.places.run, step.round, step.name, step.how.options, session.recipe.seed]
    for case in step.targets:
        chosen = proposer.choose(case, [support for support in step.supports if support.case.id != case.id])
        if not chosen:
            continue
        parents = [session.store.label(support.label_id).sha256 for support in chosen]
        keys[case.id] = digest_of([*origin, fingerprint(case), parents])
        known = session.store.find(keys[case.id])
        if known is not None:
            added[case.id] = known
        else:
            work[case.id] = (proposer, case, chosen, session.recipe.seed)
    if not work:
        return added
    at_once = min(len(work), proposer.most_processes() or len(work))
    with session.executor(at_once, step.how.method, [case.image for case in step.targets]) as (executor, threads):
        from LiverSegSSLLib.jobs.executors import map_cases

        items = {case_id: (*arguments, threads) for case_id, arguments in work.items()}
        for case_id, proposal in map_cases(executor, _propose, items, step.name, session.report):
            added[case_id] = add_proposal(session, proposal, step.round, keys[case_id])
    return added


def _proposer(session: Session, step: ProposeStep) -> Proposer:
    """The step's proposer, on the run's device and with the workspace's cache where it has use for them."""
    here = {"device": session.device, "features": str(session.places.features)}
    known = {field.name for field in fields(proposers()[step.method])}
    return make_proposer(step.method, {**{name: here[name] for name in here if name in known}, **step.options})


def _propose(proposer: Proposer, case: Case, supports: Sequence[Support], seed: int, threads: int) -> Proposal:
    """In a worker: one case. What is wrong with one image must not stop the others."""
    from LiverSegSSLLib.errors import BadInputError

    try:
        return proposer.propose(case, supports, seed=seed, threads=threads)
    except BadInputError as error:
        return Proposal(case, proposer.name, None, seed=seed, failure=str(error))


def _supports(
    session: Session, step: ProposeStep, fixed: Mapping[str, Label], usable: Mapping[str, str]
) -> list[Support]:
    labels = dict(fixed)
    if step.supports == "labelled":
        labels.update({case_id: session.store.label(label_id) for case_id, label_id in usable.items()})
    supports = []
    for case in _support_cases(session, step, labels):
        label = labels[case.id]
        support = Support(case, session.store.mask_path(label), label.id, expert=label.state in FIXED)
        if label.state == LabelState.EXPERT and case.expert is not None and case.organs:
            # The given file knows more organs than the ledger's liver mask: the gate by kidneys needs them.
            support = replace(support, mask=case.expert, liver_value=case.liver_value, organs=case.organs)
        supports.append(support)
    return supports


def _support_cases(session: Session, step: ProposeStep, labels: Mapping[str, Label]) -> list[Case]:
    """Cases with a label, in the cohort's order; those that the step names, if it names any.

    :raises RecipeError: a named case is none of them; says which are.
    """
    there = [case for case in session.cohort.cases() if case.id in labels]
    if not step.support_cases:
        return there
    for name in step.support_cases:
        if name not in labels:
            known = [case.id for case in there]
            raise RecipeError("is no labelled case", name, advice(name, known) if known else "label a case first")
    return [case for case in there if case.id in step.support_cases]


def _training_behind(session: Session, round_number: int) -> Any:
    return session.state.output(f"round {round_number - 1}: train")
