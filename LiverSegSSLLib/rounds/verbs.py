"""The verbs as jobs run them: plain parameters in, events on the way, a plain result out.

Every function here is a verb, called as ``verb(parameters, report) -> result``. A result may hold ``tables``
(title, columns, rows), ``lines``, ``problems``, ``files`` (name → path) and ``counts`` (``proposed``, ``kept``,
``predicted``) for whoever shows it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.rounds.opening import RunOptions, open_session, read_cohort
from LiverSegSSLLib.rounds.recipe import ProposeStep, load_recipe, phase_named, set_key
from LiverSegSSLLib.rounds.session import Session

Parameters = dict[str, Any]
Result = dict[str, Any]


def inspect(parameters: Parameters, report: Reporter) -> Result:
    """What the data are."""
    from LiverSegSSLLib.cohort.summary import summarize
    from LiverSegSSLLib.rounds.overview import cohort_overview
    from LiverSegSSLLib.rounds.places import Places

    options = _options(parameters)
    # Problems are part of the result, not warnings on the way.
    progress = Reporter(lambda event: report.send(event) if event.kind == "progress" else None)
    cohort = read_cohort(options, progress)
    return cohort_overview(summarize(cohort, cache=Places(options.workspace, "").index))


def run(parameters: Parameters, report: Reporter) -> Result:
    """The whole loop."""
    from LiverSegSSLLib.rounds.loop import run_loop
    from LiverSegSSLLib.rounds.training import require_initial_weights

    with open_session(_options(parameters), report) as session:
        require_initial_weights(session)
        ended = run_loop(session)
        return {**_outcome(session, [f"The run took {_duration(ended['seconds'])}."]), "counts": _predicted(session)}


def demo(parameters: Parameters, report: Reporter) -> Result:
    """Write the built-in study, then the whole loop on it."""
    from LiverSegSSLLib.rounds.demo import write_demo_data

    options = _options(parameters)
    truth = write_demo_data(options.data, options.executor, options.workers, report)
    return run({**parameters, "truth": str(truth)}, report)


def propose(parameters: Parameters, report: Reporter) -> Result:
    """One round's proposals, judged."""
    from LiverSegSSLLib.rounds.loop import propose_and_select

    options = _options(parameters)
    recipe = load_recipe(options.recipe, options.changes)
    targets = tuple(phase_named(name) for name in parameters.get("targets", []))
    supports = tuple(parameters.get("support_cases", []))
    method_options: dict[str, Any] = {}
    for text in parameters.get("method_options", []):
        set_key(method_options, text, "insertions=2")
    if "method" in parameters:
        step = ProposeStep(method=parameters["method"], targets=targets, support_cases=supports, options=method_options)
        # Of a later round too: a method that was asked for is the one that proposes.
        recipe = recipe.model_copy(update={"propose": (step,), "propose_again": (step,)})
    elif supports or method_options:
        which, what = ("--support", "supports") if supports else ("--option", "options")
        raise RecipeError(f"names {what} for no method", which, "add --method, for example --method few-shot")
    elif targets:
        recipe = recipe.model_copy(update={"phases": targets})
    with open_session(options, report, recipe) as session:
        return _queue(session, propose_and_select(session, _round(parameters, session)))


def score(parameters: Parameters, report: Reporter) -> Result:
    """The proposals of a round judged again and chosen from."""
    from LiverSegSSLLib.rounds.loop import propose_and_select

    with open_session(_options(parameters), report) as session:
        return _queue(session, propose_and_select(session, _round(parameters, session)))


