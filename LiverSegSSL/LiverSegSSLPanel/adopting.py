"""Making a study of volumes that are in the scene: copies of them, written as NIfTI, lie where they are seen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from LiverSegSSLLib.cohort.index import MANIFEST_NAMES
from LiverSegSSLLib.cohort.names import safe_key
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import CohortError
from LiverSegSSLLib.volume import Volume, write_volume
from LiverSegSSLPanel.scene.volumes import volume_of
from LiverSegSSLPanel.task import Steps


def free_study_name(folder: Path) -> str:
    """A neutral name for a new study in a folder: ``study1``, ``study2``, …"""
    number = 1
    while (folder / f"study{number}").exists():
        number += 1
    return f"study{number}"


def why_not(choice: Mapping[str, str], folder: str, study: str) -> list[str]:
    """What is wanting before volumes can become a study, a line each.

    :param choice: node id → phase.
    """
    missing = []
    if not choice:
        missing.append("Choose what at least one volume is used as.")
    phases = list(choice.values())
    twice = sorted({phase for phase in phases if phases.count(phase) > 1})
    missing += [f"{phase} is chosen more than once." for phase in twice]
    if not study:
        missing.append("Give the study a name.")
    elif safe_key(study) != study:
        missing.append(f"{study!r} cannot be a name of files: {safe_key(study)!r} can.")
    if not folder:
        missing.append("Choose a folder for the copies.")
    elif any((Path(folder) / name).is_file() for name in MANIFEST_NAMES):
        missing.append("The folder has a table of its own images: choose another folder.")
    elif study and (Path(folder) / study).exists():
        missing.append(f"There is a study {study!r} in that folder: choose another name.")
    return missing


def adopt(scene: Any, choice: Mapping[str, str], folder: Path, study: str) -> Steps[Path]:
    """Write volumes as ``<folder>/<study>/<phase>.nii.gz``; all appear or none does. Returns the study's folder.

    :param choice: node id → phase. Transforms above a volume are hardened into its copy.
    :raises CohortError: it cannot be done; see :func:`why_not`.
    :raises GeometryError: the transform above a volume bends or shears.
    """
    missing = why_not(choice, str(folder), study)
    if missing:
        raise CohortError(missing[0].rstrip("."), folder)
    target, staging = folder / study, folder / f".{study}.writing"
    try:
        for node_id, phase in choice.items():
            node = scene.GetNodeByID(node_id)
            if node is None:
                raise CohortError(f"the volume for {phase} is not in the scene any more", None, "choose another one")
            volume = volume_of(node)
            yield _writer(volume, staging / f"{Phase(phase).value}.nii.gz")
        yield lambda: staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _writer(volume: Volume, path: Path) -> Any:
    return lambda: write_volume(volume, path)
