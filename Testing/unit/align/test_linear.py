"""Registration finds what was done to the image; what cannot be registered says so."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from LiverSegSSLLib.align.linear import matrix_of
from LiverSegSSLLib.align.register import register
from LiverSegSSLLib.volume import Geometry, Volume, resample

GRID = Geometry((56, 48, 30), (4.0, 4.0, 5.0), (-110.0, -90.0, -70.0))


def abdomen(geometry: Geometry = GRID, seed: int = 3) -> Volume:
    """A body with a liver, a spleen and texture of vessel size."""
    z, y, x = np.indices(geometry.shape)
    world = np.stack([x, y, z, np.ones_like(x)], -1) @ geometry.index_to_lps().T
    px, py, pz = world[..., 0], world[..., 1], world[..., 2]

    def blob(centre, radii):
        return sum(((p - c) / r) ** 2 for p, c, r in zip((px, py, pz), centre, radii, strict=True)) < 1

    texture = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=geometry.shape), 1.5)
    image = np.zeros(geometry.shape, np.float32)
    image[blob((0, 0, 0), (95, 75, 90))] = 80
    image[blob((-40, -10, 10), (45, 45, 50))] = 160
    image[blob((55, 20, 15), (22, 30, 28))] = 120
    image[blob((0, 45, 0), (18, 18, 80))] = 40
    return Volume((image + 60 * texture * (image > 0)).astype(np.float32), geometry)


def moved_by(transform: sitk.Transform, volume: Volume) -> Volume:
    """The image after its anatomy went by the transform."""
    return resample(volume, volume.geometry, "linear", transform.GetInverse())


def error_mm(found: sitk.Transform, true: sitk.Transform) -> float:
    corners = [(x, y, z) for x in (-60, 60) for y in (-50, 50) for z in (-40, 40)]
    return max(float(np.linalg.norm(np.subtract(found.TransformPoint(p), true.TransformPoint(p)))) for p in corners)


def test_identity_when_moving_is_fixed():
    image = abdomen()
    for model in ("translation", "rigid", "affine"):
        result = register(image, image, model)
        assert result.ok
        assert np.abs(matrix_of(result.transform) - np.eye(4)).max() < 0.02, model


@pytest.mark.parametrize("metric", ["mattes", "sobel"])
def test_known_shift_is_recovered_within_half_a_voxel(metric):
    image = abdomen()
    true = sitk.TranslationTransform(3, (7.0, -9.0, 21.0))
    result = register(image, moved_by(true, image), "translation", metric)
    assert result.ok
    assert error_mm(result.transform, true) <= 2.0


def test_known_rigid_motion_is_recovered_and_keeps_the_volume():
    image = abdomen()
    true = sitk.Euler3DTransform((0, 0, 0), 0.06, -0.05, 0.10, (6.0, -4.0, 12.0))
    result = register(image, moved_by(true, image), "rigid")
    assert result.ok
    assert error_mm(result.transform, true) <= 2.5
    rotation = matrix_of(result.transform)[:3, :3] @ np.linalg.inv(matrix_of(true)[:3, :3])
    assert np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))) <= 1.0
    liver = image.with_array((image.array > 130).astype(np.float32))
    carried = resample(liver, image.geometry, "linear", result.transform.GetInverse())
    assert carried.array.sum() == pytest.approx(liver.array.sum(), rel=0.02)


def test_known_affine_map_is_recovered_across_contrasts():
    image = abdomen()
    true = sitk.AffineTransform((1.06, 0.04, 0, -0.03, 0.95, 0.02, 0, 0.03, 1.05), (8.0, -6.0, 10.0))
    other = moved_by(true, image)
    inverted = other.with_array(np.where(other.array > 5, 250 - other.array, 0).astype(np.float32))
    alike, unlike = register(image, other, "affine"), register(image, inverted, "affine")
    assert alike.ok and unlike.ok
    assert error_mm(alike.transform, true) <= 2.0
    assert error_mm(unlike.transform, true) <= 5.0  # one voxel
    assert unlike.similarity > unlike.initial_similarity


def test_the_same_twice_and_with_more_threads():
    image = abdomen()
    other = moved_by(sitk.TranslationTransform(3, (5.0, 3.0, -9.0)), image)
    first, second = (register(image, other, "rigid", threads=threads) for threads in (1, 2))
    assert np.array_equal(matrix_of(first.transform), matrix_of(second.transform))


def test_images_far_apart_fail_in_words():
    image = abdomen()
    far = Volume(image.array, Geometry(GRID.size, GRID.spacing, (2000.0, 0.0, 0.0)))
    result = register(image, far, "rigid")
    assert not result.ok
    assert result.transform is None
    assert "overlap" in result.reason


def test_a_constant_image_and_an_empty_mask_fail_in_words():
    image = abdomen()
    flat = image.with_array(np.full_like(image.array, 7))
    assert "constant" in register(image, flat).reason
    empty = image.with_array(np.zeros(image.array.shape, np.uint8))
    assert "empty" in register(image, image, fixed_mask=empty).reason


def test_another_orientation_of_the_same_image_is_found_at_once():
    image = abdomen()
    from LiverSegSSLLib.volume import orient

    result = register(image, orient(image, "RAS"), "rigid")
    assert result.ok
    assert np.abs(matrix_of(result.transform) - np.eye(4)).max() < 0.05
