"""Weights of other trainings: read without running anything, matched name by name, refused with the reason."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.errors import BadInputError, WeightsError
from LiverSegSSLLib.learn.networks.pretrained import begin_with, fit, read_weights
from LiverSegSSLLib.learn.networks.stunet import STUNet
from LiverSegSSLLib.learn.options import load_preset
from LiverSegSSLLib.models.fingerprint import Fingerprint, fingerprint

STRIDES = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2]]
CLASSES = 105
"""TotalSegmentator's 104 structures and background, which the published weights tell apart."""


def stunet(channels=1, classes=2, features=(4, 4, 4, 4, 4, 4), blocks=(1,) * 6, seed=0) -> STUNet:
    torch.manual_seed(seed)
    net = STUNet(channels, classes, features, blocks, STRIDES)
    net.apply(net.initialize)
    return net


def published(path, net, zipped=True):
    """A checkpoint as nnU-Net 1 with NumPy 1 wrote it: everything it saves, under its names."""
    losses = [np.float32(0.25), np.float64(-0.5)]
    content = {
        "epoch": 4000,
        "state_dict": OrderedDict(net.state_dict()),
        "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 0.01, "momentum": 0.99, "params": [0]}]},
        "lr_scheduler_state_dict": None,
        "plot_stuff": (losses, losses, [], losses),
        "best_stuff": (None, np.float64(0.5), np.float32(0.75)),
        "amp_grad_scaler": {"scale": 65536.0, "_growth_tracker": 3},
    }
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    if not zipped:  # NumPy 2 calls its parts by another name
        path.write_bytes(path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
        assert b"cnumpy.core.multiarray\n" in path.read_bytes()
    return path


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_of_nnunet_1_gives_all_but_the_output_layers(tmp_path, zipped):
    theirs, net = stunet(classes=7, seed=1), stunet(seed=2)
    drawn = {name: value.clone() for name, value in net.state_dict().items() if name.startswith("seg_outputs")}
    fitted = begin_with(net, published(tmp_path / "small_ep4k.model", theirs, zipped), keep_heads=False)
    taken = net.state_dict()
    body = {name for name in taken if not name.startswith("seg_outputs")}
    assert len(drawn) == 10 and len(body) == 120
    assert same({name: taken[name] for name in body}, {name: theirs.state_dict()[name] for name in body})
    assert same({name: taken[name] for name in drawn}, drawn)
    assert "drawn anew" in fitted.note


def test_the_published_small_network_at_full_size(tmp_path):
    sizes = load_preset("stunet-s").network
    theirs = stunet(classes=CLASSES, features=sizes.features_per_stage, blocks=sizes.blocks_per_stage)
    file = published(tmp_path / "small_ep4k.model", theirs)
    assert fingerprint(file) == Fingerprint("stunet", "stunet-small")
    weights = read_weights(file)
    assert len(weights) == 130 and sum(value.numel() for value in weights.values()) == 14_596_941
    net = stunet(features=sizes.features_per_stage, blocks=sizes.blocks_per_stage, seed=3)
    begin_with(net, file, keep_heads=False)
    assert sum(p.numel() for p in net.parameters()) == 14_545_338
    assert torch.equal(net.conv_blocks_context[5][0].conv2.weight, theirs.conv_blocks_context[5][0].conv2.weight)


def test_checkpoints_of_nnunet_2_are_read_also_from_distributed_and_compiled_networks(tmp_path):
    theirs = stunet(seed=1)
    for prefix in ("", "module.", "_orig_mod.", "module._orig_mod."):
        file = tmp_path / f"{prefix}checkpoint.pth"
        torch.save(
            {"network_weights": {prefix + n: v for n, v in theirs.state_dict().items()}, "current_epoch": 3}, file
        )
        net = stunet(seed=2)
        fitted = begin_with(net, file, keep_heads=True)
        assert fitted.heads_kept and same(dict(net.state_dict()), dict(theirs.state_dict()))


def test_output_layers_of_another_number_of_classes_are_drawn_anew_even_when_asked_for(tmp_path):
    net = stunet(seed=2)
    before = net.seg_outputs[4].weight.clone()
    fitted = begin_with(net, published(tmp_path / "x.model", stunet(classes=3, seed=1)), keep_heads=True)
    assert not fitted.heads_kept
    assert torch.equal(net.seg_outputs[4].weight, before)


@settings(max_examples=8, deadline=None)
@given(channels=st.integers(2, 5), seed=st.integers(0, 100))
def test_several_equal_input_channels_are_seen_as_the_one_was(channels, seed):
    one, several = stunet(seed=seed), stunet(channels, seed=seed + 1)
    fitted = fit(several.state_dict(), one.state_dict(), True, "one.model")
    several.load_state_dict(dict(fitted.weights))
    image = torch.randn(1, 1, 16, 32, 32, generator=torch.Generator().manual_seed(seed)).double()
    # In double precision, up to what a third is off by in single: instance norm over the few voxels at the bottom makes
    # small differences large.
    with torch.no_grad():
        expected, found = one.double()(image)[0], several.double()(image.expand(-1, channels, -1, -1, -1))[0]
    assert torch.allclose(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert fitted.repeated == channels and f"spread over {channels}" in fitted.note


@settings(max_examples=20, deadline=None)
@given(
    features=st.lists(st.integers(2, 5), min_size=3, max_size=5),
    other=st.lists(st.integers(2, 5), min_size=3, max_size=5),
    blocks=st.lists(st.integers(1, 2), min_size=10, max_size=10),
)
def test_weights_fit_when_and_only_when_the_networks_are_the_same(features, other, blocks):
    def build(width, depth):
        return STUNet(1, 2, width, depth, STRIDES[: len(width)]).state_dict()

    ours, theirs = build(features, blocks[: len(features)]), build(other, blocks[-len(other) :])
    fits = (features, blocks[: len(features)]) == (other, blocks[-len(other) :])
    assert same(dict(fit(ours, ours, True, "x").weights), ours)
    if fits:
        assert same(dict(fit(ours, theirs, True, "x").weights), theirs)
    else:
        with pytest.raises(WeightsError):
            fit(ours, theirs, True, "x")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"features": (32, 4, 4, 4, 4, 4)}, "x.model: is STU-Net base, the network to train is STU-Net small"),
        ({"features": (5, 4, 4, 4, 4, 4)}, "is STU-Net of 5 channels, the network to train is STU-Net small"),
        (
            {"features": (16, 4, 4, 4, 4, 5)},
            r"conv_blocks_context.5.0.conv1.bias as \(5,\), the network to train as \(4,\)",
        ),
        ({"features": (16, 4, 4, 4, 4, 4), "blocks": (2, 1, 1, 1, 1, 1)}, "it has conv_blocks_context.0.1.conv1.bias"),
        (
            {"features": (16, 4, 4, 4, 4, 4), "channels": 2},
            r"\(16, 2, 3, 3, 3\), the network to train as \(16, 1, 3, 3, 3\)",
        ),
    ],
)
def test_another_network_is_refused_in_one_line_that_says_which(tmp_path, changes, reason):
    net = stunet(features=(16, 4, 4, 4, 4, 4))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(WeightsError, match=reason) as caught:
        begin_with(net, published(tmp_path / "x.model", stunet(**changes)), keep_heads=False)
    assert "\n" not in str(caught.value) and caught.value.remedy
    assert same(dict(net.state_dict()), before)  # nothing of it was taken


