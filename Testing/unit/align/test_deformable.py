"""MIND, the alignment of two bodies, and the deformation between them."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from LiverSegSSLLib.align.bodies import align_bodies, prepare_body
from LiverSegSSLLib.align.deformable import register_bodies
from LiverSegSSLLib.align.fields import displacement_transform, index_grid, index_matrix, lps_matrix, sample
from LiverSegSSLLib.align.mind import CHANNELS, mind_ssc
from LiverSegSSLLib.align.register import register
from LiverSegSSLLib.volume import Geometry, Volume, resample
from Testing.unit.align.scenes import abdomen, moved_by

SPACING_MM = 6.0


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_mind_does_not_see_offset_gain_or_inversion():
    image = torch.from_numpy(abdomen().array / 200)
    plain = mind_ssc(image)
    assert plain.shape == (CHANNELS, *image.shape)
    assert float(plain.min()) >= 0 and float(plain.max()) <= 1
    for other in (image + 3, 2.5 * image, 1 - image):
        assert torch.allclose(mind_ssc(other), plain, atol=2e-3)


def test_mind_of_a_constant_is_constant():
    assert torch.equal(mind_ssc(torch.full((6, 7, 8), 3.0)), torch.ones(CHANNELS, 6, 7, 8))


def test_index_and_world_maps_are_inverse():
    fixed = Geometry((9, 8, 7), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    moving = Geometry((5, 5, 5), (2.0, 2.0, 2.0), (-1.0, 0.0, 2.0), (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    matrix = np.array([[1.1, 0.1, 0, 3], [0, 0.9, 0.2, -4], [0, 0, 1, 5], [0, 0, 0, 1.0]])
    assert np.allclose(lps_matrix(fixed, moving, index_matrix(fixed, moving, matrix)), matrix)


def test_torch_and_itk_warp_alike():
    """A displacement applied in index space gives the image that its ITK transform gives (oblique axes too)."""
    direction = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    grid = Geometry((14, 12, 10), (2.0, 3.0, 4.0), (7.0, -3.0, 1.0), direction)
    rng = np.random.default_rng(0)
    image = Volume(rng.normal(size=grid.shape).astype(np.float32), grid)
    displacement = torch.from_numpy(rng.uniform(-1.5, 1.5, (3, *grid.shape)).astype(np.float32))
    ours = sample(torch.from_numpy(image.array)[None], index_grid(grid.shape) + displacement.permute(1, 2, 3, 0))[0]
    theirs = resample(image, grid, "linear", displacement_transform(displacement, grid)).array
    inner = (slice(2, -2),) * 3
    assert np.allclose(ours.numpy()[inner], theirs[inner], atol=1e-3)


def test_bodies_with_other_fields_of_view_are_laid_over_each_other():
    """Another patient: 10 % larger, shifted by 60 mm along the body, other contrast."""
    image = abdomen()
    true = sitk.AffineTransform((1.08, 0, 0, 0, 1.08, 0, 0, 0, 1.0), (6.0, -8.0, 12.0))
    other = moved_by(true, image)
    shifted = Volume(other.array, Geometry(*_frame(other, (300.0, 80.0, -500.0))))
    fixed, moving = prepare_body(image, SPACING_MM), prepare_body(shifted, SPACING_MM)
    assert fixed is not None and moving is not None
    matrix, loss = align_bodies(fixed, moving)
    assert matrix is not None and np.isfinite(loss)
    world = lps_matrix(fixed.grid, moving.grid, matrix)
    for point in ((-40.0, -10.0, 10.0), (50.0, 20.0, 15.0), (0.0, 40.0, -20.0)):
        expected = np.add(true.TransformPoint(point), (300.0, 80.0, -500.0))
        assert np.linalg.norm((world @ [*point, 1.0])[:3] - expected) < 12.0


def _frame(volume: Volume, shift: tuple[float, float, float]):
    grid = volume.geometry
    return grid.size, grid.spacing, tuple(float(o + s) for o, s in zip(grid.origin, shift, strict=True)), grid.direction


def test_a_bent_liver_is_followed_and_more_threads_change_nothing():
    image = abdomen()
    z, y, x = np.indices(image.array.shape, dtype=np.float32)
    bend = 22.0 * np.exp(-(((x - 21) / 6) ** 2 + ((y - 16) / 6) ** 2 + ((z - 13) / 5) ** 2))
    lps = np.stack([0 * bend, 0 * bend, bend])  # components z, y, x in mm
    voxels = torch.from_numpy(lps / np.reshape(image.geometry.spacing_zyx, (3, 1, 1, 1)))
    true = displacement_transform(voxels, image.geometry)
    bent = resample(image, image.geometry, "linear", true)
    liver = image.with_array((image.array > 130).astype(np.float32))
    truth = resample(liver, image.geometry, "linear", true).array > 0.5
    results = [
        register(bent, image, "deformable", "mind", init="scanner", spacing_mm=SPACING_MM, threads=threads)
        for threads in (1, 2)
    ]
    carried = [resample(liver, image.geometry, "linear", result.transform).array for result in results]
    assert results[0].ok
    assert results[0].similarity > results[0].initial_similarity
    assert dice(carried[0] > 0.5, truth) > dice(liver.array > 0.5, truth) + 0.03
    assert np.array_equal(carried[0], carried[1])


@pytest.mark.parametrize(("metric", "word"), [("mattes", "mutual information"), ("sobel", "")])
def test_metrics_of_the_deformable_model(metric, word):
    image = abdomen()
    body = prepare_body(image, 9.0)
    result = register_bodies(body, body, metric, "scanner")
    assert result.ok == (word == "")
    assert word in result.reason


def test_no_body_fails_in_words():
    grid = Geometry((20, 20, 10), (5.0, 5.0, 5.0))
    speck = np.zeros(grid.shape, np.float32)
    speck[5, 5, 5] = 1
    result = register(Volume(speck, grid), abdomen(), "deformable", "mind", init="body")
    assert not result.ok
    assert "no body in the fixed image" in result.reason
