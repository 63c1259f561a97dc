"""Recipes: the loop's parts and numbers as YAML, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from LiverSegSSLLib.cohort.phase import parse_phase
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.learn.methods import SUPERVISED, Method
from LiverSegSSLLib.resources import resource
from LiverSegSSLLib.spelling import advice

Supports = Literal["expert", "labelled"]
Options = dict[str, Any]

NETWORK = "network"
"""The proposal method of later rounds: the last round's model on cases it was not trained on."""


LARGEST = 1 << 20
"""Bytes of a recipe file."""


class _PlainYaml(yaml.SafeLoader):
    """YAML of plain values: nothing that runs, no key twice (the last would win silently), and no references: ten lines
    of them make ten thousand million values."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="references are not used here", problem_mark=self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise yaml.MarkedYAMLError(problem=f"the key {name} stands there twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ProposeStep(_Strict):
    """One way of proposing labels; steps run in order, each for the cases still without a usable label."""

    method: str
    targets: tuple[Phase, ...] = ()
    """Phases to propose for; empty: all of the recipe's."""
    supports: Supports = "expert"
    """``expert``: given and reviewed labels only; ``labelled``: also this round's proposals that passed."""
    support_cases: tuple[str, ...] = ()
    """Case ids of the supports to use; empty: all that ``supports`` names."""
    where_possible: bool = False
    """Go on without the step, with a note, where its method cannot run (few-shot propagation without weights)."""
    again: bool = False
    """Also for cases that have a usable label by now: the new one takes its place if it passes too."""
    options: Options = {}


class Select(_Strict):
    """Which pseudo labels are trained on."""

    keep: float = Field(default=0.85, gt=0, le=1)
    """Fraction kept of each phase and vendor, best first, of those that pass every score."""
    minimum: int = Field(default=1, ge=0)
    """Kept of each phase and vendor at least, if they pass."""
    least_quality: float = Field(default=0.0, ge=0, le=1)
    """A fixed threshold on the quality, beside the rank."""
    by: tuple[Literal["phase", "vendor"], ...] = ("phase", "vendor")
    """What makes a group."""


class Learn(_Strict):
    """The training of a round."""

    method: Method = SUPERVISED
    """``supervised`` learns from labels; the others also from every image that has none, or none that was kept."""
    preset: str = "default"
    network: str | None = None
    """A preset whose network takes the place of this one's; the geometry stays."""
    folds: int = Field(default=5, ge=1, le=20)
    options: Options = {}
    phases: tuple[Phase, ...] = ()
    """Phases trained on; empty: all of the recipe's."""
    certain: float = Field(default=0.0, ge=0, lt=1)
    """Voxels of a pseudo label that its probability supports less than this teach nothing; 0: all teach."""
    init: str | None = None
    """Begin with these weights: ``models:NAME``, a model folder or a checkpoint (relative: to the workspace)."""
    warm_start: bool = False
    """Begin a later round from the model of the round before."""


class Predict(_Strict):
    """The final prediction."""

    step_size: float | None = Field(default=None, gt=0, le=1)
    """Distance of the windows as a fraction of their size; none: what suits the preset."""
    mirroring: bool | None = None
    """Average over mirrored images; none: what suits the preset."""
    follow_edges: bool = True
    """Move the border of what a network found to the edges of the image."""
    second_opinion: float = Field(default=0.0, ge=0, le=1)
    """Share of a case's own proposal (by registration or few-shot, not by a network) in its final probability."""
    largest_component: bool = True


