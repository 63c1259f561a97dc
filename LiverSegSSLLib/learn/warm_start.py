"""What a training begins with: an earlier model, pretrained weights or a checkpoint; and which cases it knows.

Weights that were trained on a case's label may not judge that case: a fold begins only with weights that have seen none
of the cases it holds out, nor have the weights that those began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.learn.card import read_card, seen_by
from LiverSegSSLLib.learn.fold import FINAL
from LiverSegSSLLib.learn.splits import FoldName
from LiverSegSSLLib.models.shelf import Shelf, require_weights

CATALOGUE = "models:"
"""Begins the name of pretrained weights, as in ``models:stunet-small``."""


@dataclass(frozen=True)
class Start:
    """Weights that a fold begins with.

    ``seen``: image keys (or case ids, of models that say no more) whose labels they were trained on; ``keep_heads``:
    also their output layers, where those fit.
    """

    checkpoint: Path
    keep_heads: bool
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Origin:
    """Where a training begins. ``label``: for people and the model card; ``starts``: by fold of the earlier model.

    Weights without folds stand under the one name ``""``.
    """

    label: str
    starts: Mapping[FoldName | str, Start]

    @property
    def checkpoints(self) -> list[Path]:
        """Every file that a fold may begin with."""
        return sorted(start.checkpoint for start in self.starts.values())

    def start(self, fold: FoldName, held_out: Mapping[str, str]) -> Start | None:
        """The weights for a fold: those of the same fold, else of another, that know none of the cases held out.

        :param held_out: case id → image key of the cases that the fold holds out.
        :return: ``None`` if all know some.
        """
        unknown = {*held_out, *held_out.values()}
        for name in sorted(self.starts, key=lambda name: (name != fold, str(name))):
            if not unknown & self.starts[name].seen:
                return self.starts[name]
        return None


def find_origin(init: str | Path, shelf: Shelf | None = None) -> Origin:
    """What a training is to begin with.

    :param init: ``models:NAME`` of the catalogue, a model folder (the one with ``fold_0``; its output layers are kept
        where they fit), or a checkpoint file (its output layers are left).
    :raises WeightsError: the catalogue has no such weights, or they are not on this computer.
    :raises BadInputError: there is no such folder or file, or the folder holds no trained model.
    """
    text = str(init)
    if text.startswith(CATALOGUE):
        return Origin(text, {"": Start(require_weights(text.removeprefix(CATALOGUE), shelf), keep_heads=False)})
    path = Path(init)
    if path.is_file():
        seen = seen_by(read_card(path.parent.parent), path.parent.name.removeprefix("fold_"))
        return Origin(path.name, {"": Start(path, keep_heads=False, seen=seen)})
    if not path.is_dir():
        raise BadInputError(
            "is nothing to begin with",
            text,
            f"give a model folder, a checkpoint file, or {CATALOGUE}NAME (see `liversegssl models list`)",
        )
    card = read_card(path)
    starts: dict[FoldName | str, Start] = {}
    for checkpoint in sorted(path.glob(f"fold_*/{FINAL}")):
        name = checkpoint.parent.name.removeprefix("fold_")
        starts[int(name) if name.isdigit() else name] = Start(checkpoint, keep_heads=True, seen=seen_by(card, name))
    if not starts:
        raise BadInputError("holds no trained model to begin with", path, "give the folder that contains fold_0")
    return Origin("/".join(path.absolute().parts[-2:]), MappingProxyType(starts))
