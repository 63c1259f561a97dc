"""A small abdomen and what may happen to it."""

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LiverSegSSLLib.volume import Geometry, Volume, resample

GRID = Geometry((44, 36, 24), (5.0, 5.0, 6.0), (-108.0, -88.0, -69.0))


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
