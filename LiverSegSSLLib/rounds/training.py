"""The train stage: expert and reviewed labels in every fold, chosen pseudo labels by the out-of-fold rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.errors import TrainingError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.jobs.executors import usable_cores
from LiverSegSSLLib.labels.label import Label, LabelState
from LiverSegSSLLib.learn.cases import Role, TrainingCase
from LiverSegSSLLib.learn.methods import SUPERVISED
from LiverSegSSLLib.learn.train import TrainSpec, train
from LiverSegSSLLib.learn.warm_start import CATALOGUE, find_origin
from LiverSegSSLLib.rounds.damaged import damaged_inside
from LiverSegSSLLib.rounds.equipment import torch_device
from LiverSegSSLLib.rounds.memory import TRAIN, processes_for
from LiverSegSSLLib.rounds.session import Session, checksums, fingerprint


def train_round(session: Session, round_number: int) -> dict[str, Any]:
    """Train the model of a round; ``model`` (folder), ``folds``, ``held_out`` (case id → fold), ``curves``,
    ``before`` (:func:`held_out_figure` of the training that it takes the place of).

    :raises TrainingError: nothing was chosen and nothing is labelled, or the training failed.
    """
    learn = session.recipe.learn
    expert, pseudo = training_labels(session, round_number)
    if not expert and not pseudo:
        raise TrainingError("has no label to train on", f"round {round_number}", "loosen select, or label a case")
    cases = [_case(session, session.cohort.case(case_id), "expert", label) for case_id, label in expert.items()]
    cases += [_case(session, session.cohort.case(case_id), "pseudo", label) for case_id, label in pseudo.items()]
    unlabelled = [] if learn.method == SUPERVISED else _unlabelled(session, {*expert, *pseudo})
    warm = session.state.output(f"round {round_number - 1}: train") if learn.warm_start else None
    stage = f"round {round_number}: train"
    inputs = {
        "learn": learn.model_dump(mode="json"),
        "seed": session.recipe.seed,
        "expert": checksums(expert),
        "pseudo": checksums(pseudo),
        "unlabelled": [fingerprint(case) for case in unlabelled],
        "device": session.device,
        "begin": warm and warm["model"],
    }

    def work() -> dict[str, Any]:
        what = f"{len(expert)} labels of persons, {len(pseudo)} proposals, {len(unlabelled)} images without a label"
        session.report.info(what, stage)
        given = whole_cases(
            [*cases, *(_case(session, case, "unlabelled") for case in unlabelled)], session.report, stage
        )
        labelled = sum(case.role != "unlabelled" for case in given)
        if not labelled:
            raise TrainingError("has no labelled image that can be read", f"round {round_number}", "see the warnings")
        result = train(
            TrainSpec(
                name=f"round{round_number}",
                cases=given,
                folder=session.places.training,
                preset=learn.preset,
                folds=learn.folds,
                options=learn.options,
                method=learn.method,
                network=learn.network,
                seed=session.recipe.seed,
                device=session.device,
                parallel_folds=_folds_at_once(session),
                init=session.places.workspace / warm["model"] if warm else initial_weights(session),
            ),
            session.report,
        )
        return {
            # Relative: the workspace may be moved.
            "model": result.model_folder.relative_to(session.places.workspace).as_posix(),
            "folds": list(result.folds),
            "held_out": dict(result.held_out),
            "trained_on": labelled,
            "unlabelled": len(given) - labelled,
            "curves": {str(fold): _by_name(curve) for fold, curve in result.curves.items()},
            # Of the training that this one takes the place of: the same round, on other labels or otherwise.
            "before": held_out_figure(session.state.output(stage)),
        }

    return session.state.stage(stage, inputs, work)


def whole_cases(cases: Sequence[TrainingCase], report: Reporter, stage: str) -> tuple[TrainingCase, ...]:
    """The cases whose images can be read to the last voxel; the others are told, and nothing is learnt from them.

    nnU-Net would stop at the first that is damaged inside.
    """
    faults = damaged_inside({case.case_id: case.image for case in cases})
    for case_id, what in faults.items():
        report.warn(f"{case_id}: nothing is learnt from it: {what}", stage)
    return tuple(case for case in cases if case.case_id not in faults)


def held_out_figure(output: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """How well the models of a finished training do on the cases that their folds held out, at its end.

    ``judged``: ``dice`` where these have an expert's label, else ``agreement``; ``value``: mean over folds (patches,
    the last epoch); ``cases``: how many. ``None``: nothing was held out, or there was no such training.

    :param output: what the stage of a round's training recorded.
    """
    if output is None or not output["held_out"]:
        return None
    for judged in ("dice", "agreement"):
        ends = [curve[judged][-1] for curve in output["curves"].values() if curve.get(judged)]
        if ends:
            return {"judged": judged, "value": sum(ends) / len(ends), "cases": len(output["held_out"])}
    return None


def training_labels(session: Session, round_number: int) -> tuple[dict[str, Label], dict[str, Label]]:
    """What a round learns from, by case id: labels that persons vouch for, and the chosen proposals of other cases."""
    selection = session.state.output(f"round {round_number}: select") or {"labels": {}, "kept": []}
    cases = {case.id for case in trained_on(session)}
    expert = {case_id: label for case_id, label in session.fixed().items() if case_id in cases}
    known = {label.id: label for label in session.store.labels(state=LabelState.PROPOSED)}
    pseudo = {}
    for case_id in selection["kept"]:
        # (Between a review and the next selection, some that were chosen have been rejected.)
        label = known.get(selection["labels"][case_id])
        if label is not None and case_id in cases and case_id not in expert:
            pseudo[case_id] = label
    return expert, pseudo


def trained_on(session: Session) -> Iterable[Case]:
    """The cases of the phases that the recipe learns."""
    return session.cohort.cases(frozenset(session.recipe.learn.phases) or session.phases)


def begun_round(session: Session) -> int:
    """The last round whose proposals have been chosen from; 1 if none has."""
    rounds = range(1, session.recipe.rounds + 1)
    return max((n for n in rounds if session.state.output(f"round {n}: select") is not None), default=1)


def require_initial_weights(session: Session) -> None:
    """Raise if the recipe begins with weights that are not there, before an hour is spent on proposals.

    :raises BadInputError: they are not; it says how to get them.
    """
    init = initial_weights(session)
    if init is not None and session.state.output("round 1: train") is None:
        find_origin(init)


def initial_weights(session: Session) -> str | None:
    """What the recipe's first training begins with; a path that is not absolute starts at the workspace."""
    init = session.recipe.learn.init
    if init is None or init.startswith(CATALOGUE):
        return init
    return str(session.places.workspace / init)


