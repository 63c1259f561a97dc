"""A small sound cohort into which something bad is put, and what must not change by it."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from Testing.bad_input.writers import body_and_liver, nifti, nrrd, packed

CASES = frozenset({"P1__GED4", "P1__T1", "P2__GED4", "P2__T1"})
"""Of the sound cohort; both studies are labelled on GED4."""

OTHERS = CASES - {"P1__T1"}
"""What goes on when the T1 image of the first study is bad."""


@dataclass(frozen=True)
class Place:
    """Where an entry of the corpus is tried."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def workspace(self) -> Path:
        return self.root / "data-liversegssl"

    @property
    def ledger(self) -> Path:
        return self.workspace / "ledger.sqlite"

    @property
    def image(self) -> Path:
        """The image that is replaced by something bad."""
        return self.data / "P1" / "T1.nii.gz"

    @property
    def mask(self) -> Path:
        """The mask that is replaced by something bad."""
        return self.data / "P1" / "mask_GED4.nii.gz"

    def file(self, name: str, content: bytes | str) -> Path:
        """A further file beside the cohort."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def study(self, name: str, of: str = "P2") -> Path:
        """A further study: a copy of another under a name of its own."""
        shutil.copytree(self.data / of, self.data / name)
        return self.data / name

    def sources(self) -> dict[str, bytes]:
        """Every file that is the user's, by path, with its bytes."""
        files = (path for path in self.root.rglob("*") if path.is_file() and self.workspace not in path.parents)
        return {str(path): path.read_bytes() for path in files}

    def labels(self) -> dict[str, tuple[object, ...]]:
        """Every label in the ledger, by id, with its state and the bytes of its file; none without a ledger."""
        if not self.ledger.is_file() or not self.ledger.stat().st_size:
            return {}
        try:
            with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True) as ledger:
                rows = ledger.execute("SELECT id, state, sha256, path FROM labels").fetchall()
        except sqlite3.DatabaseError:  # the entry has damaged it
            return {"damaged": (self.ledger.read_bytes(),)}
        return {row[0]: (*row[1:], (self.workspace / row[3]).read_bytes()) for row in rows}


def write_sound_cohort(data: Path) -> None:
    """Two studies of GED4 and T1, labelled on GED4, in three formats."""
    image, liver = body_and_liver()
    other, _ = body_and_liver(1.0)
    for study in ("P1", "P2"):
        folder = data / study
        folder.mkdir(parents=True)
        (folder / "GED4.nii.gz").write_bytes(packed(nifti(image)))
        (folder / "mask_GED4.nii.gz").write_bytes(packed(nifti(liver)))
    (data / "P1" / "T1.nii.gz").write_bytes(packed(nifti(other)))
    (data / "P2" / "T1.nrrd").write_bytes(nrrd(other, "gzip"))
