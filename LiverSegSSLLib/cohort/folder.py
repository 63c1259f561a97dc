"""The plain layout: one folder per study, one file per phase (``study/T2.nii.gz``, ``study/mask_GED4.nii.gz``)."""

from __future__ import annotations

import re
from pathlib import Path

from LiverSegSSLLib.cohort.draft import Draft, ImageDraft, StudyDraft
from LiverSegSSLLib.cohort.names import mask_target
from LiverSegSSLLib.cohort.pairing import Named, pair, unknown_phase
from LiverSegSSLLib.cohort.phase import PhaseName, parse_phase
from LiverSegSSLLib.cohort.scan import ImageFolder, Scan
from LiverSegSSLLib.cohort.study import Problem
from LiverSegSSLLib.volume import image_stem


def is_study_folder(folder: ImageFolder) -> bool:
    """Whether files of a folder are named after phases, so that the folder is one study."""
    return any(_phase_in(image_stem(path), folder.path.name) is not None for path in folder.files)


def draft_folders(scan: Scan) -> Draft:
    """Every folder that holds images is a study, called by the folder's name."""
    studies: list[StudyDraft] = []
    problems = list(scan.problems)
    for folder in scan.folders:
        images, found = draft_images(folder)
        problems += found
        if images:
            studies.append(StudyDraft(folder.path.name, folder.path, images))
    return Draft("folder", tuple(studies), tuple(problems))


def draft_images(folder: ImageFolder) -> tuple[tuple[ImageDraft, ...], list[Problem]]:
    """The images of one study folder with their masks, one per phase, and what is wrong with the rest."""
    problems: list[Problem] = []
    images: list[Named] = []
    masks: list[tuple[Path, PhaseName | None]] = []
    for path in folder.files:
        stem = image_stem(path)
        target = mask_target(stem)
        named = _phase_in(stem if target is None else target, folder.path.name)
        if target is not None:
            masks.append((path, named))
        elif named is not None:
            images.append((path, named))
        else:
            problems.append(unknown_phase(path))
    drafts, found = pair(images, masks)
    return drafts, problems + found


def _phase_in(stem: str, study: str) -> PhaseName | None:
    """The phase in a file name; ``P1_T2`` in the folder ``P1`` is ``T2``."""
    found = parse_phase(stem)
    if found is None and stem.lower().startswith(study.lower()):
        found = parse_phase(re.sub(r"^[\s._-]+", "", stem[len(study) :]))
    return found
