"""The model card: what a model is, what it began with and which cases it knows, readable without this library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.learn.cases import TrainingCase
from LiverSegSSLLib.learn.methods import Method
from LiverSegSSLLib.learn.options import Preset
from LiverSegSSLLib.learn.preprocess import image_key
from LiverSegSSLLib.learn.splits import Fold, FoldName

CARD = "liversegssl_model.json"
"""The file, in the folder that contains ``fold_0``."""

BEGINNING = "beginning.json"
"""In the folder of a fold that did not begin with random weights: which it began with."""

_SEEN = "seen"


def write_card(
    model: Path,
    name: str,
    preset: Preset,
    method: Method,
    cases: Sequence[TrainingCase],
    held_out: Mapping[str, int],
    seen: Mapping[FoldName, frozenset[str]],
) -> None:
    """Write the card of a trained model.

    :param held_out: case id → the fold that was not trained on its label.
    :param seen: fold → image keys that its weights know, see :func:`images_seen`.
    """
    card = {
        "name": name,
        "preset": preset.model_dump(mode="json"),
        "method": method,
        "seed": preset.training.seed,
        "folds": list(seen),
        "held_out": dict(held_out),
        "expert": [case.case_id for case in cases if case.role == "expert"],
        "pseudo": [case.case_id for case in cases if case.role == "pseudo"],
        "unlabelled": [case.case_id for case in cases if case.role == "unlabelled"],
        "network_output": "background, liver",
        "began_with": {str(fold): _beginning(model / f"fold_{fold}") for fold in seen},
        _SEEN: {str(fold): sorted(images) for fold, images in seen.items()},
    }
    write_json(model / CARD, card)


def images_seen(cases: Sequence[TrainingCase], splits: Sequence[Fold], fold: FoldName) -> frozenset[str]:
    """The images (by :func:`~LiverSegSSLLib.learn.preprocess.image_key`) whose labels a fold is trained on."""
    trained = {case.case_id for case in cases} if fold == "all" else set(splits[fold].train)
    return frozenset(image_key(case.image) for case in cases if case.case_id in trained and case.label is not None)


def read_card(model: Path) -> dict[str, Any]:
    """The card in a model folder; empty for a model that another program trained."""
    try:
        card = json.loads((model / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def seen_by(card: Mapping[str, Any], fold: str) -> frozenset[str]:
    """What the weights of a fold know: image keys; of cards that say no more, case ids."""
    if _SEEN in card:
        return frozenset(card[_SEEN].get(fold, ()))
    held_out = {case for case, number in card.get("held_out", {}).items() if str(number) == fold}
    return frozenset({*card.get("expert", ()), *card.get("pseudo", ())} - held_out)


def _beginning(fold: Path) -> dict[str, Any] | None:
    """As the fold's process wrote it down; ``None``: random weights."""
    path = fold / BEGINNING
    beginning: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return beginning
