"""Small checkpoints of the true layout, catalogues that name them, and a server that serves them."""

import hashlib
from dataclasses import replace

import pytest

from LiverSegSSLLib.models.catalogue import Weights
from Testing.unit.models.source import Source


def sam2_tensors(channels=96, blocks=12, generation=1):
    import torch

    tensors = {"image_encoder.trunk.patch_embed.proj.weight": torch.zeros(channels, 3, 7, 7)}
    tensors |= {f"image_encoder.trunk.blocks.{block}.norm1.weight": torch.ones(channels) for block in range(blocks)}
    if generation:
        tensors["no_obj_embed_spatial"] = torch.zeros(1, 64)
    return tensors


def stunet_tensors(channels=16):
    import torch

    return {"conv_blocks_context.0.0.conv1.weight": torch.zeros(channels, 1, 3, 3, 3)}


def save(path, checkpoint):
    import torch

    torch.save(checkpoint, path)
    return path


@pytest.fixture
def good(tmp_path):
    """A file of SAM 2.1 tiny's layout, as published: {'model': …}."""
    return save(tmp_path / "tiny.pt", {"model": sam2_tensors()})


@pytest.fixture
def entry(good):
    content = good.read_bytes()
    return Weights(
        name="tiny",
        what="a test",
        file="tiny.pt",
        source=None,
        page="http://example.org/tiny",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        recorded="the test",
        licence="none",
        licence_url="http://example.org/licence",
        loader="sam2",
        variant="sam2.1-tiny",
        without="everything else",
    )


@pytest.fixture
def served(good, entry, monkeypatch):
    """The entry with an address that a server on this computer answers."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Source(good.read_bytes()) as source:
        yield source, replace(entry, source=source.url)


def files_of(folder):
    """What lies on a shelf, without its locks and empty folders."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return sorted(str(path.relative_to(folder)) for path in found)
