"""Small cohorts on disk."""

from pathlib import Path

import numpy as np
import pytest
from small_grid import SMALL, Put

from LiverSegSSLLib.volume import Geometry, Volume, write_volume


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes an image or a mask below ``tmp_path / "data"``; returns that folder."""

    def write(name: str, value: int = 1, geometry: Geometry = SMALL, singleton: bool = False) -> Path:
        array = np.zeros(geometry.shape, np.uint8)
        array[1:3, 1:3, 1:3] = value
        write_volume(Volume(array, geometry, singleton), tmp_path / "data" / name)
        return tmp_path / "data"

    (tmp_path / "data").mkdir()
    return write
