"""Registration finds what was done to the image; what cannot be registered says so."""

import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegSSLLib.align.linear import matrix_of
from LiverSegSSLLib.align.register import register
from LiverSegSSLLib.volume import Geometry, Volume, orient, resample
from Testing.unit.align.scenes import GRID, abdomen, moved_by


def error_mm(found: sitk.Transform, true: sitk.Transform) -> float:
    corners = [(x, y, z) for x in (-60, 60) for y in (-50, 50) for z in (-40, 40)]
    return max(float(np.linalg.norm(np.subtract(found.TransformPoint(p), true.TransformPoint(p)))) for p in corners)


def test_identity_when_moving_is_fixed():
    image = abdomen()
    result = register(image, image, "rigid")
    assert result.ok
    assert np.abs(matrix_of(result.transform) - np.eye(4)).max() < 1e-3


@pytest.mark.parametrize("metric", ["mattes", "sobel"])
def test_known_shift_is_recovered_within_half_a_voxel(metric):
    image = abdomen()
    true = sitk.TranslationTransform(3, (7.0, -9.0, 21.0))
    result = register(image, moved_by(true, image), "translation", metric)
    assert result.ok
    assert error_mm(result.transform, true) <= 2.5  # half a voxel


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
    true = sitk.AffineTransform((1.05, 0.03, 0, -0.03, 0.96, 0.02, 0, 0.03, 1.04), (8.0, -6.0, 10.0))
    other = moved_by(true, image)
    inverted = other.with_array(np.where(other.array > 5, 250 - other.array, 0).astype(np.float32))
    unlike = register(image, inverted, "affine", init=sitk.TranslationTransform(3, (8.0, -6.0, 10.0)))
    assert unlike.ok
    assert error_mm(unlike.transform, true) <= 6.0  # one voxel
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
    result = register(image, orient(image, "RAS"), "rigid")
    assert result.ok
    assert np.abs(matrix_of(result.transform) - np.eye(4)).max() < 0.05
