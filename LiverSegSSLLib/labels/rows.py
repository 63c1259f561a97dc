"""Between rows of the ledger and the plain types that the rest of the program sees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.labels.label import Label, LabelState, Review
from LiverSegSSLLib.labels.ledger import LabelRow, ReviewRow
from LiverSegSSLLib.volume import Geometry, Volume


def label_of(row: LabelRow) -> Label:
    """A row as a Label."""
    return Label(
        id=row.id,
        case_id=row.case_id,
        version=row.version,
        source=row.source,
        round=row.round,
        state=LabelState(row.state),
        parents=tuple(row.parents),
        parameters=MappingProxyType(dict(row.parameters)),
        seed=row.seed,
        sha256=row.sha256,
        author=row.author,
        created=row.created,
        path=row.path,
        probability_path=row.probability_path,
        volume_ml=row.volume_ml,
        seconds=row.seconds,
        grid=from_plain_grid(row.grid)[0],
        key=row.key,
    )


def review_of(row: ReviewRow) -> Review:
    """A row as a Review."""
    return Review(row.label_id, LabelState(row.state), row.author, row.seconds, row.comment, row.time)


def plain_grid(mask: Volume) -> list[Any]:
    """A grid and the 4-D singleton as JSON holds them."""
    grid = mask.geometry
    return [list(grid.size), list(grid.spacing), list(grid.origin), list(grid.direction), mask.trailing_singleton]


def from_plain_grid(plain: list[Any]) -> tuple[Geometry, bool]:
    """The grid, and whether files on it are 4-D with a singleton."""
    size, spacing, origin, direction, singleton = plain
    return Geometry(tuple(size), tuple(spacing), tuple(origin), tuple(direction)), bool(singleton)


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON keeps them: numpy numbers become numbers, tuples lists.

    :raises LabelError: something in them is no number, text, list or mapping.
    """

    def number(value: object) -> Any:
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        raise TypeError(f"{type(value).__name__} {value!r}")

    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(parameters), default=number, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise LabelError(f"the parameters cannot be kept ({error})", None, "use numbers, text, lists") from None
    return plain
