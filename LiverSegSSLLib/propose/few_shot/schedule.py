"""Who looks at which slice when: insertions and passes as groups of chains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from LiverSegSSLLib.propose.few_shot.bank import Bank
from LiverSegSSLLib.propose.few_shot.chains import Group
from LiverSegSSLLib.propose.few_shot.memory import SupportMemory, Tail


def insertion_groups(
    number: int,
    support: SupportMemory,
    banks: Sequence[Bank],
    tails: tuple[Sequence[Tail], Sequence[Tail]],
    limit: int,
    places: Sequence[int],
    slices: int,
) -> Iterator[Group]:
    """The insertions of one support: for each object and direction one group, unless all of its chains are empty.

    Time counts from the support's first slice: an insertion before slice k goes forward through k, k + 1, … at times L,
    L + 1, …, and backward through k - 1, k - 2, … at times -1, -2, …

    :param number: of the support; the name of a group is it, the object, and the insertions in the order of the chains.
    :param banks: of the objects of the support.
    :param tails: forward and backward, of every object.
    :param places: the insertion places.
    :param slices: of the case.
    """
    length = support.slices
    for which, bank in enumerate(banks):
        for forward, tail in zip((True, False), tails, strict=True):
            order = sorted(range(len(places)), key=lambda index: places[index], reverse=not forward)
            runs = [range(places[index], slices) if forward else range(places[index] - 1, -1, -1) for index in order]
            going = [run for run in runs if len(run)]
            if not going:
                continue
            times = range(length, length + len(going[0])) if forward else range(-1, -1 - len(going[0]), -1)
            yield Group(bank, forward, limit, times, going, dict(tail[which]), (number, which, order))


def pass_groups(banks: Sequence[Bank], slices: int, limit: int, *, keep: bool) -> Iterator[Group]:
    """Both passes of every object over the unprompted slices of the volume that holds the prompts.

    As in the package, all objects start at the first prompt of any of them, and backward at the last. The name of a
    group is its direction (forward or not) and the object.

    :param keep: leave the memory of the last slices with the group.
    """
    first = min(bank.prompted.times[0] for bank in banks)
    last = max(bank.prompted.times[-1] for bank in banks)
    for which, bank in enumerate(banks):
        given = set(bank.prompted.times)
        for forward, run in ((True, range(first, slices)), (False, range(last, -1, -1))):
            times = [index for index in run if index not in given]
            if times:
                yield Group(bank, forward, limit, times, [times], {}, (forward, which), keep)
