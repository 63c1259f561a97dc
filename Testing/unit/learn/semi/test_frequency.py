"""An image with another's low frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from LiverSegSSLLib.learn.semi.frequency import half_widths, restyled, with_amplitude


def images(shape: tuple[int, ...], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two noisy blobs, z-scored as nnU-Net does (means near 0), one of them brighter and shaded."""
    rng = np.random.default_rng(seed)
    _, y, x = np.indices(shape[2:])
    blob = ((y - shape[3] / 2) ** 2 + (x - shape[4] / 2) ** 2 < min(shape[3:]) ** 2 / 9) * 1.0
    one = blob + rng.normal(0, 0.2, shape)
    other = 0.8 - blob + 0.05 * x + rng.normal(0, 0.2, shape)
    return torch.from_numpy(one - one.mean()).float(), torch.from_numpy(other - one.mean()).float()


def share(value: float, count: int) -> torch.Tensor:
    return torch.full((count,), value)


def by_the_equations(image: NDArray[Any], style: NDArray[Any], r: float, widths: tuple[int, ...]) -> NDArray[Any]:
    """The exchange with whole, shifted spectra, amplitude and phase, as the paper has it; the last axes."""
    axes = tuple(range(-len(widths), 0))
    spectrum = np.fft.fftn(image, axes=axes)
    amplitude, phase = np.fft.fftshift(np.abs(spectrum), axes=axes), np.angle(spectrum)
    wanted = np.fft.fftshift(np.abs(np.fft.fftn(style, axes=axes)), axes=axes)
    middle = [image.shape[axis] // 2 for axis in axes]
    window: tuple[Any, ...] = (..., *(slice(m - b, m + b + 1) for m, b in zip(middle, widths, strict=True)))
    amplitude[window] = (1 - r) * amplitude[window] + r * wanted[window]
    whole = np.fft.ifftshift(amplitude, axes=axes) * np.exp(1j * phase)
    return np.real(np.fft.ifftn(whole, axes=axes))


@pytest.mark.parametrize("widths", [(0, 0), (2, 2), (1, 3), (1, 2, 3), (0, 0, 0)], ids=str)
@pytest.mark.parametrize("shape", [(2, 1, 6, 12, 16), (1, 2, 5, 11, 13)], ids=str)
def test_it_is_the_papers_exchange(shape: tuple[int, ...], widths: tuple[int, ...]) -> None:
    one, other = (image - image.min() for image in images(shape))
    found = with_amplitude(one, other, share(0.7, shape[0]), widths)
    assert found.dtype == torch.float32 and found.shape == one.shape
    assert np.allclose(found.numpy(), by_the_equations(one.numpy(), other.numpy(), 0.7, widths), atol=1e-4)


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 2), *[st.integers(2, 17)] * 3),
    window=st.floats(0.01, 0.5),
    in_plane=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=50)
def test_nothing_of_the_other_leaves_the_image_as_it_is(
    shape: tuple[int, ...], window: float, in_plane: bool, seed: int
) -> None:
    one, other = images(shape, seed)
    assert torch.allclose(restyled(one, other, share(0.0, shape[0]), window, in_plane), one, atol=1e-5)


@pytest.mark.parametrize("in_plane", [True, False])
def test_all_of_the_others_frequencies_are_the_others_amplitude(in_plane: bool) -> None:
    one, other = (image - image.min() for image in images((1, 1, 7, 12, 15)))
    axes = (-2, -1) if in_plane else (-3, -2, -1)
    widths = tuple(one.shape[axis] // 2 for axis in axes)
    found = with_amplitude(one, other, share(1.0, 1), widths)
    expected = torch.fft.fftn(other, dim=axes).abs()
    assert torch.allclose(torch.fft.fftn(found, dim=axes).abs(), expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("in_plane", [True, False])
def test_the_mean_becomes_the_others_mean(in_plane: bool) -> None:
    one, other = images((2, 1, 6, 40, 48))
    found = restyled(one, other, share(1.0, 2), 0.05, in_plane)
    axes = (3, 4) if in_plane else (2, 3, 4)
    # Near, not equal: a few voxels are clipped to the range of the two images.
    assert torch.allclose(found.mean(axes), other.mean(axes), atol=0.02)
    assert (one.mean(axes) - other.mean(axes)).abs().min() > 0.5
    exact = with_amplitude(one + 9, other + 9, share(1.0, 2), half_widths(one.shape, 0.05, in_plane))
    assert torch.allclose(exact.mean(axes), other.mean(axes) + 9, atol=1e-4)


def test_half_of_the_mean_for_half_of_the_share_and_each_sample_has_its_own() -> None:
    one, other = images((2, 1, 4, 16, 16))
    found = restyled(one, other, torch.tensor([0.5, 0.0]), 0.01)
    middle = (one[0] + other[0]).mean() / 2
    assert found[0].mean().item() == pytest.approx(middle.item(), abs=0.02)
    assert torch.allclose(found[1], one[1], atol=1e-5)


def test_offset_and_factor_that_both_share_change_nothing() -> None:
    one, other = images((1, 1, 4, 16, 20))
    found = restyled(one, other, share(0.6, 1), 0.2)
    scaled = restyled(127.5 * (one + 3), 127.5 * (other + 3), share(0.6, 1), 0.2)
    assert torch.allclose(scaled / 127.5 - 3, found, atol=1e-4)


def test_values_keep_to_the_range_of_the_two() -> None:
    one, other = images((1, 1, 4, 16, 20))
    found = restyled(one, other, share(1.0, 1), 0.4)
    assert found.min() >= min(one.min(), other.min()) and found.max() <= max(one.max(), other.max())


def test_edges_stay_where_they_are() -> None:
    one, other = images((1, 1, 3, 64, 64))
    found = restyled(one, other, share(1.0, 1), 0.03)

    def edges(image: torch.Tensor) -> torch.Tensor:
        return torch.diff(image[0, 0, 1, 32]).abs()

    assert edges(found).argmax() in torch.topk(edges(one), 2).indices


def test_half_widths_of_slices_and_volumes() -> None:
    assert half_widths((48, 192, 224), 0.01, True) == (1, 1)
    assert half_widths((24, 64, 80), 0.01, True) == (0, 0)
    assert half_widths((48, 192, 224), 0.05, False) == (2, 9, 11)


def test_an_empty_patch_stays_finite() -> None:
    empty = torch.zeros(1, 1, 4, 8, 8)
    assert torch.isfinite(restyled(empty, images((1, 1, 4, 8, 8))[0], share(1.0, 1), 0.3)).all()
    assert torch.equal(restyled(empty, empty, share(0.5, 1), 0.3), empty)
