"""Checkpoints: what nnU-Net writes is read; what could run something is not."""

import os

import numpy as np
import pytest
import torch

from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import BadInputError


class Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_tensors_and_numpy_numbers_are_read(tmp_path):
    path = tmp_path / "checkpoint_final.pth"
    content = {
        "network_weights": {"a": torch.arange(3.0)},
        "logging": {"losses": [np.float32(0.5), np.float64(0.25), np.int64(3), np.bool_(True)]},
        "current_epoch": 7,
    }
    torch.save(content, path)
    read = load_checkpoint(path)
    assert torch.equal(read["network_weights"]["a"], torch.arange(3.0))
    assert read["logging"] == content["logging"] and read["current_epoch"] == 7


def test_a_pickle_bomb_does_not_go_off(tmp_path):
    path, marker = tmp_path / "checkpoint_final.pth", tmp_path / "went-off"
    torch.save({"network_weights": Bomb(marker)}, path)
    with pytest.raises(BadInputError, match="can be trusted") as caught:
        load_checkpoint(path)
    assert not marker.exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_damaged_files_are_one_kind_line(tmp_path, content):
    path = tmp_path / "checkpoint_final.pth"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="checkpoint_final"):
        load_checkpoint(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(BadInputError, match="there is no such"):
        load_checkpoint(tmp_path / "none.pth")


def test_a_bare_tensor_is_no_checkpoint(tmp_path):
    torch.save(torch.zeros(2), tmp_path / "x.pth")
    with pytest.raises(BadInputError, match="holds no names"):
        load_checkpoint(tmp_path / "x.pth")
