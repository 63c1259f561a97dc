"""Scores by the names that recipes use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.score.anatomy import AnatomyScore
from LiverSegSSLLib.score.consistency import ConsistencyScore
from LiverSegSSLLib.score.entropy import EntropyScore
from LiverSegSSLLib.score.evidence import Evidence, Scorer, failed
from LiverSegSSLLib.score.gate import GateScore, OrganGateScore
from LiverSegSSLLib.score.parts import LargestComponentScore
from LiverSegSSLLib.score.stability import StabilityScore
from LiverSegSSLLib.spelling import advice
from LiverSegSSLLib.types import Score

KINDS: Mapping[str, type] = {
    kind.name: kind
    for kind in (
        AnatomyScore,
        ConsistencyScore,
        EntropyScore,
        GateScore,
        LargestComponentScore,
        OrganGateScore,
        StabilityScore,
    )
}
"""Name in a recipe → the score."""

PROPOSAL = "proposal"
"""Name of the score that says that a proposal failed."""


def make_scores(recipe: Mapping[str, Mapping[str, Any] | None]) -> tuple[Scorer, ...]:
    """The scores that a recipe asks for: ``{"anatomy": {"volume_ml": [500, 4000]}, "entropy": {}}``.

    An empty mapping gives all of them with their defaults.

    :raises RecipeError: an unknown score or option (names the nearest), or a value of the wrong kind.
    """
    if not recipe:
        return tuple(kind() for kind in KINDS.values())
    return tuple(_make(name, {} if options is None else options) for name, options in recipe.items())


def judge(evidence: Evidence, scorers: Sequence[Scorer]) -> tuple[Score, ...]:
    """All scores of one pseudo label. A proposal that failed has one score: 0, with the reason."""
    if evidence.failure or evidence.mask is None:
        return (failed(PROPOSAL, evidence.failure or "there is no mask"),)
    scores = (scorer(evidence) for scorer in scorers)
    return tuple(score for score in scores if score is not None)


def _make(name: str, options: Mapping[str, Any]) -> Scorer:
    # Pydantic checks the fields of the plain dataclass: bounds of Literals, tuples from YAML's lists.
    from pydantic import TypeAdapter, ValidationError

    if name not in KINDS:
        raise RecipeError("is not a score", f"score.{name}", advice(name, KINDS))
    if not isinstance(options, Mapping):
        raise RecipeError(f"cannot be {options!r}: it takes options by name", f"score.{name}", "write {} for none")
    kind = KINDS[name]
    known = [field.name for field in fields(kind)]
    for option in options:
        if option not in known:
            raise RecipeError("is not an option of this score", f"score.{name}.{option}", advice(option, known))
    try:
        scorer: Scorer = TypeAdapter(kind).validate_python(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["score", name, *(str(part) for part in first["loc"])])
        raise RecipeError(f"cannot be {first['input']!r}: {first['msg']}", place) from None
    return scorer
