"""The report stage: what a run did, gathered from its record, the ledger and the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from LiverSegSSLLib.cohort.phantom.study import is_phantom
from LiverSegSSLLib.cohort.study import Phase, split_case_id
from LiverSegSSLLib.cohort.summary import summarize
from LiverSegSSLLib.evaluate.report.model import (
    PHANTOM_LIMIT,
    TRUTH,
    CasePicture,
    Curve,
    QueueRow,
    Report,
    Step,
    Table,
)
from LiverSegSSLLib.evaluate.report.montage import write_montage
from LiverSegSSLLib.evaluate.report.render import write_report
from LiverSegSSLLib.evaluate.tables import read_csv, summarise
from LiverSegSSLLib.labels.label import Label
from LiverSegSSLLib.rounds.measuring import FINAL, labelled_sources
from LiverSegSSLLib.rounds.memory import REPORT
from LiverSegSSLLib.rounds.overview import phase_table
from LiverSegSSLLib.rounds.pseudonyms import AS_THEY_ARE, Names, hidden_names
from LiverSegSSLLib.rounds.reviewing import review_queue
from LiverSegSSLLib.rounds.session import Session
from LiverSegSSLLib.score.review_order import ReviewItem
from LiverSegSSLLib.types import MetricRow

Item = TypeVar("Item")

QUEUE_ROWS = 30
FIRST_PICTURES = 8
"""Pictures of the head of the queue; beside them one of each phase."""
NAMED_PARENTS = 3
"""Cases that a label was made from, named beside its picture; of more their number."""


def write_run_report(session: Session) -> Path:
    """Write ``report.html`` and ``overview.png`` of a run; returns the path of the report.

    With :attr:`Session.pseudonyms` no study key stands in them, see :mod:`~LiverSegSSLLib.rounds.pseudonyms`.
    """
    rows = read_csv(session.places.metrics) if session.places.metrics.is_file() else []
    names = _names(session, rows)
    queue = _in_order(review_queue(session.store, QUEUE_ROWS), names)
    pictures = _pictures(session, queue, names)
    recipe = names.own_words(session.recipe.name)
    report = Report(
        title=f"LiverSegSSL: {recipe}" if recipe else "LiverSegSSL",
        subtitle=names.own_words(session.recipe.description),
        created=f"{datetime.now():%Y-%m-%d %H:%M}",
        summary=_summary(session, rows),
        limits=(PHANTOM_LIMIT,) if is_phantom(session.cohort.root) else (),
        given=(_given(session), _labels(session)),
        steps=_steps(session),
        rows=_called(rows, names),
        queue=tuple(_queue_row(item, names) for item in queue),
        cases=pictures,
        curves=_curves(session),
        problems=names.problems(session.cohort.problems),
    )
    session.report.info("drawing the report", "report")
    with session.executor(max(1, len(pictures)), REPORT, [picture.image for picture in pictures]) as (executor, _):
        write_report(report, session.places.report, executor)
    one_study = _one_study(pictures)
    write_montage([replace(picture, caption="") for picture in one_study], session.places.picture)
    return session.places.report


def _names(session: Session, rows: Sequence[MetricRow]) -> Names:
    if not session.pseudonyms:
        return AS_THEY_ARE
    # Labels and measures outlive studies that have been taken out of the cohort.
    others = {label.study for label in session.store.labels()} | {row.study for row in rows}
    return hidden_names(session.places.workspace, session.cohort, others)


def _in_order(queue: Sequence[ReviewItem], names: Names) -> list[ReviewItem]:
    """Equal needs by what the cases are called in the report."""
    ordered = sorted(queue, key=lambda item: (-item.need, names.case(item.case_id))) if names.hidden else queue
    return [replace(item, rank=rank) for rank, item in enumerate(ordered, start=1)]


def _queue_row(item: ReviewItem, names: Names) -> QueueRow:
    return QueueRow(item.rank, names.case(item.case_id), names.text(item.reason), item.slices)


def _called(rows: Sequence[MetricRow], names: Names) -> tuple[MetricRow, ...]:
    if not names.hidden:
        return tuple(rows)
    sources = list(dict.fromkeys(row.source for row in rows))
    called = [replace(row, case_id=names.case(row.case_id), study=names.study(row.study)) for row in rows]
    return tuple(sorted(called, key=lambda row: (sources.index(row.source), row.case_id)))


def _summary(session: Session, rows: Sequence[MetricRow]) -> tuple[str, ...]:
    cohort = session.cohort
    experts = sum(1 for case in cohort.cases() if case.expert is not None)
    sentences = [
        f"{len(cohort.studies)} studies with {sum(1 for _ in cohort.cases())} images; "
        f"{experts} of them came with a liver mask."
    ]
    for summary in summarise([row for row in rows if row.source == FINAL], ("phase",)):
        measures = summary.measures
        empty = f", {summary.empty} empty" if summary.empty else ""
        sentences.append(
            f"{summary.group['phase']}: Dice {measures['dice'].text(3)}, HD {measures['hd_mm'].text(1)} mm "
            f"({summary.cases} predicted cases that were not given{empty})."
        )
    return tuple(sentences)


def _given(session: Session) -> Table:
    table = phase_table(summarize(session.cohort, cache=session.places.index))
    rows = tuple(tuple(str(cell) for cell in row) for row in table["rows"])
    return Table("The cohort", tuple(table["columns"]), rows)


def _labels(session: Session) -> Table:
    labels = session.store.labels()
    kinds = sorted({(label.round, label.source, label.state) for label in labels})
    rows = []
    for round_number, source, state in kinds:
        count = sum((label.round, label.source, label.state) == (round_number, source, state) for label in labels)
        rows.append((str(round_number) if round_number else "–", source, state.value, str(count)))
    return Table("Labels", ("Round", "Source", "State", "Count"), tuple(rows))


def _steps(session: Session) -> tuple[Step, ...]:
    return tuple(
        Step(name, seconds, _sentence(name, session.state.output(name) or {}))
        for name, seconds in session.state.timeline()
    )


def _sentence(name: str, output: dict[str, Any]) -> str:
    """What a stage did; stages are told by what they recorded."""
    if "usable" in output:
        return f"{len(output['labels'])} labels proposed, {len(output['usable'])} pass every score"
    if "kept" in output:
        change = output.get("change")
        moved = f"; the labels changed by {100 * change:.1f} % since the round before" if change is not None else ""
        return f"{len(output['kept'])} of {len(output['labels'])} pseudo labels kept{moved}"
    if "folds" in output:
        without = f" and {output['unlabelled']} without a label" if output.get("unlabelled") else ""
        return f"{output['trained_on']} labelled cases{without}, {len(output['folds'])} models"
    if "measured" in output:
        return f"{output['measured']} masks measured against the truth"
    if "labels" in output:
        return f"{len(output['labels'])} cases predicted"
    return name


def _pictures(session: Session, queue: Sequence[ReviewItem], names: Names) -> tuple[CasePicture, ...]:
    sources = labelled_sources(session)
    reasons = {item.case_id: item for item in queue}
    # Labels outlive images that have been taken away.
    there = {case.id for case in session.cohort.cases()}
    labelled = {case_id for _, labels in sources for case_id in labels} & there
    chosen = [item.case_id for item in queue[:FIRST_PICTURES] if item.case_id in labelled]
    chosen += _of_each_phase(session, labelled)
    pictures = []
    for case_id in dict.fromkeys(chosen):
        case = session.cohort.case(case_id)
        contours = {}
        truth = session.truth_of(case)
        if truth is not None:
            contours[TRUTH] = truth
        probability, made_by = None, ""
        for source, labels in sources:
            if case_id in labels:
                label = session.store.label(labels[case_id])
                if label.volume_ml > 0:
                    contours[source] = session.store.mask_path(label)
                probability, made_by = session.store.probability_path(label), _made_by(session, label, names)
        item = reasons.get(case_id)
        pictures.append(
            CasePicture(
                case_id=names.case(case_id),
                image=case.image,
                contours=contours,
                probability=probability,
                caption=made_by,
                reason="" if item is None else names.text(item.reason),
                doubtful=() if item is None else item.slices,
                nameless=names.hidden,
            )
        )
    return tuple(pictures)


def _made_by(session: Session, label: Label, names: Names) -> str:
    """The method of a label and the cases that it was made from: ``few-shot from 0241-B1-S2__GED4``."""
    parents = names.cases(sorted({session.store.label(parent).case_id for parent in label.parents}))
    more = f" and {len(parents) - NAMED_PARENTS} more" if len(parents) > NAMED_PARENTS else ""
    return f"{label.source} from {', '.join(parents[:NAMED_PARENTS])}{more}" if parents else label.source


def _of_each_phase(session: Session, labelled: set[str]) -> list[str]:
    """Every phase of the study that has most of them, so that the same liver can be compared."""
    studies: list[list[str]] = [
        [case.id for case in study.cases.values() if case.id in labelled] for study in session.cohort.studies
    ]
    return sorted(_longest(studies), key=_rank)


def _one_study(pictures: Sequence[CasePicture]) -> list[CasePicture]:
    """The pictures of the study with most phases shown."""
    by_study: dict[str, list[CasePicture]] = {}
    for picture in pictures:
        by_study.setdefault(split_case_id(picture.case_id)[0], []).append(picture)
    return sorted(_longest(list(by_study.values())), key=lambda picture: _rank(picture.case_id))


def _longest(groups: list[list[Item]]) -> list[Item]:
    return max(groups, key=lambda group: len(group), default=[])


def _rank(case_id: str) -> int:
    return list(Phase).index(split_case_id(case_id)[1])


def _curves(session: Session) -> tuple[Curve, ...]:
    curves = []
    for number in range(1, session.recipe.rounds + 1):
        output = session.state.output(f"round {number}: train") or {}
        for fold, history in output.get("curves", {}).items():
            epochs = tuple(float(value) for value in history.pop("epoch", ()))
            series = {
                name: tuple(float("nan") if value is None else float(value) for value in values)
                for name, values in history.items()
            }
            if epochs:
                curves.append(Curve(f"round {number}, fold {fold}", epochs, series))
    return tuple(curves)
