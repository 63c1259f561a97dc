"""The shipped catalogue, and what tells one network from another."""

import inspect
import re
from importlib import resources

import pytest
import yaml

from LiverSegSSLLib.errors import WeightsError
from LiverSegSSLLib.models.catalogue import find, weights_catalogue
from LiverSegSSLLib.models.fingerprint import SAM2_SIZES, Fingerprint, fingerprint
from Testing.unit.models.conftest import sam2_tensors, save, stunet_tensors

CATALOGUE = weights_catalogue()


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_says_what_a_user_needs(name):
    weights = CATALOGUE[name]
    assert weights.loader in ("sam2", "stunet")
    assert weights.what and weights.licence and weights.recorded and weights.without
    for address in filter(None, (weights.source, weights.page, weights.licence_url)):
        assert address.startswith("https://")
    if weights.source:
        assert weights.source.endswith(f"/{weights.file}")
    assert weights.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", weights.sha256)
    assert weights.size_bytes is None or weights.size_bytes > 10**6
    assert f"models fetch {name}" in weights.ways() or weights.source is None


def test_the_file_of_the_published_method_is_pinned():
    medsam2 = find("medsam2")
    assert (medsam2.file, medsam2.size_bytes) == ("MedSAM2_latest.pt", 156_040_129)
    assert medsam2.sha256 == "c92743b99f00d078bf32a3afcc38aaa9faf1c1692dffe3eaa7a90938c1991060"


def test_no_two_entries_are_the_same_file():
    assert len({weights.file for weights in CATALOGUE.values()}) == len(CATALOGUE)
    sums = [weights.sha256 for weights in CATALOGUE.values() if weights.sha256]
    assert len(set(sums)) == len(sums)


def test_a_misspelt_name_gets_the_nearest():
    with pytest.raises(WeightsError, match="did you mean medsam2"):
        find("medsam")


@pytest.mark.parametrize(
    ("config", "size"), [("t", "tiny"), ("s", "small"), ("b+", "base-plus"), ("l", "large")], ids=lambda value: value
)
@pytest.mark.parametrize("generation", ["sam2", "sam2.1"])
def test_sizes_are_those_of_the_package(generation, config, size, tmp_path):
    """The published configurations of the package sam2 decide, not our table."""
    Hiera = pytest.importorskip("sam2.modeling.backbones.hieradet").Hiera
    file = resources.files("sam2") / "configs" / generation / f"{generation}_hiera_{config}.yaml"
    model = yaml.safe_load(file.read_text())["model"]
    trunk = model["image_encoder"]["trunk"]
    defaults = {name: parameter.default for name, parameter in inspect.signature(Hiera).parameters.items()}
    channels = trunk.get("embed_dim", defaults["embed_dim"])
    blocks = sum(trunk.get("stages", defaults["stages"]))
    newer = model.get("no_obj_embed_spatial", False)
    assert SAM2_SIZES[channels, blocks] == size
    path = save(tmp_path / "net.pt", {"model": sam2_tensors(channels, blocks, newer)})
    assert fingerprint(path) == Fingerprint("sam2", f"sam2.{1 if generation == 'sam2.1' else 0}-{size}")


def test_the_names_in_a_trunk_of_the_package_are_those_looked_for(tmp_path):
    Hiera = pytest.importorskip("sam2.modeling.backbones.hieradet").Hiera
    trunk = Hiera(embed_dim=8, num_heads=1, stages=(1, 1, 2, 1), global_att_blocks=(2,))
    tensors = {f"image_encoder.trunk.{name}": value for name, value in trunk.state_dict().items()}
    assert fingerprint(save(tmp_path / "net.pt", {"model": tensors})) == Fingerprint("sam2", "sam2.0-8x5")


@pytest.mark.parametrize(("channels", "size"), [(16, "small"), (32, "base"), (64, "large"), (96, "huge"), (8, "8")])
def test_sizes_of_stunet_are_told_by_the_first_stage(channels, size, tmp_path):
    path = save(tmp_path / "net.model", {"epoch": 1, "state_dict": stunet_tensors(channels)})
    assert fingerprint(path) == Fingerprint("stunet", f"stunet-{size}")


def test_an_nnunet_v1_checkpoint_with_its_log_is_read(tmp_path):
    import numpy as np

    log = {"plot_stuff": [[np.float64(0.5), np.float32(0.25)]], "best_stuff": (np.float64(1.0), None)}
    path = save(tmp_path / "net.model", {"state_dict": stunet_tensors(), "optimizer_state_dict": {}, **log})
    assert fingerprint(path).variant == "stunet-small"
