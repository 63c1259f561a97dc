"""STU-Net: the published sizes and names, and the published function of an image."""

from math import prod

import pytest
import torch
from torch import nn
from torch.nn import functional

from LiverSegSSLLib.errors import TrainingError
from LiverSegSSLLib.learn.networks.stunet import ResidualBlock, STUNet, Upsample
from LiverSegSSLLib.learn.options import load_preset

HALVED = [[1, 1, 1], *[[2, 2, 2]] * 5]
CARE = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2]]
"""The strides of nnU-Net's plan for CARE's GED4 images, patch (48, 192, 224)."""


def network(size: str, classes: int, strides=HALVED, device="meta") -> STUNet:
    sizes = load_preset(f"stunet-{size}").network
    with torch.device(device):
        return STUNet(1, classes, sizes.features_per_stage, sizes.blocks_per_stage, strides)


def tiny(**changes) -> STUNet:
    arguments = {
        "input_channels": 1,
        "num_classes": 2,
        "features_per_stage": [2, 3, 4, 4, 4, 4],
        "blocks_per_stage": [1] * 6,
        "strides": CARE,
    }
    return STUNet(**{**arguments, **changes})


def wave(shape, phase, scale=0.5):
    """Numbers that are the same in every version of torch."""
    angle = torch.arange(prod(shape), dtype=torch.float64) * 0.73 + phase
    return (torch.sin(angle) * scale).reshape(shape).float()


@pytest.mark.parametrize(
    ("size", "classes", "parameters"),
    [
        ("s", 105, 14_596_941),
        ("s", 2, 14_545_338),
        ("b", 105, 58_262_669),
        ("b", 2, 58_159_978),
        ("l", 105, 440_302_605),
        ("l", 2, 440_097_738),
        ("h", 105, 1_457_326_221),
    ],
)
def test_sizes_have_the_published_numbers_of_parameters(size, classes, parameters):
    assert sum(p.numel() for p in network(size, classes).parameters()) == parameters


@pytest.mark.parametrize(("size", "blocks"), [("s", 1), ("b", 1), ("l", 2), ("h", 3)])
def test_names_are_those_of_the_published_checkpoints(size, blocks):
    def block(stage, number):
        layers = ("conv1", "norm1", "conv2", "norm2") + (("conv3",) if number == 0 else ())
        return {f"{stage}.{number}.{layer}" for layer in layers}

    encoder = [block(f"conv_blocks_context.{stage}", n) for stage in range(6) for n in range(blocks)]
    decoder = [block(f"conv_blocks_localization.{stage}", n) for stage in range(5) for n in range(blocks)]
    others = {f"upsample_layers.{stage}.conv" for stage in range(5)} | {f"seg_outputs.{stage}" for stage in range(5)}
    layers = others.union(*encoder, *decoder)
    names = set(network(size, 105).state_dict())
    assert names == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    if blocks == 1:
        assert len(names) == 130


@pytest.mark.parametrize(
    ("size", "classes", "strides", "patch", "multiply_adds"),
    [
        ("s", 105, HALVED, (128, 128, 128), 0.1299e12),
        ("b", 105, HALVED, (128, 128, 128), 0.5071e12),
        ("l", 105, HALVED, (128, 128, 128), 3.8057e12),
        ("s", 2, CARE, (48, 192, 224), 0.1863e12),
    ],
)
def test_work_is_what_the_paper_says(size, classes, strides, patch, multiply_adds):
    """As torchinfo counts: parameters of a convolution times voxels of its output; of a norm once."""
    net, work = network(size, classes, strides), []

    def count(module, _, output):
        if isinstance(module, nn.Conv3d | nn.InstanceNorm3d):
            voxels = prod(output.shape[2:]) if isinstance(module, nn.Conv3d) else 1
            work.append(sum(p.numel() for p in module.parameters()) * voxels)
        elif isinstance(module, Upsample):  # the authors convolve after, we before: count theirs
            convolution = sum(p.numel() for p in module.conv.parameters())
            work.append(convolution * (prod(output.shape[2:]) - prod(output.shape[2:]) / prod(module.stride)))

    for module in net.modules():
        module.register_forward_hook(count)
    net(torch.empty(1, 1, *patch, device="meta"))
    assert sum(work) == pytest.approx(multiply_adds, rel=5e-4)


def test_outputs_have_the_sizes_of_the_stages_full_resolution_first():
    outputs = network("s", 2, CARE)(torch.empty(2, 1, 48, 192, 224, device="meta"))
    assert isinstance(outputs, tuple)
    sizes = [(48, 192, 224), (48, 96, 112), (24, 48, 56), (12, 24, 28), (6, 12, 14)]
    assert [tuple(output.shape) for output in outputs] == [(2, 2, *size) for size in sizes]


