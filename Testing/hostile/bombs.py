"""Files that run something when they are read by a reader that trusts them: each makes the canary, a folder."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Canary:
    """A folder that no reader may make."""

    path: Path

    @property
    def sang(self) -> bool:
        return self.path.exists()


class Bomb:
    """Makes the canary when it is unpickled."""

    def __init__(self, canary: Canary) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.makedirs, (str(self.canary.path), 0o777, True)


Content = Callable[[Canary], bytes]


def a_pickle(canary: Canary, protocol: int = 2) -> bytes:
    return pickle.dumps(Bomb(canary), protocol)


def a_checkpoint(canary: Canary, **entries: Any) -> bytes:
    """As torch writes it now: a zip archive with a pickle in it."""
    import torch

    content = io.BytesIO()
    torch.save({"network_weights": Bomb(canary), "trainer_name": "LiverSegTrainer", **entries}, content)
    return content.getvalue()


def an_old_checkpoint(canary: Canary) -> bytes:
    """As torch wrote it until 1.6: pickles one after another."""
    import torch

    content = io.BytesIO()
    torch.save({"state_dict": Bomb(canary)}, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def a_script(canary: Canary) -> bytes:
    """As TorchScript writes it, with a bomb among its pickles: torch chooses another reader for such archives."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/constants.pkl", a_pickle(canary))
        archive.writestr("archive/data.pkl", a_pickle(canary))
        archive.writestr("archive/code/__torch__.py", f"import os\nos.mkdir({str(canary.path)!r})\n")
    return content.getvalue()


def an_array(canary: Canary) -> bytes:
    """A NumPy array of Python objects."""
    content = io.BytesIO()
    np.save(content, np.array([Bomb(canary)], dtype=object), allow_pickle=True)
    return content.getvalue()


def arrays(canary: Canary) -> bytes:
    """Several in an archive, under the names that a prepared case has."""
    content = io.BytesIO()
    np.savez(content, **{"1": np.array([Bomb(canary)], dtype=object), "data": np.array([Bomb(canary)], dtype=object)})
    return content.getvalue()


CONTENTS: dict[str, Content] = {
    "pickle": a_pickle,
    "pickle-0": lambda canary: a_pickle(canary, 0),
    "pickle-5": lambda canary: a_pickle(canary, 5),
    "checkpoint": a_checkpoint,
    "old-checkpoint": an_old_checkpoint,
    "script": a_script,
    "array": an_array,
    "arrays": arrays,
}


def a_module(canary: Canary) -> str:
    """Python source; as ``sitecustomize.py`` or under a library's name it runs when it is imported."""
    return f"import os\nos.makedirs({str(canary.path)!r}, exist_ok=True)\n"


def a_network(canary: Canary) -> dict[str, Any]:
    """``architecture`` of plans: a plain U-Net whose activation is ``os.mkdir``, with the path as its argument."""
    from LiverSegSSLLib.learn.plans import plain_unet

    given = {
        "features_per_stage": [4, 8],
        "kernel_sizes": [[3, 3, 3]] * 2,
        "strides": [[1, 1, 1], [2, 2, 2]],
        "n_conv_per_stage": [1, 1],
        "n_conv_per_stage_decoder": [1],
    }
    architecture = plain_unet(given)
    kwargs = {**architecture["arch_kwargs"], "nonlin": "os.mkdir", "nonlin_kwargs": {"path": str(canary.path)}}
    return {**architecture, "arch_kwargs": kwargs}
