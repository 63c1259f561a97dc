"""Features of slices: encoded once ever, kept in memory and on disk within a bound."""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from LiverSegSSLLib.atomic import write_bytes
from LiverSegSSLLib.checkpoint import load_checkpoint
from LiverSegSSLLib.errors import BadInputError

Entry = Mapping[str, torch.Tensor]
"""What is kept under a key: named tensors."""

SUFFIX = ".features"
"""Of the files of a store."""


class Pixels(Protocol):
    """A volume that gives the slices asked for, so that not all need be held at the network's size."""

    def __len__(self) -> int:
        """Number of slices."""
        ...

    def pixels(self, size: int, slices: Sequence[int] | None = None) -> NDArray[np.float32]:
        """float32 (n, 3, size, size), ImageNet's mean and deviation taken out."""
        ...


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices that are already at the network's size: float32 (slices, 3, S, S)."""

    images: torch.Tensor

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.images)

    def pixels(self, size: int, slices: Sequence[int] | None = None) -> NDArray[np.float32]:
        """The slices asked for.

        :raises BadInputError: they have another size.
        """
        if tuple(self.images.shape[1:]) != (3, size, size):
            raise BadInputError(f"slices must be (3, {size}, {size}), not {tuple(self.images.shape[1:])}")
        chosen = self.images if slices is None else self.images[list(slices)]
        return chosen.float().cpu().numpy()


@dataclass(frozen=True, eq=False)
class SliceFeatures:
    """What the image encoder says of slices: (slices, channels, height, width) of each level, finest first.

    The last level is what memory attention looks at, those before go to the mask decoder.
    """

    levels: tuple[torch.Tensor, ...]

    def __len__(self) -> int:
        """Number of slices."""
        return len(self.levels[-1])

    def take(self, slices: Sequence[int] | torch.Tensor, device: Any) -> list[torch.Tensor]:
        """The levels of the slices asked for, on a device."""
        wanted = torch.as_tensor(slices, device=self.levels[-1].device)
        return [level.index_select(0, wanted).to(device) for level in self.levels]

    def to(self, device: Any) -> SliceFeatures:
        """On a device."""
        return SliceFeatures(tuple(level.to(device) for level in self.levels))

    @property
    def bytes(self) -> int:
        """Memory they take."""
        return sum(level.numel() * level.element_size() for level in self.levels)


