"""Networks by configuration, with the package's own keys; checkpoints that fit, and those that do not."""

import importlib.resources

import pytest
import torch
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra

from LiverSegSSLLib.errors import BadInputError, WeightsError
from LiverSegSSLLib.propose.few_shot.network import (
    CONFIGURATIONS,
    Mini,
    NetworkSpec,
    build_network,
    describe,
    load_network,
    save_network,
    small_spec,
    spec_of,
)

from .small import SIDE, blob, noise, shared_network


@pytest.fixture
def no_hydra():
    """Hydra as a fresh process has it, and as it was afterwards."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().hydra = before


@pytest.mark.parametrize("variant", ["sam2.0-tiny", "sam2.1-tiny", "sam2.1-small"])
def test_published_networks_are_told_by_their_weights(variant):
    assert describe(build_network(NetworkSpec(variant)).state_dict()) == variant


def test_what_a_published_checkpoint_is_shows_without_its_weights(tmp_path):
    torch.save({"model": build_network(NetworkSpec()).state_dict()}, tmp_path / "net.pt")
    assert spec_of(tmp_path / "net.pt") == NetworkSpec("sam2.1-tiny", 512)
    assert spec_of(tmp_path / "net.pt", image_size=1024) == NetworkSpec("sam2.1-tiny", 1024)


def test_the_package_has_the_configuration_of_every_size_of_both_versions():
    assert len(CONFIGURATIONS) == 8
    for path in CONFIGURATIONS.values():
        assert (importlib.resources.files("sam2") / path).is_file()


def test_a_seed_gives_the_same_weights_and_leaves_the_generator_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one = build_network(small_spec(SIDE), seed=5)
    assert torch.equal(torch.rand(1), expected)
    other, third = build_network(small_spec(SIDE), seed=5), build_network(small_spec(SIDE), seed=6)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not torch.equal(one.maskmem_tpos_enc, third.maskmem_tpos_enc)
    assert not one.training


def test_hydra_is_left_as_it_was(no_hydra):
    build_network(small_spec(SIDE))
    assert not GlobalHydra.instance().is_initialized()
    with initialize_config_module("hydra.conf", version_base="1.3"):  # another user of hydra in the same process
        theirs = GlobalHydra.instance().hydra
        build_network(small_spec(SIDE))
        assert GlobalHydra.instance().hydra is theirs
        assert compose(overrides=[]) == {}
    build_network(small_spec(SIDE))
    assert not GlobalHydra.instance().is_initialized()


def test_a_checkpoint_of_ours_says_what_it_is(tmp_path):
    network = shared_network(0)
    save_network(network, tmp_path / "mini.pt")
    loaded = load_network(tmp_path / "mini.pt")
    assert loaded.spec == network.spec == spec_of(tmp_path / "mini.pt", image_size=1024)
    state = loaded.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_a_specification_travels_as_numbers():
    spec = small_spec(96, width=8, stages=(1, 1, 3, 1))
    assert NetworkSpec.from_dict(spec.as_dict()) == spec
    listed = {**spec.as_dict(), "mini": {**spec.as_dict()["mini"], "stages": [1, 1, 3, 1]}}
    assert NetworkSpec.from_dict(listed) == spec


@pytest.mark.parametrize(
    "wrong", [{}, {"variant": "sam2.1-tiny", "image_size": "x", "mini": None}, {"mini": {}}], ids=str
)
def test_what_is_no_specification_is_refused(wrong):
    with pytest.raises(BadInputError, match="does not say which network"):
        NetworkSpec.from_dict(wrong)


def test_a_checkpoint_cannot_bring_a_configuration_to_run():
    values = small_spec().as_dict()
    values["mini"]["width"] = "16,++model.image_encoder._target_=os.getcwd"
    with pytest.raises(BadInputError):
        NetworkSpec.from_dict(values)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: NetworkSpec("sam3"), "no network 'sam3'"),
        (lambda: NetworkSpec(image_size=500), "multiple of 32"),
        (lambda: NetworkSpec(image_size=32), "at least 64"),
        (lambda: NetworkSpec("sam2.1-tiny", mini=Mini()), "no other network"),
        (lambda: NetworkSpec("sam2.1-mini"), "channels are given"),
        (lambda: small_spec(hidden=40), "multiple of 16"),
    ],
    ids=["unknown", "size", "tiny-image", "channels", "no-channels", "hidden"],
)
def test_networks_that_cannot_be_are_refused(make, match):
    with pytest.raises(BadInputError, match=match):
        make()


def damaged(state, how):
    state = dict(state)
    name = "memory_encoder.out_proj.weight"
    if how == "missing":
        del state[name]
    elif how == "extra":
        state["another.weight"] = torch.zeros(1)
    else:
        state[name] = torch.zeros(3, 3)
    return state


@pytest.mark.parametrize(
    ("how", "match"),
    [("missing", "1 of its weights are missing"), ("extra", "1 weights too many"), ("shape", r"is \(3, 3\), not")],
)
def test_weights_that_do_not_fit_are_refused_with_the_reason(tmp_path, how, match):
    network, path = shared_network(0), tmp_path / "net.pt"
    torch.save({"model": damaged(network.state_dict(), how), "spec": network.spec.as_dict()}, path)
    with pytest.raises(WeightsError, match=match) as caught:
        load_network(path)
    assert "net.pt" in str(caught.value)


def test_weights_of_another_network_are_named(tmp_path):
    save_network(shared_network(0), tmp_path / "net.pt")
    with pytest.raises(WeightsError, match=r"SAM 2.1 of 16 channels and 5 blocks, not sam2.1-tiny"):
        load_network(tmp_path / "net.pt", NetworkSpec())


@pytest.mark.parametrize(
    "content", [{"model": {"a": 1}}, {"state_dict": {}}, {"model": 3}], ids=["other", "layout", "number"]
)
def test_what_is_no_sam_2_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "net.pt")
    for ask in (load_network, spec_of):
        with pytest.raises(WeightsError, match="no weights of SAM 2"):
            ask(tmp_path / "net.pt")


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(BadInputError, match="no such checkpoint"):
        load_network(tmp_path / "none.pt")


def test_videos_have_the_size_of_the_network():
    with pytest.raises(ValueError, match="3, 64, 64"):
        shared_network(0).init_state(torch.zeros(2, 3, 32, 32))


def test_masks_come_back_at_the_size_asked_for():
    network = shared_network(0)
    state = network.init_state(noise(2, 1), 30, 50)
    network.add_new_mask(state, 0, 1, blob(1))
    assert [logits.shape for _, _, logits in network.propagate_in_video(state)] == [(1, 1, 30, 50)] * 2
