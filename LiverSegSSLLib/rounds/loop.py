"""The loop: propose → score → select → train, round after round; then predict, evaluate, report."""

from __future__ import annotations

import time
from typing import Any

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.rounds.judging import select_round
from LiverSegSSLLib.rounds.measuring import evaluate_run, labelled_sources
from LiverSegSSLLib.rounds.predicting import predict_cohort
from LiverSegSSLLib.rounds.proposing import propose_round
from LiverSegSSLLib.rounds.reporting import write_run_report
from LiverSegSSLLib.rounds.session import Session, checksums, require_labels
from LiverSegSSLLib.rounds.training import train_round


def run_loop(session: Session) -> dict[str, Any]:
    """The whole recipe. Finished stages are not repeated; their inputs decide."""
    began = time.monotonic()
    for number in range(1, session.recipe.rounds + 1):
        selection = propose_and_select(session, number)
        change = selection["change"]
        if change is not None and change < session.recipe.stop_change:
            session.report.info(f"the labels changed by {100 * change:.2g} % only: no further round", f"round {number}")
            break
        train_round(session, number)
    predict_cohort(session)
    if session.truth is not None:
        evaluate_run(session)
    write_manifest(session)
    write_run_report(session)
    return {"seconds": round(time.monotonic() - began, 1)}


def propose_and_select(session: Session, round_number: int) -> dict[str, Any]:
    """The labels of a round and which of them are kept: ``labels`` (case id → label id), ``kept``, ``change``."""
    require_labels(session)
    labels = propose_round(session, round_number)
    name = f"round {round_number}: select"
    inputs = {
        "labels": checksums({case_id: session.store.label(label_id) for case_id, label_id in labels.items()}),
        "states": {case_id: session.store.label(label_id).state.value for case_id, label_id in labels.items()},
        "select": session.recipe.select.model_dump(mode="json"),
        "score": session.recipe.score,
    }

    def work() -> dict[str, Any]:
        decisions = select_round(session, round_number, labels)
        kept = sorted(case_id for case_id, decision in decisions.items() if decision.keep)
        stability = [
            score.value
            for decision in decisions.values()
            for score in decision.scores
            if score.name == "stability" and score.value > 0
        ]
        # The score is 1 / (1 + change).
        change = sum(1.0 / value - 1.0 for value in stability) / len(stability) if stability else None
        session.report.info(f"{len(kept)} of {len(decisions)} proposals kept for training", name)
        return {"labels": labels, "kept": kept, "change": change}

    return session.state.stage(name, inputs, work)


def write_manifest(session: Session) -> None:
    """What came out, by case: sources and checksums; no times, no ids, so two runs can be compared."""
    cases: dict[str, dict[str, Any]] = {}
    for case_id, label in sorted(session.fixed().items()):
        cases.setdefault(case_id, {})["given"] = {"state": label.state.value, "sha256": label.sha256}
    for source, labels in labelled_sources(session):
        for case_id, label_id in sorted(labels.items()):
            label = session.store.label(label_id)
            cases.setdefault(case_id, {})[source] = {"source": label.source, "sha256": label.sha256}
    recipe = session.recipe.model_dump(mode="json")
    write_json(session.places.manifest, {"recipe": recipe, "cases": cases})