@dataclass
class FeatureStore:
    """Named tensors by key, least recently used removed first.

    :param memory_mb: at most so much in memory.
    :param folder: also on disk, in one file per key that appears whole or not at all; ``None``: not.
    :param disk_mb: at most so much in the folder.
    """

    memory_mb: float = 1024.0
    folder: Path | None = None
    disk_mb: float = 8192.0
    _kept: OrderedDict[str, Entry] = field(default_factory=OrderedDict, repr=False)
    _bytes: int = field(default=0, repr=False)
    _written: float = field(default=math.inf, repr=False)

    def get(self, key: str) -> Entry | None:
        """What is kept under a key. A damaged file is removed and counts as absent."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if self.folder is None or not (path := self._path(key)).is_file():
            return None
        try:
            entry = load_checkpoint(path)
        except BadInputError:
            entry = {}
        if not entry or not all(isinstance(tensor, torch.Tensor) for tensor in entry.values()):
            path.unlink(missing_ok=True)
            return None
        os.utime(path)  # The time of a file says when it was last of use.
        self._keep(key, entry)
        return entry

    def put(self, key: str, entry: Entry) -> None:
        """Keep tensors, moved to the CPU, unless they alone are over the bound."""
        entry = {name: tensor.detach().cpu().clone() for name, tensor in entry.items()}
        self._keep(key, entry)
        if self.folder is None or _size(entry) > self.disk_mb * 2**20:
            return
        content = io.BytesIO()
        torch.save(entry, content)
        write_bytes(self._path(key), content.getvalue())
        self._written += len(content.getbuffer())
        # Looking at every file for every slice would take longer than writing it.
        if self._written > self._slack:
            self._trim_folder()

    def __len__(self) -> int:
        """How many keys are in memory."""
        return len(self._kept)

    def _keep(self, key: str, entry: Entry) -> None:
        if key in self._kept:
            self._bytes -= _size(self._kept.pop(key))
        self._kept[key] = entry
        self._bytes += _size(entry)
        while self._kept and self._bytes > self.memory_mb * 2**20:
            self._bytes -= _size(self._kept.popitem(last=False)[1])

    def _path(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / key[:2] / f"{key}{SUFFIX}"

    @property
    def _slack(self) -> float:
        """Bytes that may be written before the folder is looked at again."""
        return self.disk_mb * 2**20 / 16

    def _trim_folder(self) -> None:
        """Remove the files used longest ago, so that there is room for as much as may be written until next time."""
        assert self.folder is not None
        files = []
        for path in self.folder.glob(f"*/*{SUFFIX}"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process removed it
                continue
            files.append((status.st_mtime, status.st_size, path))
        total, self._written = sum(size for _, size, _ in files), 0.0
        for _, size, path in sorted(files):
            if total <= self.disk_mb * 2**20 - self._slack:
                return
            path.unlink(missing_ok=True)
            total -= size


def checksum(parts: Iterable[Any]) -> str:
    """SHA-256 of texts, bytes, arrays and tensors, one after another, with their shapes and kinds."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, torch.Tensor):
            part = part.detach().cpu().contiguous()
            digest.update(f"{tuple(part.shape)}{part.dtype}".encode())
            digest.update(part.flatten().view(torch.uint8).numpy().data if part.numel() else b"")
        elif isinstance(part, np.ndarray):
            digest.update(f"{part.shape}{part.dtype}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


Keys = list[str | None]
"""For every slice of a volume the key of its features, as far as it has been worked out."""


def encode(
    images: Pixels,
    run: Callable[[torch.Tensor], Sequence[torch.Tensor]],
    store: FeatureStore,
    *,
    size: int,
    batch: int,
    identity: str,
    keys: Keys | None = None,
) -> SliceFeatures:
    """Features of a volume, on the CPU; only slices that the store has not are run.

    :param run: float32 (n, 3, size, size) → levels, finest first.
    :param size: pixels a side.
    :param batch: slices at a time.
    :param identity: names the weights and the precision; part of every key.
    :param keys: of this volume; those not known yet are filled in. Slices whose key is known and whose features the
        store has are not even resized.
    """
    keys = [None] * len(images) if keys is None else keys
    rows: list[Entry | None] = [None] * len(images)
    for start in range(0, len(images), batch):
        chosen = range(start, min(start + batch, len(images)))
        for index in chosen:
            rows[index] = _kept(store, keys[index])
        looked_at = [index for index in chosen if rows[index] is None]
        if not looked_at:
            continue
        pixels = images.pixels(size, looked_at)
        for index, plane in zip(looked_at, pixels, strict=True):
            if keys[index] is None:
                keys[index] = _key(identity, plane)
                rows[index] = _kept(store, keys[index])
        missing = [place for place, index in enumerate(looked_at) if rows[index] is None]
        if not missing:
            continue
        levels = run(torch.from_numpy(pixels[missing]))
        for number, place in enumerate(missing):
            index = looked_at[place]
            entry = {str(level): values[number].cpu() for level, values in enumerate(levels)}
            store.put(str(keys[index]), entry)
            rows[index] = entry
    found = [row for row in rows if row is not None]
    return SliceFeatures(tuple(torch.stack([row[name] for row in found]) for name in sorted(found[0])))


def fill_keys(images: Pixels, keys: Keys, *, size: int, identity: str) -> list[str]:
    """The keys of all slices, one slice at a time; what is known is not worked out again."""
    for index, key in enumerate(keys):
        if key is None:
            keys[index] = _key(identity, images.pixels(size, [index])[0])
    return [str(key) for key in keys]


def _key(identity: str, plane: NDArray[np.float32]) -> str:
    return checksum([identity, plane])


def _kept(store: FeatureStore, key: str | None) -> Entry | None:
    return None if key is None else store.get(key)


def _size(entry: Entry) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in entry.values())
