"""The pretrained weights that this program can use, as data (``Resources/models.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from LiverSegSSLLib.errors import WeightsError
from LiverSegSSLLib.resources import table
from LiverSegSSLLib.spelling import advice


@dataclass(frozen=True)
class Weights:
    """One entry of the catalogue.

    ``source``: direct address; ``None``: only through a browser, from ``page``. ``size_bytes`` and ``sha256`` are those
    of the published file; ``None``: recorded at the first download and checked from then on. ``loader``: ``sam2`` or
    ``stunet``; ``variant``: the network that the shapes in the file must bear out (see
    :func:`~LiverSegSSLLib.models.fingerprint.fingerprint`). ``without``: what runs when the file is absent.
    """

    name: str
    what: str
    file: str
    source: str | None
    page: str
    size_bytes: int | None
    sha256: str | None
    recorded: str
    licence: str
    licence_url: str
    loader: str
    variant: str
    without: str

    @property
    def size_text(self) -> str:
        """The size for people."""
        return megabytes(self.size_bytes) if self.size_bytes else "size not known"

    @property
    def checksum_text(self) -> str:
        """The checksum for people."""
        return self.sha256 or "recorded at first download"

    @property
    def by_hand(self) -> str:
        """How to get the file where this computer cannot download it."""
        return f"download {self.file} by hand from {self.page}, then `liversegssl models import FILE`"

    def ways(self) -> str:
        """How to get the file, in words; the one command first."""
        if self.source is None:
            return self.by_hand
        return f"`liversegssl models fetch {self.name}` ({self.size_text}); or {self.by_hand}"


def weights_catalogue() -> dict[str, Weights]:
    """Every entry by name, in the order of the file."""
    return {name: _entry(name, row) for name, row in table("models.yaml").items()}


def find(name: str, catalogue: Mapping[str, Weights] | None = None) -> Weights:
    """The entry of that name.

    :param catalogue: where to look; ``None``: what ships.
    :raises WeightsError: there is none (names the nearest).
    """
    known = weights_catalogue() if catalogue is None else catalogue
    if name not in known:
        raise WeightsError(f"there are no weights called {name}", None, advice(name, known))
    return known[name]


def megabytes(count: int) -> str:
    """A number of bytes for people: MB, or kB below one MB (SI)."""
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _entry(name: str, row: Mapping[str, Any]) -> Weights:
    fields = dict(row)
    return Weights(name=name, size_bytes=fields.pop("bytes"), **fields)
