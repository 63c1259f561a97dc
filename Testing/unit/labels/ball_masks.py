"""Small masks for the label tests."""

import numpy as np

from LiverSegSSLLib.volume import Geometry, Volume

GRID = Geometry((12, 10, 8), (1.5, 1.5, 4.0), (-10.0, 20.0, 5.0))


def ball(radius: float = 3.0, geometry: Geometry = GRID) -> Volume:
    """A 0/1 mask with a ball of so many voxels' radius."""
    z, y, x = np.indices(geometry.shape)
    inside = (x - 6) ** 2 + (y - 5) ** 2 + (z - 4) ** 2 <= radius**2
    return Volume(inside.astype(np.uint8), geometry)


def soft(geometry: Geometry = GRID) -> Volume:
    """A probability map that falls off from the ball's centre."""
    z, y, x = np.indices(geometry.shape)
    distance = np.sqrt((x - 6) ** 2 + (y - 5) ** 2 + (z - 4) ** 2)
    return Volume((1 / (1 + np.exp(distance - 3))).astype(np.float32), geometry)
