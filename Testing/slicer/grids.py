"""Random grids: oblique, anisotropic, left- and right-handed, thin and far away."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from LiverSegSSLLib.volume import Geometry

DTYPES = ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", ">i2", ">f4")


@st.composite
def geometries(draw: st.DrawFn, most: int = 7) -> Geometry:
    """Any grid that an image file may have, up to ``most`` voxels along each axis."""
    size = draw(st.tuples(*[st.integers(1, most)] * 3))
    spacing = draw(st.tuples(*[st.floats(0.05, 12.0)] * 3))
    origin = draw(st.tuples(*[st.floats(-2000.0, 2000.0)] * 3))
    turned, _ = np.linalg.qr(np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(3, 3)))
    direction = draw(st.sampled_from([np.eye(3), np.diag([-1.0, -1.0, 1.0]), np.eye(3)[[2, 0, 1]], turned]))
    return Geometry(size, spacing, origin, tuple(float(value) for value in np.asarray(direction).ravel()))


def same_bits(one: Geometry, other: Geometry) -> bool:
    """Whether two grids are the same in every bit that MRML keeps: it takes no change of a number below 2.2e-16."""
    mine, theirs = (np.concatenate([grid.spacing, grid.origin, grid.direction]) for grid in (one, other))
    return one.size == other.size and bool(np.abs(mine - theirs).max() <= np.finfo(float).eps)