def train(parameters: Parameters, report: Reporter) -> Result:
    """One round's training; proposals are made first where they are missing."""
    from LiverSegSSLLib.rounds.loop import propose_and_select
    from LiverSegSSLLib.rounds.training import require_initial_weights, train_round

    options = _options(parameters)
    asked = [key for key in ("method", "preset", "network", "folds", "init") if key in parameters]
    changes = [f"learn.{key}={json.dumps(parameters[key])}" for key in asked]  # JSON is YAML
    recipe = load_recipe(options.recipe, (*options.changes, *changes))
    with open_session(options, report, recipe) as session:
        require_initial_weights(session)
        number = _round(parameters, session)
        propose_and_select(session, number)
        model = train_round(session, number)
        return {"files": {"Model": model["model"]}}


def compare(parameters: Parameters, report: Reporter) -> Result:
    """Ways to learn, trained on the same cases and measured on the same others."""
    from LiverSegSSLLib.rounds.comparing import compare_methods
    from LiverSegSSLLib.rounds.comparison_options import comparison_options

    return compare_methods(_options(parameters), comparison_options(parameters), report)


def predict(parameters: Parameters, report: Reporter) -> Result:
    """Every phase segmented by the last model, or by a given one."""
    from LiverSegSSLLib.rounds.predicting import export_predictions, predict_cohort

    with open_session(_options(parameters), report) as session:
        model = Path(parameters["model"]) if "model" in parameters else None
        targets = [phase_named(name) for name in parameters.get("targets", [])]
        predict_cohort(session, model, frozenset(targets))
        output = Path(parameters["output"]) if "output" in parameters else session.places.predictions
        export_predictions(session, output, care=parameters.get("care", False))
        return {"files": {"Masks": str(output)}, "counts": _predicted(session)}


def evaluate(parameters: Parameters, report: Reporter) -> Result:
    """What there is, measured against the truth."""
    from LiverSegSSLLib.rounds.measuring import evaluate_run

    with open_session(_options(parameters), report) as session:
        evaluate_run(session)
        return _outcome(session, [])


def report(parameters: Parameters, report: Reporter) -> Result:
    """The HTML report of what has been done so far."""
    from LiverSegSSLLib.rounds.reporting import write_run_report

    with open_session(_options(parameters), report) as session:
        write_run_report(session)
        return {"files": {"Report": str(session.places.report)}}


def _options(parameters: Parameters) -> RunOptions:
    names = ("recipe", "pattern", "device", "executor", "workers", "pseudonyms")
    known = {name: parameters[name] for name in names if name in parameters}
    return RunOptions(
        data=Path(parameters["data"]),
        workspace=Path(parameters["workspace"]),
        changes=tuple(parameters.get("changes", ())),
        truth=Path(parameters["truth"]) if "truth" in parameters else None,
        **known,
    )


def _round(parameters: Parameters, session: Session) -> int:
    """The round asked for, else the last that has begun."""
    if "round_number" in parameters:
        number = int(parameters["round_number"])
        if number > session.recipe.rounds:
            raise RecipeError(f"has {session.recipe.rounds} rounds, not {number}", session.recipe.name)
        return number
    from LiverSegSSLLib.rounds.training import begun_round

    return begun_round(session)


def _queue(session: Session, selection: dict[str, Any]) -> Result:
    from LiverSegSSLLib.rounds.overview import queue_table

    counts = {"proposed": len(selection["labels"]), "kept": len(selection["kept"])}
    return {"tables": [queue_table(session.store, 15)], "counts": counts}


def _predicted(session: Session) -> dict[str, int]:
    return {"predicted": len((session.state.output("predict") or {"labels": {}})["labels"])}


def _outcome(session: Session, lines: list[str]) -> Result:
    from LiverSegSSLLib.evaluate.tables import read_csv
    from LiverSegSSLLib.rounds.measuring import summary_table

    tables = [summary_table(read_csv(session.places.metrics))] if session.places.metrics.is_file() else []
    places = {"Masks": session.places.predictions, "Report": session.places.report}
    files = {name: str(path) for name, path in places.items() if path.exists()}
    return {"tables": tables, "lines": lines, "files": files}


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


__all__ = ["compare", "demo", "evaluate", "inspect", "predict", "propose", "report", "run", "score", "train"]
