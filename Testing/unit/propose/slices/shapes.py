"""Volumes and shapes whose slices have closed forms."""

import numpy as np

from LiverSegSSLLib.volume import Geometry, Volume


def blank(shape=(24, 64, 60), spacing_xyz=(1.0, 1.0, 1.0)):
    """An image without content: only its grid matters without a network."""
    return Volume(np.zeros(shape, np.float32), Geometry(shape[::-1], spacing_xyz))


def disc(radius, centre=(32, 30), shape=(64, 60), spacing=(1.0, 1.0)):
    """Pixels within ``radius`` mm of ``centre`` (pixels)."""
    return distance_from(centre, shape, spacing) <= radius


def distance_from(centre=(32, 30), shape=(64, 60), spacing=(1.0, 1.0)):
    rows, columns = np.indices(shape)
    return np.hypot((rows - centre[0]) * spacing[0], (columns - centre[1]) * spacing[1])


def assert_disc(mask, radius, tolerance=1.0, **where):
    """The mask is that disc, its outline right within ``tolerance`` mm."""
    distance = distance_from(shape=mask.shape, **where)
    assert mask[distance < radius - tolerance].all(), "too small"
    assert not mask[distance > radius + tolerance].any(), "too large"


def stack(radii, **where):
    """Concentric discs, one a slice; radius 0 or less: nothing."""
    return np.stack([disc(radius, **where) if radius > 0 else np.zeros((64, 60), bool) for radius in radii])
