"""The grid of the small images, and the type of the fixture that writes them."""

from collections.abc import Callable
from pathlib import Path

from LiverSegSSLLib.volume import Geometry

SMALL = Geometry((6, 5, 4), (1.5, 1.5, 3.0))

Put = Callable[..., Path]
