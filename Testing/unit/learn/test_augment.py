"""Augmentation changes how a liver looks, never where it is or what a label means."""

import numpy as np
import pytest
import torch

from LiverSegSSLLib.learn.augment import BiasField, IntensityCurve, Inversion, training_transforms
from LiverSegSSLLib.learn.options import Augmentation

CALM = {name: 0.0 for name in Augmentation.model_fields if name.startswith("p_")}


def patch() -> tuple[torch.Tensor, torch.Tensor]:
    """A liver brighter than its surroundings."""
    generator = torch.Generator().manual_seed(0)
    label = torch.zeros((1, 20, 40, 40), dtype=torch.int16)
    label[:, 5:15, 10:30, 8:26] = 1
    image = label.float() + 0.1 * torch.randn(label.shape, generator=generator)
    return image, label


def augmented(seed: int = 0, **options: object) -> tuple[torch.Tensor, torch.Tensor]:
    np.random.seed(seed)
    torch.manual_seed(seed)
    image, label = patch()
    transforms = training_transforms(Augmentation.model_validate({**CALM, **options}), (16, 32, 32), None)
    result = transforms(image=image, segmentation=label)
    return result["image"], result["segmentation"]


def test_without_probabilities_it_only_crops_the_middle() -> None:
    image, label = augmented(mirror_axes=())
    source, mask = patch()
    assert torch.equal(image, source[:, 2:18, 4:36, 4:36])
    assert torch.equal(label, mask[:, 2:18, 4:36, 4:36])


@pytest.mark.parametrize(
    "name", ["p_remap", "p_invert", "p_gamma", "p_brightness", "p_bias_field", "p_noise", "p_blur"]
)
def test_intensity_changes_leave_the_label_alone(name: str) -> None:
    image, label = augmented(mirror_axes=(), **{name: 1.0, "noise_sd": (0.1, 0.2)})
    plain_image, plain_label = augmented(mirror_axes=())
    assert torch.equal(label, plain_label)
    assert not torch.allclose(image, plain_image)
    assert torch.isfinite(image).all()


@pytest.mark.parametrize("name", ["p_rotation", "p_scaling", "p_elastic"])
def test_spatial_changes_move_image_and_label_together(name: str) -> None:
    image, label = augmented(seed=4, mirror_axes=(), **{name: 1.0})
    assert not torch.equal(label, augmented(mirror_axes=())[1])
    inside, outside = image[label == 1].mean(), image[label == 0].mean()
    assert inside > 0.85 and outside < 0.15  # the liver is still where the label says


def test_the_same_seed_gives_the_same_patch() -> None:
    options = dict(p_remap=0.5, p_rotation=0.5, p_noise=0.5, p_blur=0.5, p_bias_field=0.5, p_scaling=0.5)
    for seed in range(5):
        assert torch.equal(augmented(seed, **options)[0], augmented(seed, **options)[0])


def test_an_ordered_curve_keeps_the_order_of_the_tissues_and_an_unordered_one_may_not() -> None:
    image = torch.linspace(-2, 2, 4000).reshape(1, 10, 20, 20)
    np.random.seed(0)
    reversals = 0
    for _ in range(20):
        rising = IntensityCurve(p_unordered=0)(image=image.clone())["image"].flatten()
        assert (rising.diff() >= -1e-5).all()
        assert abs(float(rising.mean() - image.mean())) < 1e-3
        assert abs(float(rising.std() - image.std())) < 1e-3
        mixed = IntensityCurve(p_unordered=1)(image=image.clone())["image"].flatten()
        reversals += bool((mixed.diff() < -1e-5).any())
    assert reversals == 20


def test_a_constant_patch_survives() -> None:
    flat = torch.full((1, 8, 8, 8), 3.0)
    for transform in (IntensityCurve(0.5), Inversion(), BiasField(0.3)):
        assert torch.allclose(transform(image=flat.clone())["image"], flat)


def test_inversion_is_its_own_inverse() -> None:
    image, _ = patch()
    twice = Inversion()(image=Inversion()(image=image.clone())["image"])["image"]
    assert torch.allclose(twice, image, atol=1e-5)
