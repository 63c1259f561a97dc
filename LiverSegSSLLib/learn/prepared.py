"""Prepared cases on disk: plain numbers, in a format that has no place for code.

nnU-Net keeps where the liver lies in a pickle, which runs whatever it holds when it is read. A workspace may lie on a
share: whoever can write there would run programs as whoever trains. The images themselves it keeps in blosc2 files,
which may name other files, addresses and expressions to be worked out. Here all are NumPy files, as nnU-Net's own
older format, and read without pickles.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetBaseDataset

from LiverSegSSLLib.atomic import writing
from LiverSegSSLLib.errors import TrainingError
from LiverSegSSLLib.learn.preprocess import IMAGE, LABEL, PLACES

Places = Mapping[int | tuple[int, ...], Any]
"""For a label, or several together, some of its voxels: (n, 4), channel first. nnU-Net centres patches on them."""


class PreparedDataset(nnUNetBaseDataset):
    """What nnU-Net's loaders draw patches from."""

    def load_case(self, identifier: str) -> tuple[np.ndarray, np.ndarray, None, dict[str, Places]]:
        """Image (1, z, y, x), label (1, z, y, x), nothing, and the places of the label.

        :raises TrainingError: a file is missing, or holds something else than numbers.
        """
        stem = Path(self.source_folder) / identifier
        try:
            # Mapped: a patch reads no more than itself. Copied on writing: transforms change what they are given.
            image, label = (np.lib.format.open_memmap(f"{stem}{suffix}", mode="c") for suffix in (IMAGE, LABEL))
            with np.load(f"{stem}{PLACES}", allow_pickle=False) as places:
                found = {_label(name): places[name] for name in places.files}
            if image.ndim != 4 or image.shape != label.shape:
                raise ValueError(f"an image of {image.shape} with a label of {label.shape}")
        except (OSError, ValueError, EOFError, TypeError, AttributeError, SyntaxError, BadZipFile) as error:
            reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
            raise TrainingError(f"a prepared case cannot be read ({reason})", stem, "delete its folder") from None
        return image, label, None, {"class_locations": found}

    @staticmethod
    def save_case(
        data: np.ndarray, seg: np.ndarray, properties: dict[str, Any], output_filename_truncated: str
    ) -> None:
        """Write a case; of its properties, what the loaders use. Labels are −1 to 2 here: a byte holds them."""
        stem, places = output_filename_truncated, properties["class_locations"]
        with writing(Path(f"{stem}{IMAGE}"), IMAGE) as temporary:
            np.save(temporary, data, allow_pickle=False)
        with writing(Path(f"{stem}{LABEL}"), LABEL) as temporary:
            np.save(temporary, seg.astype(np.int8), allow_pickle=False)
        with writing(Path(f"{stem}{PLACES}"), PLACES) as temporary:
            arrays: dict[str, Any] = {_name(key): _voxels(found) for key, found in places.items()}
            np.savez(temporary, **arrays)

    @staticmethod
    def get_identifiers(folder: str) -> list[str]:
        """Ids of the cases in a folder."""
        return [path.name.removesuffix(PLACES) for path in Path(folder).glob(f"[!.]*{PLACES}")]


def _name(key: int | tuple[int, ...]) -> str:
    """``1``, or ``(-1,0,1)`` for several labels together."""
    return f"({','.join(map(str, key))})" if isinstance(key, tuple) else str(key)


def _label(name: str) -> int | tuple[int, ...]:
    return tuple(map(int, name[1:-1].split(","))) if name.startswith("(") else int(name)


def _voxels(found: Any) -> np.ndarray:
    return np.asarray(found, dtype=np.int32).reshape(-1, 4)
