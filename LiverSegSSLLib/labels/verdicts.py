"""Scores and decisions in the ledger: rows are only added, the newest decision of a label counts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.labels.files import LabelFiles
from LiverSegSSLLib.labels.ledger import DecisionRow, LabelRow, Ledger, ScoreRow, now
from LiverSegSSLLib.labels.sidecar import decisions_path, of_decisions, plain_decision
from LiverSegSSLLib.types import Decision, Score

_FEW = 500
"""Up to so many labels are asked for by their ids; of more, all are read: databases limit the length of a question."""


class Verdicts:
    """The decisions in a ledger."""

    def __init__(self, ledger: Ledger, files: LabelFiles) -> None:
        self._ledger = ledger
        self._files = files

    def record(self, decisions: Iterable[Decision]) -> None:
        """Add decisions with their scores, all or none. One that repeats the newest of its label adds nothing.

        :raises LabelError: a decision is on no label of its case.
        """
        given = list(decisions)
        ids = [decision.label_id for decision in given]
        with self._ledger.writing() as session:
            cases = {label_id: case_id for label_id, case_id in session.execute(select(LabelRow.id, LabelRow.case_id))}
            newest = _newest(session, ids if len(ids) <= _FEW else None)
            added: list[Decision] = []
            for decision in given:
                if cases.get(decision.label_id) != decision.case_id:
                    raise LabelError("there is no such label of this case", f"{decision.case_id}, {decision.label_id}")
                if not _same(newest.get(decision.label_id), decision):
                    newest[decision.label_id] = decision
                    added.append(decision)
            if added:
                self._keep(session, added)

    def newest(self, label_ids: Iterable[str] | None = None) -> dict[str, Decision]:
        """The newest decision of each label that has one, by label id; of all labels by default."""
        with self._ledger.reading() as session:
            return _newest(session, None if label_ids is None else list(label_ids))

    def repair_sidecars(self, session: Session) -> list[str]:
        """Write a sidecar of all decisions that stand in none, and return its path."""
        scores: dict[int, list[ScoreRow]] = defaultdict(list)
        for score in session.scalars(select(ScoreRow).order_by(ScoreRow.number)):
            scores[score.decision].append(score)
        rows = session.scalars(select(DecisionRow).order_by(DecisionRow.number))
        beside = self._files.decisions()
        said = ((row, scores[row.number]) for row in rows)
        alone = [(row, of_it) for row, of_it in said if beside.get(row.number) != plain_decision(row, of_it)]
        if not alone:
            return []
        path = decisions_path(alone[0][0].number)
        self._files.write_sidecar(path, of_decisions(alone))
        return [path]

    def _keep(self, session: Session, added: list[Decision]) -> None:
        rows = [
            DecisionRow(label_id=each.label_id, keep=each.keep, reason=each.reason, need=_number(each.need), time=now())
            for each in added
        ]
        session.add_all(rows)
        session.flush()  # numbers them
        scores = [_score_rows(row, decision) for row, decision in zip(rows, added, strict=True)]
        session.add_all(score for of_one in scores for score in of_one)
        session.flush()
        path = decisions_path(min(row.number for row in rows))
        self._files.write_sidecar(path, of_decisions(zip(rows, scores, strict=True)))


def _score_rows(row: DecisionRow, decision: Decision) -> list[ScoreRow]:
    return [
        ScoreRow(
            decision=row.number,
            label_id=row.label_id,
            name=score.name,
            value=_number(score.value),
            ok=score.ok,
            reason=score.reason,
        )
        for score in decision.scores
    ]


def _newest(session: Session, label_ids: list[str] | None) -> dict[str, Decision]:
    newest = select(func.max(DecisionRow.number)).group_by(DecisionRow.label_id)
    query = select(DecisionRow, LabelRow.case_id).join(LabelRow, LabelRow.id == DecisionRow.label_id)
    query = query.where(DecisionRow.number.in_(newest)).order_by(DecisionRow.number)
    of_decision = select(ScoreRow).where(ScoreRow.decision.in_(newest)).order_by(ScoreRow.number)
    if label_ids is not None:
        query = query.where(DecisionRow.label_id.in_(label_ids))
        of_decision = of_decision.where(ScoreRow.label_id.in_(label_ids))
    scores: dict[int, list[Score]] = defaultdict(list)
    for score in session.scalars(of_decision):
        scores[score.decision].append(Score(score.name, _back(score.value), score.ok, score.reason))
    return {
        row.label_id: Decision(case_id, row.label_id, tuple(scores[row.number]), row.keep, row.reason, _back(row.need))
        for row, case_id in session.execute(query)
    }


def _same(known: Decision | None, decision: Decision) -> bool:
    # By text, because not-a-number differs from itself.
    return known is not None and repr(known) == repr(decision)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _back(value: float | None) -> float:
    return math.nan if value is None else value
