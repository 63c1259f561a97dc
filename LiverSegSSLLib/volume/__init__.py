"""Volume: a 3-D scalar image with its place in the patient; reading, writing, resampling, orientation.

Arrays are indexed ``[z, y, x]``; geometry tuples are ``(x, y, z)`` as in SimpleITK; the world is LPS in mm.
"""

from LiverSegSSLLib.volume.grid import GRID_TOLERANCE_MM, Geometry, Volume, from_sitk, require_same_grid, to_sitk
from LiverSegSSLLib.volume.names import IMAGE_SUFFIXES, image_stem, is_image_name
from LiverSegSSLLib.volume.read import (
    Header,
    read_geometry,
    read_header,
    read_mask,
    read_volume,
    require_whole,
)
from LiverSegSSLLib.volume.resample import Interpolation, axes_of, orient, resample, resize_nearest, with_spacing
from LiverSegSSLLib.volume.write import write_volume

__all__ = [
    "GRID_TOLERANCE_MM",
    "IMAGE_SUFFIXES",
    "Geometry",
    "Header",
    "Interpolation",
    "Volume",
    "axes_of",
    "from_sitk",
    "image_stem",
    "is_image_name",
    "orient",
    "read_geometry",
    "read_header",
    "read_mask",
    "read_volume",
    "require_same_grid",
    "require_whole",
    "resample",
    "resize_nearest",
    "to_sitk",
    "with_spacing",
    "write_volume",
]
