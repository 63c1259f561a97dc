"""Scores and decisions in the ledger: rows are only added, the newest decision of a label counts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.labels.ledger import DecisionRow, LabelRow, Ledger, ScoreRow, now
from LiverSegSSLLib.types import Decision, Score


class Verdicts:
    """The decisions in a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def record(self, decisions: Iterable[Decision]) -> None:
        """Add decisions with their scores, all or none. One that repeats the newest of its label adds nothing.

        :raises LabelError: a decision is on no label of its case.
        """
        with self._ledger.writing() as session:
            for decision in decisions:
                label = session.get(LabelRow, decision.label_id)
                if label is None or label.case_id != decision.case_id:
                    raise LabelError("there is no such label of this case", f"{decision.case_id}, {decision.label_id}")
                if _same(_newest(session, [decision.label_id]).get(decision.label_id), decision):
                    continue
                row = DecisionRow(
                    label_id=decision.label_id,
                    keep=decision.keep,
                    reason=decision.reason,
                    need=_number(decision.need),
                    time=now(),
                )
                session.add(row)
                session.flush()
                session.add_all(
                    ScoreRow(
                        decision=row.number,
                        label_id=decision.label_id,
                        name=score.name,
                        value=_number(score.value),
                        ok=score.ok,
                        reason=score.reason,
                    )
                    for score in decision.scores
                )

    def newest(self, label_ids: Iterable[str] | None = None) -> dict[str, Decision]:
        """The newest decision of each label that has one, by label id; of all labels by default."""
        with self._ledger.reading() as session:
            return _newest(session, None if label_ids is None else list(label_ids))


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
