"""Preprocessing, one case at a time: what has not changed since the last round is not done again.

Images are read by this library (any format, 4-D with one frame, any orientation); cropping, normalisation,
resampling and storage are nnU-Net's.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.checksum import sha256_of
from LiverSegSSLLib.errors import ImageError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.learn.cases import TrainingCase, read_label
from LiverSegSSLLib.learn.dataset import ORIENTATION
from LiverSegSSLLib.learn.plans import CONFIGURATION
from LiverSegSSLLib.volume import Volume, orient, read_volume

_VERSION = 2  # raised when what is written for the same input changes
_FOREGROUND_SAMPLES = 10_000

IMAGE, LABEL, PLACES = ".npy", "_seg.npy", ".npz"
"""Ends of the names of a prepared case's files (see :mod:`~LiverSegSSLLib.learn.prepared`)."""

SUFFIXES = (IMAGE, LABEL, PLACES)


@dataclass(frozen=True)
class CaseFingerprint:
    """What planning needs to know of one case; arrays (z, y, x) in the common orientation."""

    spacing: tuple[float, ...]
    shape: tuple[int, ...]
    relative_size: float
    foreground: tuple[float, ...]


def nnunet_arrays(image: Volume) -> tuple[np.ndarray, dict[str, Any]]:
    """What nnU-Net's reader would return for this image: array (1, z, y, x), float32, and its properties.

    :raises ImageError: voxels that are not finite.
    """
    turned = orient(image, ORIENTATION)
    array = turned.array.astype(np.float32)[None]
    if not np.isfinite(array).all():
        raise ImageError("has voxels that are not numbers", None, "export the image again")
    return array, {"spacing": list(turned.geometry.spacing_zyx)}


def read_case(case: TrainingCase) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Image and label of a case as nnU-Net wants them, and the properties."""
    image = read_volume(case.image)
    label = read_label(case, image.geometry)
    data, properties = nnunet_arrays(image)
    return data, orient(label, ORIENTATION).array[None], properties


def fingerprint_case(case: TrainingCase) -> CaseFingerprint:
    """nnU-Net's fingerprint of one case."""
    from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero

    data, seg, properties = read_case(case)
    cropped, cropped_seg, _ = crop_to_nonzero(data, seg)
    foreground = cropped[0][cropped_seg[0] == 1]
    picked = np.random.default_rng(1234).choice(foreground, _FOREGROUND_SAMPLES) if foreground.size else foreground
    return CaseFingerprint(
        tuple(float(value) for value in properties["spacing"]),
        tuple(int(side) for side in cropped.shape[1:]),
        float(np.prod(cropped.shape[1:]) / np.prod(data.shape[1:])),
        tuple(float(value) for value in picked),
    )


def dataset_fingerprint(cases: Sequence[CaseFingerprint]) -> dict[str, Any]:
    """nnU-Net's ``dataset_fingerprint.json``."""
    foreground = np.concatenate([np.asarray(case.foreground) for case in cases])
    low, median, high = np.percentile(foreground, (0.5, 50.0, 99.5))
    return {
        "spacings": [list(case.spacing) for case in cases],
        "shapes_after_crop": [list(case.shape) for case in cases],
        "foreground_intensity_properties_per_channel": {
            "0": {
                "mean": float(foreground.mean()),
                "median": float(median),
                "std": float(foreground.std()),
                "min": float(foreground.min()),
                "max": float(foreground.max()),
                "percentile_99_5": float(high),
                "percentile_00_5": float(low),
            }
        },
        "median_relative_size_after_cropping": float(np.median([case.relative_size for case in cases])),
    }


def image_key(path: Path) -> str:
    """Cheap identity of a source image (they are read-only): its size and its first 64 KiB.

    It stays the same when the data are copied elsewhere, and thousands of images are not read for it.
    """
    with path.open("rb") as file:
        head = file.read(65536)
    return f"{path.stat().st_size} {hashlib.sha256(head).hexdigest()}"


