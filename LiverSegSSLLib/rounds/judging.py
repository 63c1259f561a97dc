"""The score and select stages: every proposal is judged; the best of each phase and vendor are trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.jobs.executors import map_cases
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.rounds.memory import SCORE
from LiverSegSSLLib.rounds.session import Session
from LiverSegSSLLib.score.evidence import Evidence, Scorer
from LiverSegSSLLib.score.registry import judge, make_scores
from LiverSegSSLLib.score.selection import Judged, Selection, select
from LiverSegSSLLib.types import Decision, Score


def judge_labels(session: Session, labels: Sequence[Label], stage: str) -> dict[str, tuple[Score, ...]]:
    """The scores of labels, in parallel; returns label id → scores. What was judged before is not judged again."""
    scorers = make_scores(session.recipe.score)
    items: dict[str, tuple[object, ...]] = {}
    for label in labels:
        if label.id in session.scores:
            continue
        earlier = [
            other
            for other in session.store.labels(case_id=label.case_id)
            if other.round < label.round and other.state == LabelState.PROPOSED and not other.parameters.get("failure")
        ]
        last_of_round = {other.round: other for other in earlier}
        items[label.id] = (
            session.cohort.case(label.case_id),
            session.store.mask_path(label),
            session.store.probability_path(label),
            tuple(session.store.mask_path(last_of_round[number]) for number in sorted(last_of_round)),
            measured(label),
            label.parameters.get("failure", ""),
            scorers,
        )
    if items:
        images = [session.cohort.case(label.case_id).image for label in labels]
        with session.executor(len(items), SCORE, images) as (executor, _):
            session.scores.update(map_cases(executor, _judge, items, stage, session.report))
    return {label.id: session.scores[label.id] for label in labels}


def judge_and_record(session: Session, labels: Sequence[Label], stage: str) -> tuple[Decision, ...]:
    """Judge labels and keep the decisions on them in the ledger, for selection and for the review queue."""
    proposed = [label for label in labels if label.state == LabelState.PROPOSED]
    scores = judge_labels(session, proposed, stage)
    judged = [Judged(session.cohort.case(label.case_id), label.id, scores[label.id]) for label in proposed]
    decisions = select(judged, Selection(**session.recipe.select.model_dump()))
    session.store.record(*decisions)
    return decisions


def select_round(session: Session, round_number: int, labels: Mapping[str, str]) -> dict[str, Decision]:
    """Decide which of a round's labels are trained on; kept in the ledger. Returns case id → decision."""
    chosen = [session.store.label(label_id) for label_id in labels.values()]
    decisions = judge_and_record(session, chosen, f"round {round_number}: score")
    return {decision.case_id: decision for decision in decisions}


def measured(label: Label) -> dict[str, float]:
    """What its method has measured; not a number where it could not."""
    found = label.parameters.get("measurements", {})
    return {name: math.nan if value is None else float(value) for name, value in found.items()}


def _judge(
    case: Case,
    mask: Path,
    probability: Path | None,
    earlier: Sequence[Path],
    measurements: Mapping[str, Any],
    failure: str,
    scorers: Sequence[Scorer],
) -> tuple[Score, ...]:
    """In a worker: read one label and judge it."""
    from LiverSegSSLLib.labels.files import read_probability
    from LiverSegSSLLib.volume import read_mask

    return judge(
        Evidence(
            case,
            read_mask(mask),
            None if probability is None else read_probability(probability),
            tuple(read_mask(path) for path in earlier),
            measurements,
            failure,
        ),
        scorers,
    )
