"""Folds that keep a pseudo label away from the model that judges it (SSL-MedSAM2; METHODS 7.2)."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from LiverSegSSLLib.cohort.study import split_case_id
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.learn.cases import TrainingCase

FoldName = int | Literal["all"]


@dataclass(frozen=True)
class Fold:
    """Case ids that a fold's model is trained on, those held out from it, and those it sees without a label; sorted."""

    train: tuple[str, ...]
    val: tuple[str, ...]
    unlabelled: tuple[str, ...] = ()


def make_folds(cases: Sequence[TrainingCase], folds: int, seed: int = 0) -> tuple[Fold, ...]:
    """Split into folds by the out-of-fold rule.

    Each pseudo-labelled case is held out in exactly one fold, together with every other pseudo-labelled case of its
    group (patient); each fold trains on all expert cases and on the pseudo-labelled ones of the other folds. Without
    pseudo labels it is an ordinary cross-validation over the groups of the expert cases. Unlabelled cases are in every
    fold. With fewer groups than ``folds`` there are as many folds as groups. The order of ``cases`` does not matter.

    :param seed: another seed, another split.
    :raises BadInputError: a fold would have nothing to train on.
    """
    pseudo = [case for case in cases if case.role == "pseudo"]
    expert = [case for case in cases if case.role == "expert"]
    unlabelled = tuple(sorted(case.case_id for case in cases if case.role == "unlabelled"))
    if folds < 1 or not (pseudo or expert):
        raise BadInputError("cannot be split into folds", f"{len(cases)} cases, {folds} folds", "use one fold or more")
    dealt = pseudo or expert
    always = {case.case_id for case in expert} if pseudo else set()
    fold_of = _deal(dealt, folds, seed)
    ids = {case.case_id for case in dealt}
    result = []
    for fold in range(1 + max(fold_of.values())):
        val = {case.case_id for case in dealt if fold_of[case.unit] == fold}
        train = always | (ids - val)
        if not train:
            raise BadInputError(
                "leaves nothing to train on when it is held out", ", ".join(sorted(val)), "train on all cases (folds 1)"
            )
        result.append(Fold(tuple(sorted(train)), tuple(sorted(val)), unlabelled))
    return tuple(result)


def held_out_fold(folds: Sequence[Fold]) -> dict[str, int]:
    """For each held-out case the fold whose model has not seen its pseudo label."""
    return {case_id: number for number, fold in enumerate(folds) for case_id in fold.val}


def _deal(cases: Sequence[TrainingCase], folds: int, seed: int) -> dict[str, int]:
    """Group → fold: groups that look alike (vendor, phases) are spread evenly, then the number of cases."""
    members: dict[str, list[TrainingCase]] = defaultdict(list)
    for case in cases:
        members[case.unit].append(case)
    alike = {unit: _kind(group) for unit, group in members.items()}
    count = min(folds, len(members))
    of_kind: list[Counter[str]] = [Counter() for _ in range(count)]
    size = [0] * count
    fold_of: dict[str, int] = {}
    for unit in sorted(members, key=lambda unit: (alike[unit], _shuffled(unit, seed))):
        fold = min(range(count), key=lambda fold: (of_kind[fold][alike[unit]], size[fold], fold))
        fold_of[unit] = fold
        of_kind[fold][alike[unit]] += 1
        size[fold] += len(members[unit])
    return _filled(fold_of, members, size)


def _filled(fold_of: dict[str, int], members: Mapping[str, list[TrainingCase]], size: list[int]) -> dict[str, int]:
    """No fold stays empty: with many kinds of groups the first folds may have taken everything."""
    while 0 in size:
        empty = size.index(0)
        largest = max(range(len(size)), key=lambda fold: (len([u for u in fold_of if fold_of[u] == fold]), -fold))
        unit = max(unit for unit in fold_of if fold_of[unit] == largest)
        fold_of[unit] = empty
        size[empty] += len(members[unit])
        size[largest] -= len(members[unit])
    return fold_of


def _kind(group: Sequence[TrainingCase]) -> str:
    phases = sorted({split_case_id(case.case_id)[1].value for case in group})
    strata = sorted({case.stratum for case in group})
    return " ".join([*strata, *phases])


def _shuffled(unit: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {unit}".encode()).hexdigest()
