"""Scores and decisions in the ledger: rows are only added, the newest decision of a label counts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from itertools import count
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.labels.files import LabelFiles
from LiverSegSSLLib.labels.ledger import DecisionRow, LabelRow, Ledger, ScoreRow, now
from LiverSegSSLLib.labels.sidecar import decisions_path, of_decisions, plain, plain_decision
from LiverSegSSLLib.types import Decision, Score

_PIECE = 100
"""So many decisions are added while the ledger is held once (0.02 s of work): a person who reviews does not notice.
With 500, on PostgreSQL and a computer six times overbooked, one waited for 1.2 s."""


class Verdicts:
    """The decisions in a ledger."""

    def __init__(self, ledger: Ledger, files: LabelFiles) -> None:
        self._ledger = ledger
        self._files = files

    def record(self, decisions: Iterable[Decision]) -> None:
        """Add decisions with their scores. One that repeats the newest of its label adds nothing.

        They are added in pieces, each of which is kept as a whole or not at all; what is left out by a kill is added
        when they are recorded again. All is worked out and written before the ledger is taken.

        :raises LabelError: a decision is on no label of its case; then none is added.
        """
        given = list(decisions)
        with self._ledger.reading() as session:
            for piece in _pieces(given):
                _require_labels(session, piece)
        for piece in _pieces(given):
            while not self._record(piece):
                pass  # another process has decided meanwhile, so numbers and newest are others now

    def newest(self, label_ids: Iterable[str] | None = None) -> dict[str, Decision]:
        """The newest decision of each label that has one, by label id; of all labels by default."""
        with self._ledger.reading() as session:
            return _newest(session, None if label_ids is None else list(label_ids))

    def sidecars(self, session: Session) -> dict[str, dict[str, Any]]:
        """The sidecar, by where it belongs, of all decisions that stand in none; of none if all do."""
        scores: dict[int, list[ScoreRow]] = defaultdict(list)
        for score in session.scalars(select(ScoreRow).order_by(ScoreRow.number)):
            scores[score.decision].append(score)
        rows = session.scalars(select(DecisionRow).order_by(DecisionRow.number))
        beside = self._files.decisions()
        said = ((row, scores[row.number]) for row in rows)
        alone = [(row, of_it) for row, of_it in said if beside.get(row.number) != plain_decision(row, of_it)]
        return (
            {decisions_path(alone[0][0].number): of_decisions(plain_decision(*each) for each in alone)} if alone else {}
        )

    def _record(self, given: list[Decision]) -> bool:
        """Whether the decisions are kept; not if another process has kept some since we looked."""
        with self._ledger.reading() as session:
            last = _last(session)
            newest = _newest(session, [decision.label_id for decision in given])
        added: list[Decision] = []
        for decision in given:
            if not _same(newest.get(decision.label_id), decision):
                newest[decision.label_id] = decision
                added.append(decision)
        if not added:
            return True
        rows, scores = _numbered(added, last)
        of_row: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for score in scores:
            of_row[score["decision"]].append(score)
        staged = self._files.stage_sidecar(of_decisions(plain(row) | {"scores": of_row[row["number"]]} for row in rows))
        try:
            with self._ledger.writing() as session:
                if _last(session) != last:
                    return False
                connection = session.connection()  # the session itself would take twice as long
                connection.execute(insert(DecisionRow), rows)
                if scores:
                    connection.execute(insert(ScoreRow), scores)
                self._ledger.go_on_counting(session)
                self._files.publish_sidecar(staged, decisions_path(rows[0]["number"]))
            return True
        finally:
            staged.unlink(missing_ok=True)


def _last(session: Session) -> tuple[int, int]:
    """The highest numbers of a decision and of a score."""
    decision, score = (session.scalar(select(func.max(table.number))) for table in (DecisionRow, ScoreRow))
    return decision or 0, score or 0


def _pieces(decisions: list[Decision]) -> list[list[Decision]]:
    return [decisions[start : start + _PIECE] for start in range(0, len(decisions), _PIECE)]


def _require_labels(session: Session, decisions: list[Decision]) -> None:
    """Raise :class:`LabelError` unless each decision is on a label of its case."""
    query = select(LabelRow.id, LabelRow.case_id).where(LabelRow.id.in_([each.label_id for each in decisions]))
    cases = {label_id: case_id for label_id, case_id in session.execute(query)}
    for each in decisions:
        if cases.get(each.label_id) != each.case_id:
            raise LabelError("there is no such label of this case", f"{each.case_id}, {each.label_id}")


def _numbered(added: list[Decision], last: tuple[int, int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of decisions and of their scores, with the numbers that come next."""
    time = now()
    decisions, scores = count(last[0] + 1), count(last[1] + 1)
    rows, of_rows = [], []
    for each in added:
        number = next(decisions)
        row = {"number": number, "label_id": each.label_id, "keep": each.keep, "reason": each.reason}
        rows.append(row | {"need": _number(each.need), "time": time})
        for score in each.scores:
            row = {"number": next(scores), "decision": number, "label_id": each.label_id, "name": score.name}
            of_rows.append(row | {"value": _number(score.value), "ok": score.ok, "reason": score.reason})
    return rows, of_rows


def _newest(session: Session, label_ids: list[str] | None) -> dict[str, Decision]:
    newest = select(func.max(DecisionRow.number)).group_by(DecisionRow.label_id)
    if label_ids is not None:
        newest = newest.where(DecisionRow.label_id.in_(label_ids))
    # Columns, not rows as objects: a third of the time for thousands of labels.
    row = (DecisionRow.number, DecisionRow.label_id, DecisionRow.keep, DecisionRow.reason, DecisionRow.need)
    query = select(*row, LabelRow.case_id).join(LabelRow, LabelRow.id == DecisionRow.label_id)
    query = query.where(DecisionRow.number.in_(newest)).order_by(DecisionRow.number)
    of_decision = select(ScoreRow.decision, ScoreRow.name, ScoreRow.value, ScoreRow.ok, ScoreRow.reason)
    of_decision = of_decision.where(ScoreRow.decision.in_(newest)).order_by(ScoreRow.number)
    scores: dict[int, list[Score]] = defaultdict(list)
    for decision, name, value, ok, reason in session.execute(of_decision):
        scores[decision].append(Score(name, _back(value), ok, reason))
    return {
        label_id: Decision(case_id, label_id, tuple(scores[number]), keep, reason, _back(need))
        for number, label_id, keep, reason, need, case_id in session.execute(query)
    }


def _same(known: Decision | None, decision: Decision) -> bool:
    # By text, because not-a-number differs from itself.
    return known is not None and repr(known) == repr(decision)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _back(value: float | None) -> float:
    return math.nan if value is None else value
