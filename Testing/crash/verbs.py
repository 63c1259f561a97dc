"""The verbs that write, what each begins from, and the smallest cohort on which all of them have something to do."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.models import shelf
from LiverSegSSLLib.models.catalogue import weights_catalogue
from LiverSegSSLLib.volume import Geometry, Volume, read_mask, write_volume

if TYPE_CHECKING:
    import torch

STUDIES = ("1001-A-S1", "1002-A-S1", "1003-A-S1")
"""Of the cohort; the first two are labelled on GED4."""

PROPOSED = ("1001-A-S1__T2", "1002-A-S1__T2")
"""Cases for which the first round proposes."""

RECIPE = """
name: small
phases: [GED4, T2]
rounds: 2
stop_change: 0
propose:
  - {method: transfer, options: {model: translation, check: false, spacing_mm: 10}}
learn:
  preset: cpu
  folds: 2
  options:
    epochs: 2
    iterations_per_epoch: 2
    val_iterations: 1
    save_every: 1
    configuration:
      spacing: [8.0, 6.0, 6.0]
      patch_size: [16, 32, 32]
      features_per_stage: [4, 8, 8]
      kernel_sizes: [[1, 3, 3], [3, 3, 3], [3, 3, 3]]
      strides: [[1, 1, 1], [1, 2, 2], [2, 2, 2]]
      n_conv_per_stage: [1, 1, 1]
      n_conv_per_stage_decoder: [1, 1]