def test_a_file_that_is_no_network_or_damaged_is_refused(tmp_path):
    net, file = stunet(), tmp_path / "x.pth"
    torch.save({"model": {"image_encoder": torch.zeros(2)}, "epoch": 3}, file)
    with pytest.raises(WeightsError, match=r"holds no weights of an nnU-Net network \(it holds epoch, model\)"):
        begin_with(net, file, keep_heads=False)
    torch.save({"network_weights": {"conv.weight": torch.zeros(2)}}, file)
    with pytest.raises(WeightsError, match=r"is another network than the one to train \(it has conv.weight\)"):
        begin_with(net, file, keep_heads=False)
    published(file, stunet(seed=1))
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(BadInputError, match="can be trusted"):
        begin_with(net, file, keep_heads=False)
    with pytest.raises(BadInputError, match="no such checkpoint"):
        begin_with(net, tmp_path / "absent", keep_heads=False)


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    theirs = stunet(seed=1)
    with torch.no_grad():
        theirs.conv_blocks_context[2][0].conv1.weight[0, 0, 0, 0, 0] = float("nan")
    with pytest.raises(WeightsError, match=r"conv_blocks_context.2.0.conv1.weight holds values that are not numbers"):
        begin_with(stunet(), published(tmp_path / "x.model", theirs), keep_heads=False)


def test_a_file_that_would_run_something_is_not_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return print, ("boom",)

    file = tmp_path / "x.model"
    torch.save({"state_dict": stunet().state_dict(), "plans": Bomb()}, file)
    with pytest.raises(BadInputError, match="can be trusted"):
        begin_with(stunet(), file, keep_heads=False)


def test_names_and_shapes_can_be_compared_without_loading_a_weight(tmp_path):
    file = published(tmp_path / "x.model", stunet(seed=1))
    weights = read_weights(file, "meta")
    assert all(value.is_meta for value in weights.values())
    with torch.device("meta"):
        own = STUNet(3, 2, (4,) * 6, (1,) * 6, STRIDES).state_dict()
    assert fit(own, weights, False, "x").repeated == 3
