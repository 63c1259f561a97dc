"""Writing a phantom cohort: the CARE/LiQA layout in one folder, the truth in another."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import Executor, as_completed
from pathlib import Path

from LiverSegSSLLib.atomic import write_text
from LiverSegSSLLib.cohort.phantom.acquire import acquire, as_written
from LiverSegSSLLib.cohort.phantom.anatomy import draw_anatomy
from LiverSegSSLLib.cohort.phantom.protocols import PHASES, protocol
from LiverSegSSLLib.cohort.phantom.spec import PhantomSpec, StudyPlan, plan_studies
from LiverSegSSLLib.cohort.study import SEPARATOR, Phase
from LiverSegSSLLib.errors import CohortError
from LiverSegSSLLib.events import SILENT, Reporter
from LiverSegSSLLib.volume import write_volume

DATA_FOLDER = "LiQA_training_data"
"""Name of the data folder in the challenge's release."""

VERSION = 1
"""Raised when the same settings give other images than before."""

README = """A digital phantom, not patients
===============================

The images in this folder were computed by LiverSegSSL from formulas and a random seed. They are laid out like the
CARE/LiQA liver MRI data, and they are made for trying the program out, for its tests and for its benchmarks.

They are no clinical evidence. No figure that is measured on them says how well a method works on patients.
"""


def write_phantom_cohort(
    root: Path, truth: Path, spec: PhantomSpec, executor: Executor | None = None, report: Reporter = SILENT
) -> None:
    """Write a cohort of phantom studies.

    ``root`` gets ``LiQA_training_data/Vendor_<v>/<study>/<PHASE>.nii.gz`` (int16), ``mask_GED4.nii.gz`` (uint8, 0/1) in
    the labelled studies, ``info.csv`` and a README. ``truth`` gets ``<study>__<PHASE>.nii.gz`` for every image (liver
    0/1 on the image's grid), ``organs/`` and ``phantom.json``. The same specification gives the same bytes, whatever
    the executor. A study appears whole; studies that are there already are kept.

    :param executor: studies are written in parallel on it; ``None``: one after the other, here.
    :raises CohortError: ``truth`` lies inside ``root``, or holds the truth of another phantom.
    """
    root, truth = Path(root), Path(truth)
    _require_apart(root, truth)
    _claim(truth, spec)
    plans = plan_studies(spec)
    folder = root / DATA_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    write_text(root / "README.txt", README)
    if spec.info_csv:
        write_text(folder / "info.csv", _info_csv(plans))
    waiting = [plan for plan in plans if not _is_complete(folder, truth, plan, spec)]
    done = len(plans) - len(waiting)
    report.progress("phantom", done, len(plans))
    if executor is None:
        for plan in waiting:
            write_study(folder, truth, plan, spec)
            done += 1
            report.progress("phantom", done, len(plans), plan.key)
        return
    futures = {executor.submit(write_study, folder, truth, plan, spec): plan for plan in waiting}
    for future in as_completed(futures):
        future.result()
        done += 1
        report.progress("phantom", done, len(plans), futures[future].key)


def write_study(folder: Path, truth: Path, plan: StudyPlan, spec: PhantomSpec) -> None:
    """Write one study: the truth first, then the images in a hidden folder that is renamed when it is whole."""
    final, hidden = _study_folder(folder, plan), folder / f".writing-{plan.key}"
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    anatomy = draw_anatomy(plan.seed, plan.stage, spec.lesions)
    scanner = protocol(plan.vendor)
    for phase in plan.phases:
        taken = acquire(anatomy, phase, scanner, spec.scale, plan.seed)
        case = f"{plan.key}{SEPARATOR}{phase.value}.nii.gz"
        write_volume(taken.liver, truth / case)
        if spec.organ_maps:
            write_volume(taken.organs, truth / "organs" / case)
        write_volume(taken.image, hidden / file_name(phase))
        if phase is Phase.GED4 and plan.labelled:
            write_volume(as_written(taken.liver, taken.image), hidden / "mask_GED4.nii.gz")
    final.parent.mkdir(exist_ok=True)
    shutil.rmtree(final, ignore_errors=True)  # only there if its truth was missing
    hidden.replace(final)


def file_name(phase: Phase) -> str:
    """Name of a phase's file in the challenge's layout."""
    return "DWI_800.nii.gz" if phase is Phase.DWI else f"{phase.value}.nii.gz"


def _study_folder(folder: Path, plan: StudyPlan) -> Path:
    return folder / f"Vendor_{plan.vendor}" / plan.key


def _is_complete(folder: Path, truth: Path, plan: StudyPlan, spec: PhantomSpec) -> bool:
    places = (truth, truth / "organs") if spec.organ_maps else (truth,)
    names = [f"{plan.key}{SEPARATOR}{phase.value}.nii.gz" for phase in plan.phases]
    return _study_folder(folder, plan).is_dir() and all((place / name).is_file() for place in places for name in names)


def _require_apart(root: Path, truth: Path) -> None:
    if truth.resolve().is_relative_to(root.resolve()):
        raise CohortError("the truth must not lie inside the data", truth, "choose a folder beside the data")


def _claim(truth: Path, spec: PhantomSpec) -> None:
    """Note which phantom this is; refuse to mix two."""
    path = truth / "phantom.json"
    mine = json.dumps({"version": VERSION, **spec.as_dict()}, indent=2, sort_keys=True) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") != mine:
        raise CohortError("another phantom was written here", truth, "choose empty folders, or delete the old phantom")
    truth.mkdir(parents=True, exist_ok=True)
    write_text(path, mine)


def _info_csv(plans: tuple[StudyPlan, ...]) -> str:
    rows = ["Case,Vendor,Missing Modality"]
    for plan in plans:
        missing = [file_name(p).removesuffix(".nii.gz") for p in PHASES if p not in plan.phases]
        rows.append(f"{plan.key},{plan.vendor},{' '.join(missing) or 'None'}")
    return "\n".join(rows) + "\n"


def is_phantom(folder: Path) -> bool:
    """Whether a cohort folder, or the one it lies in, was written by :func:`write_phantom_cohort`."""
    notes = (place / "README.txt" for place in (folder, folder.parent))
    return any(note.is_file() and note.read_text(encoding="utf-8", errors="replace") == README for note in notes)