def test_the_function_is_that_of_the_authors_code():
    """Outputs that the authors' class (nnUNet-1.7.1/…/STUNet.py, commit 1732c65) gave for these weights and image."""
    net = tiny(
        input_channels=2, num_classes=3, features_per_stage=[2, 3, 4, 5, 6, 6], blocks_per_stage=[1, 2, 1, 1, 2, 1]
    )
    weights = net.state_dict()
    for number, (name, value) in enumerate(weights.items()):
        level = 1 if "norm" in name and name.endswith("weight") else 0
        weights[name] = wave(tuple(value.shape), number) + level
    net.load_state_dict(weights)
    with torch.no_grad():
        outputs = net(wave((1, 2, 16, 32, 32), 0.1, 1.0))
    found = [
        [float(v) for v in (o.mean(), o.std(), o.flatten()[0], o.flatten()[o.numel() // 2], o.flatten()[-1])]
        for o in outputs
    ]
    expected = [
        [-0.48758, 0.21865, -0.27312, -0.85375, -0.44889],
        [0.21875, 1.06373, 0.88977, 0.15473, -0.51552],
        [0.15862, 0.48812, -0.15207, 0.49719, 0.03962],
        [-0.37049, 0.60357, -1.03727, -0.40163, -0.06919],
        [0.16418, 1.50054, 1.46835, 1.01537, -3.1315],
    ]
    assert torch.allclose(torch.tensor(found), torch.tensor(expected), atol=2e-4)


def test_without_deep_supervision_the_first_output_comes_alone_and_every_run_gives_the_same():
    net = tiny()
    image = wave((1, 1, 16, 32, 32), 0.3)
    with torch.no_grad():
        several, again = net(image), net(image)
        net.decoder.deep_supervision = False  # as nnU-Net switches it
        alone = net(image)
    assert torch.equal(alone, several[0])
    assert all(torch.equal(one, other) for one, other in zip(several, again, strict=True))


def test_a_block_whose_second_half_is_silent_is_its_shortcut():
    for project in (False, True):
        block = ResidualBlock(3, 3, (1, 2, 2) if project else (1, 1, 1), project)
        for layer in (block.conv2, block.norm2):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        x = wave((1, 3, 4, 6, 6), 0.2)
        with torch.no_grad():
            shortcut = block.conv3(x) if project else x
            assert torch.equal(block(x), functional.leaky_relu(shortcut, 0.01))


def test_the_first_convolution_carries_the_stride():
    block = ResidualBlock(1, 2, (1, 2, 2), project=True)
    assert (block.conv1.stride, block.conv2.stride, block.conv3.stride) == ((1, 2, 2), (1, 1, 1), (1, 2, 2))


def test_upsampling_before_or_after_its_convolution_is_the_same():
    up = Upsample(6, 4, (1, 2, 2))
    x = wave((2, 6, 3, 5, 4), 0.5)
    with torch.no_grad():
        authors = up.conv(functional.interpolate(x, scale_factor=(1.0, 2.0, 2.0), mode="nearest"))
        assert torch.allclose(up(x), authors, atol=1e-6)


def test_first_weights_are_those_nnunet_would_draw():
    from dynamic_network_architectures.initialization.weight_init import InitWeights_He

    ours, theirs = tiny(), tiny()
    torch.manual_seed(5)
    ours.apply(ours.initialize)
    torch.manual_seed(5)
    theirs.apply(InitWeights_He(1e-2))
    expected = theirs.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in ours.state_dict().items())
    assert not any(float(v.abs().max()) for n, v in expected.items() if n.endswith("bias") and "conv" in n)


def test_every_parameter_learns():
    net = tiny(features_per_stage=[2, 2, 2, 2, 2, 2], blocks_per_stage=[2, 1, 1, 1, 1, 1])
    sum(output.square().mean() for output in net(wave((2, 1, 16, 32, 32), 0.3))).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("strides", [CARE[:5], [*CARE, [1, 2, 2]], [[2, 2, 2], *CARE[1:]]])
def test_a_plan_whose_stages_do_not_fit_is_refused_with_what_to_do(strides):
    with pytest.raises(TrainingError, match=r"6 stages .* pad with \[1, 1, 1\]"):
        tiny(strides=strides)


def test_it_learns_in_mixed_precision():
    net = tiny(blocks_per_stage=[2, 1, 1, 1, 1, 1])
    with torch.autocast("cpu", torch.bfloat16):
        outputs = net(wave((1, 1, 16, 32, 32), 0.3))
        sum(output.float().square().mean() for output in outputs).backward()
    assert all(output.dtype == torch.bfloat16 and output.isfinite().all() for output in outputs)
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())
