"""What every proposer offers, and the list of them by name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Protocol

from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.spelling import advice
from LiverSegSSLLib.types import Proposal, Support


class Proposer(Protocol):
    """Finds the liver in one case with the help of labelled ones. Frozen and picklable: it runs in worker processes."""

    @property
    def name(self) -> str:
        """The name by which recipes call it; becomes the source of its labels."""
        ...

    def choose(self, target: Case, available: Sequence[Support]) -> list[Support]:
        """The supports it would use for this case, best first; empty: it cannot propose for it."""
        ...

    def propose(self, target: Case, supports: Sequence[Support], *, seed: int, threads: int = 1) -> Proposal:
        """Probability of liver on the case's native grid. A failed registration is a failed proposal, not an error.

        :raises ImageError: an image cannot be read.
        :raises GeometryError: a support's mask is not on its image's grid.
        """
        ...

    def unavailable(self) -> str:
        """Why it cannot propose here at all, in one line that says what to do; empty when it can. Loads nothing."""
        ...

    def most_processes(self) -> int | None:
        """How many processes may propose at once; ``None``: any number."""
        ...


class RunsAnywhere:
    """What a proposer is that needs nothing but a processor."""

    def unavailable(self) -> str:
        """See :meth:`Proposer.unavailable`."""
        return ""

    def most_processes(self) -> int | None:
        """See :meth:`Proposer.most_processes`."""
        return None


def proposers() -> dict[str, type]:
    """Every proposer by name."""
    from LiverSegSSLLib.propose.atlas import AtlasProposer
    from LiverSegSSLLib.propose.few_shot.few_shot import FewShot
    from LiverSegSSLLib.propose.transfer import TransferProposer

    return {"atlas": AtlasProposer, "few-shot": FewShot, "transfer": TransferProposer}


def make_proposer(name: str, options: Mapping[str, Any]) -> Proposer:
    """A proposer with its options.

    :raises RecipeError: no such proposer, no such option (names the nearest right one), or a value that cannot be.
    """
    kinds = proposers()
    if name not in kinds:
        raise RecipeError(f"there is no proposer {name!r}", "propose.method", advice(name, kinds))
    kind = kinds[name]
    known = {field.name: field for field in fields(kind) if field.init}
    where = f"options of {name}"
    for option in options:
        if option not in known:
            raise RecipeError(f"there is no option {option!r}", where, advice(str(option), known))
        _require_kind(option, options[option], known[option].default, where)
    try:
        proposer: Proposer = kind(**options)
    except (TypeError, ValueError, OverflowError) as error:
        raise RecipeError(str(error), where) from None
    return proposer


def _require_kind(option: str, value: object, default: object, where: str) -> None:
    """Where the default is a number, or a yes or no, so must the value be; the proposers look at the rest."""
    kinds = {bool: (bool,), int: (int,), float: (int, float)}
    allowed = kinds.get(type(default))
    if allowed is not None and (not isinstance(value, allowed) or isinstance(value, bool) != (allowed == (bool,))):
        raise RecipeError(f"{option} cannot be {str(value)[:40]!r}", where, f"give something like {default!r}")


def seed_for(seed: int, target: Case, support: Support) -> int:
    """A seed for one pair that depends on nothing else: not on the order of the cases, nor on the workers."""
    text = f"{seed}|{target.id}|{support.case.id}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % (2**31 - 1)


def require(good: bool, what: str) -> None:
    """For ``__post_init__`` of proposers: refuse a value that cannot be."""
    if not good:
        raise ValueError(what)
