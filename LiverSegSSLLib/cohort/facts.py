"""What the files of a cohort say of themselves: grids, and the values in masks; read once and remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.atomic import write_text
from LiverSegSSLLib.errors import ImageError, require_answering
from LiverSegSSLLib.events import SILENT, Reporter
from LiverSegSSLLib.volume import Geometry, read_header, read_volume, require_whole

_VERSION = 2
"""Of the cache file; another version is read anew."""

_EACH = 20
"""Files between two words about the progress."""

MOST_VALUES = 256
"""A mask with more different values than this is no label map."""


@dataclass(frozen=True)
class Facts:
    """The grid of an image file, or the ``error`` and ``remedy`` that say why it cannot be used.

    ``counts`` holds, for masks whose voxels were looked at, the number of voxels of each value above 0. ``note``: what
    the user should know of a file that can be used.
    """

    geometry: Geometry | None
    error: str = ""
    remedy: str = ""
    counts: tuple[tuple[int, int], ...] | None = None
    note: str = ""


@dataclass(frozen=True)
class _Entry:
    size: int
    mtime_ns: int
    voxels: bool
    facts: Facts


class FactsReader:
    """Reads facts, many files at once, and remembers them by path, size and time of change.

    :param root: paths below it are remembered relative to it, so that a moved cohort keeps its cache.
    """

    def __init__(self, root: Path, known: dict[str, _Entry] | None = None) -> None:
        self._root = root
        self._known = dict(known or {})
        self.opened = 0
        """How many files were opened because nothing was known of them."""

    def facts(
        self, paths: Iterable[Path], *, voxels: bool = False, threads: int = 8, report: Reporter = SILENT
    ) -> dict[Path, Facts]:
        """The facts of every file. With ``voxels`` they are masks, whose values are counted."""
        wanted = list(dict.fromkeys(paths))
        stage = "reading masks" if voxels else "reading headers"
        found: dict[Path, Facts] = {}
        with ThreadPoolExecutor(max_workers=max(threads, 1)) as pool:
            for path, facts in zip(wanted, pool.map(lambda path: self._one(path, voxels), wanted), strict=True):
                found[path] = facts
                if len(found) % _EACH == 0 or len(found) == len(wanted):
                    report.progress(stage, len(found), len(wanted), path.name)
        return found

    def remembered(self) -> dict[str, _Entry]:
        """All that is known."""
        return self._known

    def _one(self, path: Path, voxels: bool) -> Facts:
        try:
            status = path.stat()
        except (OSError, ValueError) as error:  # a name may hold what none can: a null byte
            require_answering(error, path)
            return Facts(None, "there is no such file", "check the link or the path")
        key = path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path)
        known = self._known.get(key)
        same = known is not None and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns)
        if known is not None and same and known.voxels >= voxels:
            return known.facts
        facts = _read_mask_facts(path) if voxels else _read_facts(path)
        self.opened += 1
        self._known[key] = _Entry(status.st_size, status.st_mtime_ns, voxels, facts)
        return facts


@contextmanager
def facts_reader(root: Path, cache: Path | None) -> Iterator[FactsReader]:
    """A reader that starts from a cache file and leaves there what it learned.

    A cache that is damaged, of another version or not writable only costs time.
    """
    reader = FactsReader(root, None if cache is None else _load(cache))
    yield reader
    if cache is not None and reader.opened:
        _save(cache, reader.remembered())


def _read_facts(path: Path) -> Facts:
    try:
        header = read_header(path)
        require_whole(path, header)
    except ImageError as error:
        return Facts(None, error.what, error.remedy)
    return Facts(header.geometry, note=header.note)


def _read_mask_facts(path: Path) -> Facts:
    try:
        volume = read_volume(path)
    except ImageError as error:
        return Facts(None, error.what, error.remedy)
    values, counts = _count(volume.array)
    if len(values) > MOST_VALUES or not np.array_equal(values, np.rint(values)):
        what = f"is not a mask: it holds {len(values)} different values"
        return Facts(volume.geometry, what, "export it as a label map")
    pairs = tuple((int(value), int(count)) for value, count in zip(values, counts, strict=True) if value > 0)
    return Facts(volume.geometry, counts=pairs)


def _count(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if array.dtype == np.uint8:  # the usual case, many times faster than sorting
        counts = np.bincount(array.ravel(), minlength=256)
        return np.flatnonzero(counts), counts[counts > 0]
    return np.unique(array, return_counts=True)


# --- the cache file ---------------------------------------------------------------------------------------------


def _to_plain(facts: Facts) -> list[Any]:
    grid = facts.geometry
    plain = None if grid is None else [grid.size, grid.spacing, grid.origin, grid.direction]
    return [plain, facts.error, facts.remedy, facts.counts, facts.note]


def _from_plain(plain: list[Any]) -> Facts:
    grid, error, remedy, counts, note = plain
    geometry = None if grid is None else Geometry(*(tuple(part) for part in grid))
    pairs = None if counts is None else tuple((value, count) for value, count in counts)
    return Facts(geometry, error, remedy, pairs, note)


def _load(cache: Path) -> dict[str, _Entry]:
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            return {}
        return {
            str(key): _Entry(int(size), int(mtime_ns), bool(voxels), _from_plain(facts))
            for key, (size, mtime_ns, voxels, facts) in content["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _save(cache: Path, known: dict[str, _Entry]) -> None:
    files = {
        key: [entry.size, entry.mtime_ns, entry.voxels, _to_plain(entry.facts)] for key, entry in sorted(known.items())
    }
    with suppress(OSError):  # a cache that cannot be written only costs time
        write_text(cache, json.dumps({"version": _VERSION, "files": files}))
