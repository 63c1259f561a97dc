"""Predictions of a round's model: as the next round's proposals, and as the final masks."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.checksum import sha256_of
from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import TrainingError
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.labels.label import Label
from LiverSegSSLLib.predict.predict import MOST_AT_ONCE, PredictionTask, predict
from LiverSegSSLLib.predict.settings import PredictionSettings
from LiverSegSSLLib.rounds.exporting import write_masks
from LiverSegSSLLib.rounds.memory import PREDICT, processes_for
from LiverSegSSLLib.rounds.proposing import add_proposal
from LiverSegSSLLib.rounds.recipe import NETWORK
from LiverSegSSLLib.rounds.session import Session, checksums, fingerprint
from LiverSegSSLLib.rounds.state import digest_of
from LiverSegSSLLib.rounds.training import last_model
from LiverSegSSLLib.types import Proposal
from LiverSegSSLLib.volume import Volume, read_volume

ENSEMBLE = "ensemble"
"""Source of the final predictions: the mean of all folds, whatever they were trained on."""


def propose_by_network(session: Session, round_number: int, stage: str, targets: Sequence[Case]) -> dict[str, Label]:
    """Predict cases with the model of the round before; returns case id → label.

    A case that was trained on is predicted by the one fold that did not see its label; the others by all folds.

    :raises TrainingError: that round has not been trained.
    """
    trained = session.state.output(f"round {round_number - 1}: train")
    if trained is None:
        remedy = f"run liversegssl train --round {round_number - 1} first"
        raise TrainingError("has no trained model", f"round {round_number - 1}", remedy)
    model = session.places.workspace / trained["model"]
    held_out = {case_id: int(fold) for case_id, fold in trained["held_out"].items()}
    return _predicted(session, model, targets, held_out, NETWORK, round_number, stage, {})


def predict_cohort(
    session: Session, model: Path | None = None, targets: frozenset[Phase] = frozenset()
) -> dict[str, Any]:
    """The final masks of all cases that no person has vouched for; ``labels``: case id → label id.

    :param model: a model folder; ``None``: the last trained round's.
    :param targets: phases; empty: the recipe's.
    """
    if model is None:
        model, _ = last_model(session)
    fixed = session.fixed()
    cases = [case for case in session.cases() if case.id not in fixed and (not targets or case.phase in targets)]
    opinions = _second_opinions(session)
    inputs = {
        "model": _identity(model),
        "predict": session.recipe.predict.model_dump(mode="json"),
        "cases": [fingerprint(case) for case in cases],
        "opinions": checksums(opinions),
    }

    def work() -> dict[str, Any]:
        from LiverSegSSLLib.rounds.judging import judge_and_record

        last = session.recipe.rounds + 1  # as if they were the next round's proposals
        labels = _predicted(session, model, cases, {}, ENSEMBLE, last, "predict", opinions)
        judge_and_record(session, list(labels.values()), "predict: score")
        return {"labels": {case_id: label.id for case_id, label in sorted(labels.items())}}

    output = session.state.stage("predict", inputs, work)
    export_predictions(session, session.places.predictions)
    return output


def export_predictions(session: Session, folder: Path, care: bool = False) -> None:
    """Copy the final masks to ``folder``: ``<study>/<image name>``, or in CARE's submission layout."""
    output = session.state.output("predict") or {"labels": {}}
    masks = {
        case_id: session.store.mask_path(session.store.label(label_id))
        for case_id, label_id in output["labels"].items()
    }
    write_masks([(session.cohort.case(case_id), mask) for case_id, mask in masks.items()], folder, care)


def _second_opinions(session: Session) -> dict[str, Label]:
    """By case id: the last proposal that no network made and that did not fail; none, if the recipe wants none.

    Registration knows nothing of contrast and a network little of rare anatomy: they err in different cases.
    """
    found: dict[str, Label] = {}
    if session.recipe.predict.second_opinion:
        for number in range(1, session.recipe.rounds + 1):
            selection = session.state.output(f"round {number}: select") or {"labels": {}}
            for case_id, label_id in selection["labels"].items():
                label = session.store.label(label_id)
                if label.source != NETWORK and not label.parameters.get("failure"):
                    found[case_id] = label
    return found


def _with_opinion(session: Session, probability: Volume, opinion: Label | None) -> Volume:
    other = session.store.read_probability(opinion) if opinion is not None else None
    if other is None:
        return probability
    share = session.recipe.predict.second_opinion
    mixed = (1 - share) * probability.array + share * other.array
    return probability.with_array(mixed.astype(np.float32))


def _predicted(
    session: Session,
    model: Path,
    cases: Sequence[Case],
    held_out: Mapping[str, int],
    source: str,
    round_number: int,
    stage: str,
    opinions: Mapping[str, Label],
) -> dict[str, Label]:
    """Predict cases into the ledger; those that a killed run had finished are not worked out again."""
    identity = _identity(model)
    settings = PredictionSettings(
        step=session.recipe.predict.step_size,
        mirroring=session.recipe.predict.mirroring,
        edges=session.recipe.predict.follow_edges,
        largest=session.recipe.predict.largest_component,
    )
    share = session.recipe.predict.second_opinion
    heard = {case_id: [label.sha256, share] for case_id, label in opinions.items()}
    keys = {
        case.id: digest_of([source, stage, identity, str(settings), fingerprint(case), heard.get(case.id)])
        for case in cases
    }
    known = {case.id: session.store.find(keys[case.id]) for case in cases}
    labels = {case_id: label for case_id, label in known.items() if label is not None}
    waiting = [case for case in cases if case.id not in labels]
    place = session.places.run_folder / "predicting" / digest_of([source, identity, str(settings)])[:16]
    files = {case.id: place / f"{case.id}.nii.gz" for case in waiting}
    results = predict(
        model,
        [
            PredictionTask(case.id, case.image, probability=files[case.id])
            for case in waiting
            if not files[case.id].is_file()
        ],
        held_out=held_out,
        settings=settings,
        device=session.device,
        threads=usable_cores(),
        stage=stage,
        report=session.report,
        most=processes_for(
            PREDICT, [case.image for case in waiting], min(usable_cores(), MOST_AT_ONCE), report=session.report
        ),
    )
    outcomes = {result.case_id: result for result in results}
    for case in waiting:
        outcome = outcomes.get(case.id)
        opinion = opinions.get(case.id)
        found = read_volume(files[case.id]) if files[case.id].is_file() else None
        proposal = Proposal(
            case,
            source,
            None if found is None else _with_opinion(session, found, opinion),
            parents=() if opinion is None else (opinion.id,),
            parameters={
                "model": identity,
                "folds": [held_out[case.id]] if case.id in held_out else "all",
                "second_opinion": 0.0 if opinion is None else share,
            },
            seed=session.recipe.seed,
            failure="" if outcome is None else outcome.failure,
            seconds=0.0 if outcome is None else outcome.seconds,
        )
        labels[case.id] = add_proposal(session, proposal, round_number, keys[case.id])
    shutil.rmtree(place.parent, ignore_errors=True)
    return labels


def _identity(model: Path) -> str:
    """What tells one training from another: the checksums of its checkpoints."""
    return digest_of([sha256_of(path) for path in sorted(model.glob("fold_*/checkpoint_final.pth"))])
