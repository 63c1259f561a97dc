"""Weights that are cut, of another network, of another method, or carry something that would run."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from typing import Any

from Testing.bad_input.entry import Entry
from Testing.bad_input.place import Place


def _saved(content: Any) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _layer() -> Any:
    import torch

    return torch.zeros(4, 3)


class Bomb:
    """Makes a file when it is unpickled by a reader that trusts it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def _import(name: str, content: Callable[[Place], bytes], says: str, *more: str) -> Entry:
    def arrange(place: Place) -> list[str]:
        file = place.file("mine.pt", content(place))
        return ["models", "--folder", str(place.workspace / "shelf"), "import", str(file), *more]

    return Entry(name, arrange, says)


MINE = r"mine\.pt: .*"
NOT_TRUSTED = MINE + "is not a checkpoint that can be trusted"

ENTRIES = (
    _import("weights-truncated", lambda place: _saved({"model": {"a": _layer()}})[:300], NOT_TRUSTED),
    _import("weights-empty", lambda place: b"", NOT_TRUSTED),
    _import("weights-text", lambda place: b"weights\n" * 99, NOT_TRUSTED),
    _import("weights-of-another-network", lambda place: _saved({"model": {"a": _layer()}}), "holds neither SAM 2 nor"),
    _import("weights-a-list", lambda place: _saved([_layer()]), MINE + "is not a checkpoint: it holds no names"),
    _import("weights-that-run", lambda place: _saved({"model": Bomb(str(place.root / "ran"))}), NOT_TRUSTED),
    _import("weights-plain-pickle", lambda place: pickle.dumps(Bomb(str(place.root / "ran"))), NOT_TRUSTED),
    _import(
        "weights-name-unknown", lambda place: b"", "there are no weights called medsam3.*medsam2", "--as", "medsam3"
    ),
    _import("weights-of-another-size", lambda place: b"x" * 50, "has 50 bytes.*cut on the way", "--as", "medsam2"),
    Entry(
        "weights-not-there",
        lambda place: ["models", "--folder", str(place.root), "import", "/nowhere/x.pt"],
        "is not there, or is not a file",
    ),
)
