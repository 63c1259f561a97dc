"""The bombs are live: a reader that trusts them makes the canary. Without this the other tests would prove nothing."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from batchgenerators.utilities.file_and_folder_operations import load_pickle
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import BadInputError
from Testing.hostile.bombs import CONTENTS, Canary, a_network, a_pickle, an_array


@pytest.fixture
def trusted(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "canary")


READERS: dict[str, Callable[[bytes, Path], object]] = {
    "pickle": lambda content, file: pickle.loads(content),
    "pickle-0": lambda content, file: pickle.loads(content),
    "pickle-5": lambda content, file: load_pickle(str(file)),  # nnU-Net's
    "checkpoint": lambda content, file: torch.load(io.BytesIO(content), weights_only=False),
    "old-checkpoint": lambda content, file: torch.load(io.BytesIO(content), weights_only=False),
    "script": lambda content, file: None,  # TorchScript's own reader takes no such class; it is here for ours
    "array": lambda content, file: np.load(file, allow_pickle=True),
    "arrays": lambda content, file: dict(np.load(file, allow_pickle=True)),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_it_runs_for_a_reader_that_trusts_and_not_for_ours(name: str, trusted: Canary, tmp_path: Path) -> None:
    content = CONTENTS[name](trusted)
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(BadInputError, match="is not a checkpoint that can be trusted"):
        load_checkpoint(file)
    assert not trusted.sang
    READERS[name](content, file)
    assert trusted.sang or name == "script"


def test_plans_run_for_nnunet(trusted: Canary) -> None:
    architecture = a_network(trusted)
    with suppress(TypeError, FileExistsError):  # once for every layer; then it notices that it is no network
        get_network_from_plans(
            architecture["network_class_name"],
            json.loads(json.dumps(architecture["arch_kwargs"])),
            architecture["_kw_requires_import"],
            1,
            2,
            deep_supervision=True,
        )
    assert trusted.sang


def test_yaml_runs_for_a_reader_that_trusts(trusted: Canary) -> None:
    yaml.unsafe_load(f"!!python/object/apply:os.mkdir [{trusted.path}]")
    assert trusted.sang


def test_numpy_refuses_objects_unless_told(trusted: Canary, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(an_array(trusted))
    for how in (None, "r", "c"):
        with pytest.raises(ValueError, match=r"Object arrays|allow_pickle|Python objects"):
            np.load(tmp_path / "x.npy", mmap_mode=how, allow_pickle=False)
    (tmp_path / "y.npy").write_bytes(a_pickle(trusted))
    with pytest.raises(ValueError):
        np.load(tmp_path / "y.npy", allow_pickle=False)
    assert not trusted.sang
