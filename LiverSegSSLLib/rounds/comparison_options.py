"""What a comparison is asked for, read from a verb's parameters and checked before anything is worked out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import RecipeError
from LiverSegSSLLib.learn.methods import SUPERVISED, TRAINERS
from LiverSegSSLLib.rounds.recipe import phase_named, set_key
from LiverSegSSLLib.spelling import advice

PSEUDO = "pseudo"
"""Supervised on the labels and on what the supervised training of the same cell finds in the unlabelled images."""

METHODS = (SUPERVISED, PSEUDO, *(name for name in TRAINERS if name != SUPERVISED))


@dataclass(frozen=True)
class ComparisonOptions:
    """What to compare.

    :param methods: in the order of the tables, the supervised one first: others build on it and are compared with it.
    :param labelled: numbers of labelled studies.
    :param seeds: how many choices of them.
    :param preset: empty: ``default`` on a GPU, ``cpu`` without.
    :param network: a preset whose network takes the place of this one's.
    :param training: changes to the preset.
    :param test: number of test studies; ``None``: a third of those with a true mask.
    :param edges: move the border of every prediction to the edges of the image.
    :param name: of the folder; empty: preset, network and phases.
    """

    methods: tuple[str, ...] = METHODS
    labelled: tuple[int, ...] = (2, 4, 8)
    seeds: int = 3
    phases: tuple[Phase, ...] = (Phase.GED4,)
    preset: str = ""
    network: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    test: int | None = None
    edges: bool = False
    name: str = ""


def comparison_options(parameters: Mapping[str, Any]) -> ComparisonOptions:
    """From plain parameters; lists come as text with commas, training options as ``key=value``.

    :raises RecipeError: a method, phase or number that is none; names the nearest right one.
    """
    methods = _words(str(parameters.get("methods", ",".join(METHODS))), "--methods")
    for method in methods:
        if method not in METHODS:
            raise RecipeError("is not a method", method, advice(method, METHODS))
    if SUPERVISED in methods or PSEUDO in methods:
        methods = (SUPERVISED, *(method for method in methods if method != SUPERVISED))
    name = str(parameters.get("name", ""))
    if name and not (name.replace("-", "").replace("_", "").replace(".", "").isalnum() and name[0].isalnum()):
        raise RecipeError("cannot be the name of a folder", name, "use letters, digits, - _ and . after a letter")
    training: dict[str, Any] = {}
    for change in parameters.get("changes", ()):
        set_key(training, change, "epochs=8")
    return ComparisonOptions(
        methods=methods,
        labelled=tuple(
            sorted(_number(word) for word in _words(str(parameters.get("labelled", "2,4,8")), "--labelled"))
        ),
        seeds=int(parameters.get("seeds", 3)),
        phases=tuple(dict.fromkeys(phase_named(name) for name in parameters.get("targets") or (Phase.GED4.value,))),
        preset=str(parameters.get("preset", "")),
        network=parameters.get("network"),
        training=training,
        test=parameters.get("test"),
        edges=bool(parameters.get("edges", False)),
        name=name,
    )


def _words(text: str, where: str) -> tuple[str, ...]:
    words = [word.strip() for word in text.split(",")]
    if "" in words:
        raise RecipeError("is no list", f"{where} {text!r}", "separate its parts by single commas")
    if len(set(words)) < len(words):
        raise RecipeError("names something twice", f"{where} {text}", "name each once")
    return tuple(words)


def _number(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise RecipeError("is not a number of labelled studies", word, "use whole numbers from 1 on, as 2,4,8")
    return int(word)
