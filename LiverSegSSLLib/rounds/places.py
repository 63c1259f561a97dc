"""Where a workspace keeps what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SUFFIX = "-liversegssl"


def default_workspace(data: Path) -> Path:
    """The folder beside the data (a folder or a manifest) that all is written into."""
    data = data.absolute()
    stem = data.name if data.is_dir() else data.stem
    return data.parent / f"{stem}{SUFFIX}"


def job_folder(workspace: Path, verb: str) -> Path:
    """A new folder for a job's events and log."""
    base = workspace / "jobs" / f"{datetime.now():%Y%m%d-%H%M%S}-{verb}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


@dataclass(frozen=True)
class Places:
    """Paths inside a workspace, and those of one run in it."""

    workspace: Path
    run: str

    @property
    def index(self) -> Path:
        """Cache of the cohort's headers."""
        return self.workspace / "cache" / "index.json"

    @property
    def features(self) -> Path:
        """What networks have made of slices, kept for later runs; may be deleted."""
        return self.workspace / "cache" / "features"

    @property
    def run_folder(self) -> Path:
        """All of one run but its labels."""
        return self.workspace / "runs" / self.run

    @property
    def state(self) -> Path:
        """Which stages are done."""
        return self.run_folder / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the process that runs this run."""
        return self.run_folder / "run.lock"

    @property
    def manifest(self) -> Path:
        """What came out: every case's labels and checksums; the same for the same inputs, recipe and seed."""
        return self.run_folder / "manifest.json"

    @property
    def predictions(self) -> Path:
        """Final masks, ``<study>/<phase>.nii.gz``."""
        return self.run_folder / "predictions"

    @property
    def metrics(self) -> Path:
        """Every measured mask, one row each."""
        return self.run_folder / "metrics.csv"

    @property
    def report(self) -> Path:
        """The report."""
        return self.run_folder / "report.html"

    @property
    def picture(self) -> Path:
        """Some cases side by side, for a slide or a README."""
        return self.run_folder / "overview.png"

    @property
    def training(self) -> Path:
        """What nnU-Net writes."""
        return self.workspace / "nnunet" / self.run
