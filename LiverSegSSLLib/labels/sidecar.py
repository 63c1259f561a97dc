"""What the ledger says, once more beside the labels: small JSON files from which a lost ledger is made again.

Three kinds, none of which is ever changed: a label's row (``labels/<case>/<label>.json``), a verdict on it
(``labels/<case>/<label>.review-<number>.json``), the decisions of one scoring (``labels/decisions/<number>.json``).
Each is put in place inside the transaction that makes its rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import inspect

from LiverSegSSLLib.errors import LabelError, require_answering
from LiverSegSSLLib.labels.ledger import Base, DecisionRow, LabelRow, ReviewRow, ScoreRow, Utc

Row = TypeVar("Row", bound=Base)

LABELS = "labels"
DECISIONS = "decisions"
"""Folder below the labels'; no case has this name, theirs have two underscores in them."""

SCHEMA = 1
"""Of the sidecars."""


def mask_path(case_id: str, label_id: str) -> str:
    """Where a label's mask lies, relative to the workspace."""
    return f"{LABELS}/{case_id}/{label_id}.nii.gz"


def probability_path(case_id: str, label_id: str) -> str:
    """Where its probability map lies."""
    return f"{LABELS}/{case_id}/{label_id}.probability.nii.gz"


def label_path(case_id: str, label_id: str) -> str:
    """Where its sidecar lies."""
    return f"{LABELS}/{case_id}/{label_id}.json"


def review_path(case_id: str, label_id: str, number: int) -> str:
    """Where that of a verdict lies."""
    return f"{LABELS}/{case_id}/{label_id}.review-{number}.json"


def decisions_path(first: int) -> str:
    """Where that of decisions lies, by the number of the first."""
    return f"{LABELS}/{DECISIONS}/{first}.json"


def of_label(row: LabelRow, added: ReviewRow, workspace: str) -> dict[str, Any]:
    """What a label's sidecar holds: its row as it was added, and the first line of its history.

    :param workspace: id of the workspace.
    """
    label = {**_plain(row), "state": row.made_as}
    return {"kind": "label", "schema": SCHEMA, "workspace": workspace, "label": label, "added": _plain(added)}


def of_review(row: ReviewRow) -> dict[str, Any]:
    """What that of a verdict holds."""
    return {"kind": "review", "schema": SCHEMA, "review": _plain(row)}


def of_decisions(decisions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What that of decisions holds.

    :param decisions: each with its scores, as plain data.
    """
    return {"kind": "decisions", "schema": SCHEMA, "decisions": list(decisions)}


def plain_decision(row: DecisionRow, scores: Sequence[ScoreRow]) -> dict[str, Any]:
    """A decision with its scores."""
    return {**_plain(row), "scores": [_plain(score) for score in scores]}


def read_rows(path: Path) -> tuple[list[Base], str]:
    """The rows that a sidecar holds, and the id of the workspace if it names one (else empty).

    :raises LabelError: the file cannot be understood.
    :raises PlaceError: its disk or share does not answer.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] > SCHEMA:
            raise LabelError("was written by a newer LiverSegSSL", path, "update LiverSegSSL")
        match data["kind"]:
            case "label":
                return [_row(LabelRow, data["label"]), _row(ReviewRow, data["added"])], str(data["workspace"])
            case "review":
                return [_row(ReviewRow, data["review"])], ""
            case "decisions":
                rows: list[Base] = []
                for decision in data["decisions"]:
                    scores = decision.pop("scores")
                    rows += [_row(DecisionRow, decision), *(_row(ScoreRow, score) for score in scores)]
                return rows, ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        require_answering(error, path)  # a label must not be left out because a share is gone
    raise LabelError("is damaged, or no sidecar of a label", path)


def _plain(row: Base) -> dict[str, Any]:
    return plain({column.key: getattr(row, column.key) for column in inspect(type(row)).columns})


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a row as JSON holds them."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _row(kind: type[Row], plain: dict[str, Any]) -> Row:
    columns = inspect(kind).columns
    if plain.keys() != {column.key for column in columns}:
        raise ValueError("other columns than the ledger's")
    return kind(**{column.key: _value(column, plain[column.key]) for column in columns})


def _value(column: Any, value: Any) -> Any:
    """A value as the ledger takes it. SQLite would take any."""
    if value is None and column.nullable:
        return None
    kind = column.type.python_type  # ``object``: a list, a mapping or a time
    if isinstance(column.type, Utc):
        return datetime.fromisoformat(value)
    if not isinstance(value, (int, float) if kind is float else kind):
        raise TypeError(f"{column.key} is a {type(value).__name__}")
    return value
