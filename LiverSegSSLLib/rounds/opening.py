"""Opening a run: the recipe checked to its last option, the cohort read, the run taken for this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.cohort.study import Cohort
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.propose.proposer import make_proposer
from LiverSegSSLLib.rounds.links import require_no_way_out
from LiverSegSSLLib.rounds.places import Places
from LiverSegSSLLib.rounds.recipe import NETWORK, Recipe, load_recipe
from LiverSegSSLLib.rounds.session import Session, register_experts, without_replaced
from LiverSegSSLLib.rounds.state import RunState, only_one
from LiverSegSSLLib.score.registry import make_scores


@dataclass(frozen=True)
class RunOptions:
    """What a verb is asked to work on; the fields are the command line's."""

    data: Path
    workspace: Path
    recipe: str = "default"
    changes: tuple[str, ...] = ()
    pattern: str | None = None
    truth: Path | None = None
    device: str = "auto"
    executor: str = "local"
    workers: int = 0
    pseudonyms: bool = False


def read_cohort(options: RunOptions, report: Reporter) -> Cohort:
    """The cohort under ``options.data``; its problems are told as warnings.

    :raises WorkspaceError: a link in the workspace leads out of it.
    """
    require_no_way_out(options.workspace)
    cache = Places(options.workspace, "").index
    cohort = open_cohort(options.data, pattern=options.pattern, cache=cache, report=report)
    for problem in cohort.problems:
        report.warn(str(problem), "cohort")
    return cohort


@contextmanager
def open_session(options: RunOptions, report: Reporter, recipe: Recipe | None = None) -> Iterator[Session]:
    """Open a run: checks the recipe to its last option, reads the cohort, takes the run for this process.

    :raises BadInputError: whatever is wrong with recipe or data, before anything is worked out.
    """
    recipe = recipe or load_recipe(options.recipe, options.changes)
    check_recipe(recipe)
    if options.truth is not None and not options.truth.is_dir():
        raise RecipeError("is not a folder", options.truth, "give the folder of true masks with --truth")
    require_no_way_out(options.workspace)
    places = Places(options.workspace, recipe.name)
    with ExitStack() as held:
        left_by = held.enter_context(only_one(places.lock))  # before minutes go into reading a large cohort
        if left_by:
            report.info(f"{left_by}, ended without a word; its run goes on", "run")
        cohort = read_cohort(options, report)
        store = held.enter_context(LabelStore.open(options.workspace))
        session = Session(
            cohort=without_replaced(cohort, store, report),
            store=store,
            recipe=recipe,
            places=places,
            state=RunState(places.state),
            report=report,
            truth=options.truth,
            device=options.device,
            where=options.executor,
            workers=options.workers,
            pseudonyms=options.pseudonyms,
        )
        register_experts(session)
        yield session


def check_recipe(recipe: Recipe) -> None:
    """Names and options of methods, scores and presets, before an hour is spent on the first of them.

    :raises RecipeError: one is wrong; names the nearest right one.
    """
    for step in (*recipe.propose, *recipe.propose_again):
        if step.method != NETWORK:
            make_proposer(step.method, step.options)
    make_scores(recipe.score)
    load_preset(recipe.learn.preset, recipe.learn.options, network=recipe.learn.network)