def last_model(session: Session) -> tuple[Path, dict[str, Any]]:
    """The model folder of the last trained round and what its stage recorded.

    :raises TrainingError: there is none.
    """
    for number in range(session.recipe.rounds, 0, -1):
        output = session.state.output(f"round {number}: train")
        if output is not None:
            return session.places.workspace / output["model"], output
    raise TrainingError("has no trained model yet", session.places.run_folder, "run liversegssl train, or give --model")


def _folds_at_once(session: Session) -> int:
    """Fewer than there are cores where memory is short; 0: as many as usual, as on a GPU."""
    if session.device != "cpu" and torch_device()["kind"] != "cpu":
        return 0
    wanted = min(usable_cores(), session.recipe.learn.folds)
    fits = processes_for(TRAIN, [case.image for case in trained_on(session)], wanted, report=session.report)
    return fits if fits < wanted else 0


def _unlabelled(session: Session, labelled: set[str]) -> list[Case]:
    return [case for case in trained_on(session) if case.id not in labelled]


def _case(session: Session, case: Case, role: Role, label: Label | None = None) -> TrainingCase:
    study = session.cohort.study_of(case)
    return TrainingCase(
        case_id=case.id,
        image=case.image,
        label=None if label is None else session.store.mask_path(label),
        role=role,
        group=study.patient or study.key,
        stratum=case.vendor,
        probability=session.store.probability_path(label) if label is not None and role == "pseudo" else None,
        certain=session.recipe.learn.certain,
    )


def _by_name(curve: Any) -> dict[str, list[float]]:
    """Epoch by epoch → name by name, the way a chart wants it."""
    names = [name for name in (curve[-1] if curve else ()) if name not in ("epochs", "learning_rate", "seconds")]
    return {name: [row.get(name) for row in curve] for name in names}
