"""What a person asks for in Propose, what the library has against it, and what there is to choose from. Free of Qt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from LiverSegSSLLib.errors import LiverSegError
from LiverSegSSLPanel.cohort_rows import PhaseCell, StudyRow

if TYPE_CHECKING:
    from LiverSegSSLLib.rounds.recipe import Recipe

RECIPE, MODEL = "", "model"
FROM_SUPPORTS = ("few-shot", "transfer", "atlas")
"""Methods that carry given labels to other images."""
TRAININGS = ("cps", "mean-teacher", "bcp", "midss")
"""Methods that train a network on labelled and unlabelled images; it makes the labels."""
METHODS = (RECIPE, *FROM_SUPPORTS, MODEL, *TRAININGS)

LABELLED_PHASE = "GED4"
VOUCHED = ("expert", "corrected", "accepted")
"""States of a label that a person vouches for."""


@dataclass(frozen=True)
class Wish:
    """How labels are to be made.

    ``targets``: phases; ``supports``: case ids; ``options`` of the method and ``changes`` of the recipe: ``KEY=VALUE``;
    ``model``: a model's folder.
    """

    method: str = RECIPE
    targets: tuple[str, ...] = ()
    supports: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    recipe: str = "default"
    changes: tuple[str, ...] = ()
    model: str = ""


@dataclass(frozen=True)
class PhaseCount:
    """A phase of the cohort: how many cases it has, and how many of them nobody vouches for yet."""

    phase: str
    cases: int
    open: int


@dataclass(frozen=True)
class TrainedModel:
    """A model that was trained in the workspace."""

    folder: Path
    name: str
    method: str
    trained: datetime


@dataclass(frozen=True)
class Choices:
    """What there is to choose from: the cohort as a table, and models, newest first."""

    rows: tuple[StudyRow, ...] = ()
    models: tuple[TrainedModel, ...] = ()


def labelled_cases(rows: Sequence[StudyRow]) -> list[tuple[StudyRow, PhaseCell]]:
    """The cases whose label a person vouches for, those of GED4 first."""
    found = [(row, cell) for row in rows for cell in row.phases if cell.state in VOUCHED]
    return sorted(found, key=lambda one: one[1].phase != LABELLED_PHASE)


def phase_counts(rows: Sequence[StudyRow]) -> list[PhaseCount]:
    """The phases of the cohort in their usual order."""
    from LiverSegSSLLib.cohort.study import Phase

    cells = [cell for row in rows for cell in row.phases]
    counts = []
    for phase in Phase:
        states = [cell.state for cell in cells if cell.phase == phase.value]
        if states:
            counts.append(PhaseCount(phase.value, len(states), sum(state not in VOUCHED for state in states)))
    return counts


def trained_models(workspace: Path) -> list[TrainedModel]:
    """The models that were trained in a workspace, newest first."""
    from LiverSegSSLLib.learn.card import CARD, read_card
    from LiverSegSSLLib.learn.fold import FINAL

    models = []
    for path in (workspace / "nnunet").glob(f"*/results/*/*/{CARD}"):
        if any(path.parent.glob(f"fold_*/{FINAL}")):
            card, run = read_card(path.parent), path.parents[3].name
            time = datetime.fromtimestamp(path.stat().st_mtime)
            models.append(TrainedModel(path.parent, f"{run}, {card.get('name', '')}", card.get("method", ""), time))
    return sorted(models, key=lambda model: model.trained, reverse=True)


def entries(text: str) -> tuple[str, ...]:
    """The lines of a text that say something."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def training_changes(wish: Wish, learnt: Iterable[str]) -> tuple[str, ...]:
    """What makes a recipe one round of training without proposals; the person's own changes come last.

    :param learnt: phases that have labels to learn from, beside the targets.
    """
    phases = {} if not wish.targets else {"phases": list(wish.targets)}
    learn = {} if not wish.targets else {"learn.phases": sorted({*wish.targets, *learnt})}
    plan = {**phases, **learn, "propose": [], "rounds": 1, "learn.method": wish.method}
    return (
        *(f"{key}={json.dumps(value)}" for key, value in plan.items()),  # JSON is YAML
        *(f"learn.options.{option}" for option in wish.options),
        *wish.changes,
    )


def refusals(wish: Wish) -> list[str]:
    """What the library has against it, in its own words: recipe, options, weights that are not on this computer.

    May take a second the first time; touches neither the scene nor the cohort, so any thread may ask.
    """
    try:
        recipe = _recipe_of(wish)
    except LiverSegError as error:
        return [str(error)]
    return [*_impossible(recipe), *_lacking_weights(wish, recipe)]


def _recipe_of(wish: Wish) -> Recipe:
    from LiverSegSSLLib.rounds.opening import check_recipe
    from LiverSegSSLLib.rounds.recipe import ProposeStep, load_recipe, set_key

    changes = training_changes(wish, ()) if wish.method in TRAININGS else wish.changes
    recipe = load_recipe(wish.recipe, changes)
    if wish.method in FROM_SUPPORTS:
        options: dict[str, object] = {}
        for text in wish.options:
            set_key(options, text, "insertions=2")
        recipe = recipe.model_copy(update={"propose": (ProposeStep(method=wish.method, options=options),)})
    elif wish.method == MODEL:
        recipe = recipe.model_copy(update={"propose": ()})
    check_recipe(recipe)
    return recipe


def _impossible(recipe: Recipe) -> list[str]:
    from LiverSegSSLLib.propose.proposer import make_proposer
    from LiverSegSSLLib.rounds.recipe import NETWORK

    steps = [step for step in recipe.propose if step.method != NETWORK and not step.where_possible]
    reasons = (make_proposer(step.method, step.options).unavailable() for step in steps)
    return list(dict.fromkeys(reason for reason in reasons if reason))


def _lacking_weights(wish: Wish, recipe: Recipe) -> list[str]:
    from LiverSegSSLLib.learn.warm_start import CATALOGUE, find_origin

    if wish.method not in TRAININGS or not (recipe.learn.init or "").startswith(CATALOGUE):
        return []
    try:
        find_origin(str(recipe.learn.init))
    except LiverSegError as error:
        return [str(error)]
    return []