predict: {step_size: 1.0, mirroring: false, follow_edges: false}
"""


@dataclass(frozen=True)
class Place:
    """Where the campaign works. ``trial`` is what verbs write into and what is put back before each trial."""

    root: Path

    @property
    def data(self) -> Path:
        """The cohort: never written into."""
        return self.root / "data"

    @property
    def truth(self) -> Path:
        """Its true masks."""
        return self.root / "truth"

    @property
    def recipe(self) -> Path:
        """Of all verbs."""
        return self.root / "small.yaml"

    @property
    def weights(self) -> Path:
        """A file to import."""
        return self.root / "carried" / "tiny.pt"

    @property
    def mask(self) -> Path:
        """A correction of the first proposal."""
        return self.root / "carried" / "corrected.nii.gz"

    @property
    def trial(self) -> Path:
        """All that verbs write lies below."""
        return self.root / "trial"

    @property
    def workspace(self) -> Path:
        """The workspace."""
        return self.trial / "workspace"

    @property
    def shelf(self) -> Path:
        """The shelf of weights."""
        return self.trial / "shelf"

    @property
    def output(self) -> Path:
        """Where masks are exported to."""
        return self.trial / "output"

    def save(self, name: str) -> None:
        """Keep the trial as it is, as something to begin from."""
        self._copy(self.trial, self.root / "saved" / name)

    def restore(self, name: str) -> None:
        """Make the trial what was saved."""
        self._copy(self.root / "saved" / name, self.trial)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)


@dataclass(frozen=True)
class Verb:
    """A verb of the campaign.

    :param begins: what it begins from, see :data:`BEGINNINGS`.
    :param arguments: of the command line.
    :param share: of all kills.
    :param most: kills in a row before it is let finish.
    """

    name: str
    begins: str
    arguments: Callable[[Place], list[str]]
    share: float
    most: int = 2

    def run(self, place: Place) -> int:
        """The command; its exit code."""
        return main(self.arguments(place))


def _loop(verb: str, *more: str, truth: bool = False) -> Callable[[Place], list[str]]:
    def arguments(place: Place) -> list[str]:
        measured = ["--truth", str(place.truth)] if truth else []
        where = ["--recipe", str(place.recipe), "--workspace", str(place.workspace), "--device", "cpu"]
        return [verb, str(place.data), *where, *measured, *(part.format(place=place) for part in more)]

    return arguments


def _review(action: str, first: int, last: int, *more: str) -> Callable[[Place], list[str]]:
    return lambda place: [
        *("review", str(place.data), action, *PROPOSED[first:last]),
        *(part.format(place=place) for part in more),
        *("--workspace", str(place.workspace), "--reviewer", "dr"),
    ]


VERBS = {
    verb.name: verb
    for verb in (
        Verb("inspect", "empty", lambda at: ["inspect", str(at.data), "--workspace", str(at.workspace)], 0.06),
        Verb("propose", "empty", _loop("propose"), 0.10, most=4),
        Verb("score", "rejected", _loop("score"), 0.10),
        Verb("accept", "proposed", _review("accept", 0, 2), 0.11),
        Verb("reject", "proposed", _review("reject", 1, 2), 0.08),
        Verb("correct", "proposed", _review("correct", 0, 1, "--mask", "{place.mask}"), 0.11),
        Verb("train", "proposed", _loop("train"), 0.05, most=6),
        Verb("run", "empty", _loop("run", truth=True), 0.04, most=10),
        Verb("predict", "trained", _loop("predict"), 0.05, most=5),
        Verb("export", "predicted", _loop("predict", "--output", "{place.output}"), 0.05),
        Verb("evaluate", "proposed", _loop("evaluate", truth=True), 0.06, most=3),
        Verb("report", "measured", _loop("report", truth=True), 0.04, most=4),
        Verb("import", "empty", lambda at: ["models", "--folder", str(at.shelf), "import", str(at.weights)], 0.06),
        Verb("doctor", "lost", lambda at: ["doctor", "--workspace", str(at.workspace)], 0.09),
    )
}

BEFORE = {
    "rejected": ("proposed", "reject"),
    "proposed": ("empty", "propose"),
    "measured": ("proposed", "evaluate"),
    "trained": ("proposed", "train"),
    "predicted": ("trained", "predict"),
    "corrected": ("proposed", "correct"),
}
"""What verbs begin from, and how it comes about. (``lost`` is ``corrected`` without its ledger.)"""


def lose_ledger(workspace: Path) -> None:
    """Delete the ledger, with the files that SQLite keeps beside it."""
    for path in workspace.glob("ledger.sqlite*"):
        path.unlink()


def prepare(place: Place) -> None:
    """Write the cohort, and the files that are given to verbs."""
    import torch

    write_cohort(place)
    place.recipe.write_text(RECIPE, encoding="utf-8")
    place.mask.parent.mkdir()
    write_volume(read_mask(place.truth / f"{PROPOSED[0]}.nii.gz"), place.mask, np.uint8)
    torch.save(_weights(), place.weights)
    place.trial.mkdir()


def write_cohort(place: Place) -> None:
    """Bright ellipsoids in a body: three studies with GED4 and T2, two of them labelled on GED4."""
    draw = np.random.default_rng(1)
    grid = Geometry((40, 36, 18), (6.0, 6.0, 8.0), (-120.0, -100.0, 300.0))
    z, y, x = np.indices(grid.shape)
    body = ((z - 9) / 10) ** 2 + ((y - 18) / 17) ** 2 + ((x - 20) / 19) ** 2 < 1
    for number, study in enumerate(STUDIES):
        liver = ((z - 9) / 5) ** 2 + ((y - 16 - number) / 9) ** 2 + ((x - 14) / 8) ** 2 < 1
        folder = place.data / "Vendor_A" / study
        for phase, bright in (("GED4", 90), ("T2", -40)):
            array = 100.0 * body + bright * liver + draw.normal(0, 8, grid.shape)
            write_volume(Volume(array.astype(np.int16), grid), folder / f"{phase}.nii.gz")
            write_volume(Volume(liver.astype(np.uint8), grid), place.truth / f"{study}__{phase}.nii.gz")
        if number < 2:
            write_volume(Volume(liver.astype(np.uint8), grid), folder / "mask_GED4.nii.gz")


def one_entry_catalogue(place: Place) -> None:
    """From now on the catalogue of weights has one entry: the small file that is imported, with its checksum."""
    content = place.weights.read_bytes()
    entry = replace(
        next(iter(weights_catalogue().values())),
        file=place.weights.name,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        loader="sam2",
        variant="sam2.1-tiny",
    )
    vars(shelf)["weights_catalogue"] = lambda: {entry.name: entry}


def _weights() -> dict[str, dict[str, torch.Tensor]]:
    """Tensors by whose shapes SAM 2.1 tiny is known."""
    import torch

    tensors = {"image_encoder.trunk.patch_embed.proj.weight": torch.zeros(96, 3, 7, 7)}
    tensors |= {f"image_encoder.trunk.blocks.{block}.norm1.weight": torch.ones(96) for block in range(12)}
    return {"model": tensors | {"no_obj_embed_spatial": torch.zeros(1, 64)}}
