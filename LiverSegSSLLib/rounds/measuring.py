"""The evaluate stage: every mask of a run against the truth of its case, where the user has a truth."""

from __future__ import annotations

from typing import Any

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.evaluate.masks import MaskPair, evaluate_masks
from LiverSegSSLLib.evaluate.tables import summarise, write_csv
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.rounds.memory import EVALUATE
from LiverSegSSLLib.rounds.session import Session
from LiverSegSSLLib.types import MetricRow

FINAL = "final prediction"
GIVEN = (LabelState.EXPERT, LabelState.CORRECTED)
"""Their masks were the methods' to learn from, so these cases judge nothing."""


def evaluate_run(session: Session) -> dict[str, Any]:
    """Measure each round's proposals and the final predictions; writes ``metrics.csv``.

    :raises BadInputError: there is no true mask for any of them.
    """
    pairs, labels = _pairs(session)
    if not pairs:
        raise BadInputError(
            "has no true mask of any case that was proposed or predicted",
            session.truth or "--truth",
            "name the files <study>__<phase>.nii.gz, for example 0241-B1-S2__GED4.nii.gz",
        )
    seen = {case.vendor for case in session.cohort.cases() if case.expert is not None}
    inputs = [
        [pair.source, pair.case.id, label.sha256, pair.truth.stat().st_size, pair.truth.stat().st_mtime_ns]
        for pair, label in zip(pairs, labels, strict=True)
    ]

    def work() -> dict[str, Any]:
        with session.executor(len(pairs), EVALUATE, [pair.case.image for pair in pairs]) as (executor, _):
            evaluation = evaluate_masks(pairs, executor, in_distribution=seen or None, report=session.report)
        write_csv(evaluation.rows, session.places.metrics)
        return {"measured": len(evaluation.rows), "problems": [str(problem) for problem in evaluation.problems]}

    return session.state.stage("evaluate", inputs, work)


def summary_table(rows: list[MetricRow]) -> dict[str, Any]:
    """Mean over cases per source and phase, as a table for the terminal."""
    columns = ["Source", "Phase", "Cases", "Dice", "HD mm", "HD95 mm", "ASSD mm", "NSD", "Empty"]
    lines = []
    for summary in summarise(rows, ("source", "phase")):
        measures = summary.measures
        lines.append(
            [
                summary.group["source"],
                summary.group["phase"],
                summary.cases,
                measures["dice"].text(3),
                *(measures[name].text(1) for name in ("hd_mm", "hd95_mm", "assd_mm")),
                measures["nsd"].text(3),
                summary.empty,
            ]
        )
    return {"title": "Against the truth (mean ± sd over cases)", "columns": columns, "rows": lines}


def _pairs(session: Session) -> tuple[list[MaskPair], list[Label]]:
    given = {case_id for case_id, label in session.fixed().items() if label.state in GIVEN}
    cases = {case.id: case for case in session.cohort.cases()}
    pairs: list[MaskPair] = []
    labels: list[Label] = []
    for source, chosen in labelled_sources(session):
        for case_id, label_id in sorted(chosen.items()):
            case = cases.get(case_id)  # labels outlive images that have been taken away
            truth = None if case is None else session.truth_of(case)
            if case is None or truth is None or case_id in given:
                continue
            label = session.store.label(label_id)
            labels.append(label)
            pairs.append(MaskPair(case, session.store.mask_path(label), truth, source))
    return pairs, labels


def labelled_sources(session: Session) -> list[tuple[str, dict[str, str]]]:
    """What the finished stages of the run gave: name → (case id → label id), rounds in order, the final one last."""
    sources = []
    for number in range(1, session.recipe.rounds + 1):
        output = session.state.output(f"round {number}: select")
        if output is not None:
            sources.append((f"proposals, round {number}", dict(output["labels"])))
    final = session.state.output("predict")
    if final is not None:
        sources.append((FINAL, dict(final["labels"])))
    return sources