class Recipe(_Strict):
    """The whole loop as data."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)
    description: str = ""
    phases: tuple[Phase, ...] = ()
    """Phases to segment; empty: all that the cohort has."""
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    rounds: int = Field(default=1, ge=1, le=20)
    stop_change: float = Field(default=0.01, ge=0)
    """No further training when a round's labels changed by less than this on average (eq. 7 of METHODS 5)."""
    propose: tuple[ProposeStep, ...]
    """Steps of the first round; may be none, for a method that learns from images without labels."""
    propose_again: tuple[ProposeStep, ...] = (ProposeStep(method=NETWORK),)
    """Steps of the rounds after the first."""
    score: dict[str, Options] = {}
    select: Select = Select()
    learn: Learn = Learn()
    predict: Predict = Predict()

    @model_validator(mode="after")
    def _network_needs_a_model(self) -> Recipe:
        if any(step.method == NETWORK for step in self.propose):
            raise ValueError("propose: the first round has no model yet; put network under propose_again")
        return self

    def steps(self, round_number: int) -> tuple[ProposeStep, ...]:
        """The proposal steps of a round (counted from 1)."""
        return self.propose if round_number == 1 else self.propose_again


def recipe_names() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(path.stem for path in resource("Recipes").glob("*.yaml"))


def load_recipe(name_or_path: str, changes: Iterable[str] = ()) -> Recipe:
    """A shipped recipe by name, or a YAML file by path.

    :param changes: ``key.key=value`` (value in YAML) put over the file, for example ``learn.preset=cpu``.
    :raises RecipeError: no such recipe, not YAML, or a key or value that is wrong; names the nearest right one.
    """
    path = Path(name_or_path)
    if path.suffix.lower() not in (".yaml", ".yml"):
        if name_or_path not in recipe_names():
            raise RecipeError("is not a recipe", name_or_path, advice(name_or_path, recipe_names()))
        path = resource("Recipes", f"{name_or_path}.yaml")
    return parse_recipe(_read(path), str(name_or_path), changes)


def parse_recipe(text: str, where: str, changes: Iterable[str] = ()) -> Recipe:
    """A recipe from YAML text.

    :raises RecipeError: as :func:`load_recipe`.
    """
    data = _parse_yaml(text, where)
    if not isinstance(data, dict):
        raise RecipeError("is not a recipe: it has no keys", where, "start from a shipped one")
    for change in changes:
        set_key(data, change)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise _explain(error, where) from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise RecipeError("is too large for a recipe", path)
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise RecipeError(f"cannot be read ({reason})", path) from None


def _parse_yaml(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_PlainYaml)  # a SafeLoader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark is not None else ""
        reason = getattr(error, "problem", None) or str(error)
        raise RecipeError(f"is not YAML{line} ({reason})", where) from None


def phase_named(name: str) -> Phase:
    """The phase that a word means, in any of its spellings.

    :raises RecipeError: it means none; names the nearest right one.
    """
    found = parse_phase(name)
    if found is None:
        raise RecipeError("is not a phase", name, advice(name, [phase.value for phase in Phase]))
    return found.phase


def set_key(data: dict[str, Any], change: str, example: str = "learn.preset=cpu") -> None:
    """Put ``key.key=value`` (value in YAML) into nested plain data.

    :raises RecipeError: it is nothing of the kind; shows the example.
    """
    path, separator, value = change.partition("=")
    if not separator or not path.strip():
        raise RecipeError("is not key=value", change, f"write for example {example}")
    *parents, last = path.strip().split(".")
    place: Any = data
    for key in parents:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place
        if not isinstance(place, dict):
            raise RecipeError("does not name a key of the recipe", change)
    place[last] = _parse_yaml(value, change)


def _explain(error: ValidationError, where: str) -> RecipeError:
    """The first problem in words; pydantic's location is a tuple of keys and list indices."""
    # A misspelt key shows twice, as unknown and as missing: the former helps.
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = _keys_at(first["loc"][:-1])
        return RecipeError(f"does not know the key {place}", where, advice(key, known))
    if first["type"] == "missing":
        return RecipeError(f"lacks the key {place}", where)
    if first["type"] == "enum":
        value = str(first["input"])
        return RecipeError(f"{place} cannot be {value!r}", where, advice(value, [phase.value for phase in Phase]))
    message = first["msg"].removeprefix("Value error, ")
    return RecipeError(f"{place} is wrong: {message}" if place else message, where)


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Recipe
    for key in location:
        if isinstance(key, int):
            continue
        annotation = model.model_fields[str(key)].annotation
        for candidate in (annotation, *get_args(annotation)):
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                model = candidate
    return list(model.model_fields)