def label_key(case: TrainingCase) -> list[Any]:
    """Changes when the label does, or what counts in it as liver, or which of its voxels are ignored."""
    doubt = [] if case.doubt is None else [sha256_of(case.doubt), case.certain]
    return [None if case.label is None else sha256_of(case.label), case.liver_value, *doubt]


def case_key(case: TrainingCase, plans: dict[str, Any]) -> str:
    """Changes when the preprocessed case would."""
    configuration = {
        key: value
        for key, value in plans["configurations"][CONFIGURATION].items()
        if key.startswith(("resampling", "normalization", "use_mask", "spacing", "preprocessor"))
    }
    parts = [
        _VERSION,
        image_key(case.image),
        *label_key(case),
        configuration,
        plans["transpose_forward"],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def preprocess(
    cases: Sequence[TrainingCase],
    plans: dict[str, Any],
    dataset_json: dict[str, Any],
    folder: Path,
    executor: Executor | None,
    report: Reporter,
) -> int:
    """Write every case to ``folder/<data identifier>``; returns how many had to be written.

    :param folder: nnU-Net's folder of this dataset under ``preprocessed``.
    :param executor: does the cases in parallel; ``None``: one after the other.
    """
    place = folder / plans["configurations"][CONFIGURATION]["data_identifier"]
    stamps = folder / "stamps"
    place.mkdir(parents=True, exist_ok=True)
    stamps.mkdir(exist_ok=True)
    _forget_others(place, stamps, {case.case_id for case in cases})
    keys = {case.case_id: case_key(case, plans) for case in cases}
    todo = [case for case in cases if not _done(place, stamps, case.case_id, keys[case.case_id])]
    work = [(case, plans, dataset_json, str(place), str(stamps), keys[case.case_id]) for case in todo]
    written: Iterable[str] = (executor.map if executor is not None else map)(_write_case, work)
    for number, case_id in enumerate(written, 1):
        report.progress("prepare", number, len(todo), case_id)
    return len(todo)


def _write_case(work: tuple[TrainingCase, dict[str, Any], dict[str, Any], str, str, str]) -> str:
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    from LiverSegSSLLib.learn.prepared import PreparedDataset

    case, plans, dataset_json, place, stamps, key = work
    manager = PlansManager(plans)
    configuration = manager.get_configuration(CONFIGURATION)
    preprocessor = configuration.preprocessor_class(verbose=False)
    data, seg, properties = read_case(case)
    data, seg, properties = preprocessor.run_case_npy(data, seg, properties, manager, configuration, dataset_json)
    data = data.astype(np.float32, copy=False)
    # The stamp is written last: files without it are those of a killed run.
    _remove(Path(place), Path(stamps), case.case_id)
    PreparedDataset.save_case(data, seg, properties, str(Path(place) / case.case_id))
    write_json(Path(stamps) / f"{case.case_id}.json", {"key": key})
    return case.case_id


def _done(place: Path, stamps: Path, case_id: str, key: str) -> bool:
    stamp = stamps / f"{case_id}.json"
    if not stamp.is_file() or not all((place / f"{case_id}{suffix}").is_file() for suffix in SUFFIXES):
        return False
    try:
        return bool(json.loads(stamp.read_text(encoding="utf-8"))["key"] == key)
    except (ValueError, KeyError, TypeError):
        return False


def _forget_others(place: Path, stamps: Path, wanted: set[str]) -> None:
    """Whatever is of no case that is wanted: nnU-Net would train on it when it trains on all."""
    for path in stamps.glob("*.json"):
        if path.stem not in wanted:
            path.unlink()
    names = {f"{case_id}{suffix}" for case_id in wanted for suffix in SUFFIXES}
    for path in place.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in names:
            path.unlink()


def _remove(place: Path, stamps: Path, case_id: str) -> None:
    (stamps / f"{case_id}.json").unlink(missing_ok=True)
    for suffix in SUFFIXES:
        (place / f"{case_id}{suffix}").unlink(missing_ok=True)
