"""Measuring mask files against truth files, case by case, in parallel."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from pathlib import Path

from LiverSegSSLLib.cohort.study import Case, Problem
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.evaluate.metrics import LIVER_TOLERANCE_MM, Measures, measure
from LiverSegSSLLib.events import SILENT, Reporter
from LiverSegSSLLib.resources import table
from LiverSegSSLLib.types import MetricRow
from LiverSegSSLLib.volume import read_mask

STAGE = "evaluate"


@dataclass(frozen=True)
class MaskPair:
    """A mask to judge and the truth of its case, both files on the case's grid.

    ``source`` names who made the mask ("proposal", "model"). ``truth_value``: the liver's value in the truth;
    ``None``: every value above 0. ``seconds`` and ``peak_mb``: what making the mask cost, if it was measured.
    """

    case: Case
    mask: Path
    truth: Path
    source: str
    truth_value: int | None = None
    seconds: float = float("nan")
    peak_mb: float = float("nan")


@dataclass(frozen=True)
class Evaluation:
    """The rows, in the order of the pairs, and what could not be measured."""

    rows: tuple[MetricRow, ...]
    problems: tuple[Problem, ...] = ()


def evaluate_masks(
    pairs: Sequence[MaskPair],
    executor: Executor | None = None,
    tolerance_mm: float = LIVER_TOLERANCE_MM,
    empty_is_diagonal: bool = False,
    in_distribution: Collection[str] | None = None,
    report: Reporter = SILENT,
) -> Evaluation:
    """Measure every pair. One that cannot be measured (unreadable, other grid) is a problem; the others go on.

    :param executor: runs the pairs in parallel; ``None``: one after the other, here.
    :param tolerance_mm: of the surface Dice.
    :param empty_is_diagonal: the image's diagonal instead of NaN as the distance to an empty mask.
    :param in_distribution: vendors seen in training; ``None``: CARE's (A, B1, B2, and C as unseen).
    """
    outcomes: dict[int, Measures | Problem] = {}
    report.progress(STAGE, 0, len(pairs))

    def note(index: int, outcome: Measures | Problem) -> None:
        outcomes[index] = outcome
        report.progress(STAGE, len(outcomes), len(pairs), pairs[index].case.id)
        if isinstance(outcome, Problem):
            report.warn(str(outcome), STAGE)

    if executor is None:
        for index, pair in enumerate(pairs):
            note(index, measure_files(pair, tolerance_mm, empty_is_diagonal))
    else:
        futures = {
            executor.submit(measure_files, pair, tolerance_mm, empty_is_diagonal): index
            for index, pair in enumerate(pairs)
        }
        for future in as_completed(futures):
            note(futures[future], future.result())
    rows, problems = [], []
    for index, pair in enumerate(pairs):
        outcome = outcomes[index]
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            rows.append(_row(pair, outcome, domain_of(pair.case.vendor, in_distribution)))
    return Evaluation(tuple(rows), tuple(problems))


def measure_files(
    pair: MaskPair, tolerance_mm: float = LIVER_TOLERANCE_MM, empty_is_diagonal: bool = False
) -> Measures | Problem:
    """Measure one pair of files, or say why not."""
    try:
        mask = read_mask(pair.mask)
        truth = read_mask(pair.truth, mask.geometry, pair.truth_value)  # of the two the given file is named
    except BadInputError as error:
        where = f"{pair.case.id} ({pair.source}): {error.where}" if error.where else f"{pair.case.id} ({pair.source})"
        return Problem(where, error.what, error.remedy)
    return measure(truth.array, mask.array, truth.geometry.spacing_zyx, tolerance_mm, empty_is_diagonal)


def domain_of(vendor: str, in_distribution: Collection[str] | None = None) -> str:
    """``ID`` for a vendor seen in training, ``OOD`` for another, empty where that is not known.

    :param in_distribution: the vendors seen in training; ``None``: CARE's lists in ``Resources/metrics.yaml``.
    """
    if not vendor:
        return ""
    if in_distribution is not None:
        return "ID" if vendor in in_distribution else "OOD"
    lists: dict[str, list[str]] = table("metrics.yaml")["domains"]
    return next((domain for domain, vendors in lists.items() if vendor in vendors), "")


def _row(pair: MaskPair, measures: Measures, domain: str) -> MetricRow:
    return MetricRow(
        case_id=pair.case.id,
        study=pair.case.study,
        phase=pair.case.phase.value,
        vendor=pair.case.vendor,
        domain=domain,
        source=pair.source,
        dice=measures.dice,
        hd_mm=measures.hd_mm,
        hd95_mm=measures.hd95_mm,
        assd_mm=measures.assd_mm,
        nsd=measures.nsd,
        empty=measures.mask_empty,
        seconds=pair.seconds,
        peak_mb=pair.peak_mb,
    )
