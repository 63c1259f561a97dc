"""Means, spreads and differences of the methods of a comparison.

A training is repeated with several seeds, each of which chooses other labelled studies; a *cell* is one method with
one number of labelled studies and one seed. What is told of a method is the mean over seeds of the mean over test
cases, and the spread (standard deviation, n − 1) over seeds. Methods are compared by pairs: same labelled studies,
same first weights, same test case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.evaluate.report.comparison_rows import MEASURES, CellRow

BASELINE = "supervised"

FEWEST_CASES = 6
"""Below, nothing is said on chance: the smallest p of a two-sided signed-rank test of five cases is 0.0625."""

RESAMPLES = 5000

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Of one measure to the baseline, by pairs. NaN where there are too few cases.

    ``low``, ``high``: 95 % interval of the mean from resampling seeds and cases. ``p``: Wilcoxon's signed-rank test
    over cases (of the mean over seeds), adjusted after Holm over all differences of the phase and measure.
    """

    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Line:
    """One method with one number of labelled studies on one phase.

    ``means``: measure → one mean over cases for each seed, in the order of the seeds. ``empty``: masks without a
    voxel, of ``seeds · cases``; they have no distance and are left out of its mean. ``relative``: ``seconds`` in
    relation to the baseline's. ``differences``: measure → difference; empty for the baseline and without one.
    """

    phase: str
    method: str
    labelled: int
    seeds: int
    cases: int
    empty: int
    means: Mapping[str, tuple[float, ...]]
    seconds: float
    relative: float
    iterations: int
    differences: Mapping[str, Difference]

    def mean(self, measure: str) -> float:
        """Over seeds."""
        return _mean(self.means[measure])

    def spread(self, measure: str) -> float:
        """Standard deviation over seeds; NaN for one."""
        numbers = [value for value in self.means[measure] if value == value]
        return float(np.std(numbers, ddof=1)) if len(numbers) > 1 else float("nan")


def summarise_comparison(rows: Iterable[CellRow]) -> tuple[Line, ...]:
    """One line a phase, number of labelled studies and method; methods in order of appearance."""
    groups: dict[tuple[str, int, str], list[CellRow]] = {}
    for row in rows:
        groups.setdefault((row.phase, row.labelled, row.method), []).append(row)
    methods = list(dict.fromkeys(method for _, _, method in groups))
    phases = [phase.value for phase in Phase]
    order = sorted(groups, key=lambda key: (phases.index(key[0]), key[1], methods.index(key[2])))
    found = {
        key: {name: difference(_values(groups[key], name), _values(base, name)) for name in MEASURES}
        for key in order
        if key[2] != BASELINE and (base := groups.get((key[0], key[1], BASELINE))) is not None
    }
    adjusted = _adjusted(found)
    return tuple(_line(key, groups, adjusted.get(key, {})) for key in order)


def difference(values: Mapping[tuple[int, str], float], base: Mapping[tuple[int, str], float]) -> Difference:
    """Values minus the baseline's by (seed, case); ``p`` is not adjusted here. Pairs without a number are left out."""
    seeds = sorted({seed for seed, _ in values} & {seed for seed, _ in base})
    cases = sorted({case for _, case in values} & {case for _, case in base})
    nan = float("nan")
    table = np.array([[values.get((s, c), nan) - base.get((s, c), nan) for c in cases] for s in seeds])
    table = table[:, ~np.isnan(table).all(axis=0)] if table.size else np.empty((0, 0))
    if not table.size:
        return Difference(nan, nan, nan, nan)
    mean = float(np.nanmean(table))
    if table.shape[1] < FEWEST_CASES:
        return Difference(mean, nan, nan, nan)
    low, high = interval(table)
    return Difference(mean, low, high, signed_rank(np.nanmean(table, axis=0)))


def interval(table: Array, resamples: int = RESAMPLES) -> tuple[float, float]:
    """2.5th and 97.5th percentile of the mean of a table (seeds, cases), rows and columns drawn with replacement."""
    rng = np.random.default_rng(0)
    # How often each row and each column is drawn; then the means of all resamples are two products.
    rows, columns = (rng.multinomial(side, np.full(side, 1 / side), resamples) for side in table.shape)
    known = ~np.isnan(table)
    total = ((rows @ np.where(known, table, 0.0)) * columns).sum(axis=1)
    count = ((rows @ known.astype(float)) * columns).sum(axis=1)
    low, high = np.percentile(total[count > 0] / count[count > 0], [2.5, 97.5])
    return float(low), float(high)


def signed_rank(differences: Array) -> float:
    """p of Wilcoxon's two-sided signed-rank test; 1 where nothing differs."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue) if np.any(differences) else 1.0


def holm(values: Sequence[float]) -> list[float]:
    """p values adjusted for their number (Holm 1979), in the order given; NaN stays and does not count."""
    order = [place for place in np.argsort(values) if values[place] == values[place]]
    result, highest = list(values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * values[place]))
        result[place] = highest
    return result


def _adjusted(
    found: Mapping[tuple[str, int, str], Mapping[str, Difference]],
) -> dict[tuple[str, int, str], dict[str, Difference]]:
    """All differences of a phase and measure are one family."""
    result: dict[tuple[str, int, str], dict[str, Difference]] = {key: {} for key in found}
    for phase in {key[0] for key in found}:
        keys = [key for key in found if key[0] == phase]
        for name in MEASURES:
            ones = [found[key][name] for key in keys]
            for key, one, p in zip(keys, ones, holm([one.p for one in ones]), strict=True):
                result[key][name] = Difference(one.mean, one.low, one.high, p)
    return result


def _values(rows: Iterable[CellRow], measure: str) -> dict[tuple[int, str], float]:
    return {(row.seed, row.case_id): float(getattr(row, measure)) for row in rows}


def _line(
    key: tuple[str, int, str],
    groups: Mapping[tuple[str, int, str], Sequence[CellRow]],
    differences: Mapping[str, Difference],
) -> Line:
    phase, labelled, method = key
    rows, base = groups[key], groups.get((phase, labelled, BASELINE), ())
    seeds = sorted({row.seed for row in rows})
    of_seed = {seed: [row for row in rows if row.seed == seed] for seed in seeds}
    means = {name: tuple(_mean([getattr(row, name) for row in of_seed[seed]]) for seed in seeds) for name in MEASURES}
    seconds = _mean([of_seed[seed][0].seconds for seed in seeds])
    return Line(
        phase=phase,
        method=method,
        labelled=labelled,
        seeds=len(seeds),
        cases=len({row.case_id for row in rows}),
        empty=sum(row.empty for row in rows),
        means=means,
        seconds=seconds,
        relative=seconds / _mean(list({row.seed: row.seconds for row in base}.values())),
        iterations=rows[0].iterations,
        differences=differences,
    )


def _mean(values: Sequence[float]) -> float:
    """Of those that are numbers; NaN if none is."""
    numbers = [value for value in values if value == value]
    return float(np.mean(numbers)) if numbers else float("nan")
