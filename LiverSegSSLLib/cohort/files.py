"""Layouts in which the file name says the study too: all files in one folder, or any tree given as a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from LiverSegSSLLib.cohort.draft import Draft, StudyDraft
from LiverSegSSLLib.cohort.names import mask_target
from LiverSegSSLLib.cohort.pairing import Named, pair, unknown_phase
from LiverSegSSLLib.cohort.phase import PhaseName, parse_phase, strip_channel
from LiverSegSSLLib.cohort.scan import Scan
from LiverSegSSLLib.cohort.study import Phase, Problem
from LiverSegSSLLib.errors import CohortError
from LiverSegSSLLib.resources import table
from LiverSegSSLLib.volume import image_stem

_FIELDS = ("study", "phase", "vendor", "patient")
_LONGEST_NAME = 255


@dataclass(frozen=True)
class _Parts:
    study: str
    phase: PhaseName
    vendor: str = ""
    patient: str = ""


Split = Callable[[Path], _Parts | None]


def draft_files(
    scan: Scan, pattern: str | None = None, mask_pattern: str | None = None, phase: Phase | None = None
) -> Draft:
    """Group files by the study in their names.

    Without a pattern a name is study, separator, phase (``P01_C-pre_0000.nii.gz``); masks are told by a word at
    either end (``P01_T2_mask``) or by a folder such as ``labelsTr``.

    :param pattern: path below the cohort folder with ``{study}`` and ``{phase}``, if need be ``{vendor}``,
        ``{patient}`` and ``*``, for example ``"{vendor}/{study}/anat/{phase}.nii.gz"``. An ending may be left out.
    :param mask_pattern: the same for the masks; without it they are told by their names.
    :param phase: the phase of files whose pattern has no ``{phase}``.
    :raises CohortError: a pattern cannot be used, or matches no file.
    """
    split = _by_pattern(scan.root, pattern, phase) if pattern else _by_ending
    split_mask = _by_pattern(scan.root, mask_pattern, phase) if mask_pattern else split
    studies: dict[str, list[_Parts]] = {}
    images: dict[str, list[Named]] = {}
    masks: dict[str, list[tuple[Path, PhaseName | None]]] = {}
    problems = list(scan.problems)
    for path in (path for folder in scan.folders for path in folder.files):
        target = None if mask_pattern else _mask_target(path)
        found = split_mask(path) if mask_pattern else (split_mask(target) if target is not None else None)
        if found is not None:
            masks.setdefault(found.study, []).append((path, found.phase))
        elif target is None and (found := split(path)) is not None:
            images.setdefault(found.study, []).append((path, found.phase))
            studies.setdefault(found.study, []).append(found)
        elif pattern is None:
            problems.append(unknown_phase(path))
    if pattern and not images:
        raise CohortError(f"no file matches the pattern {pattern!r}", scan.root, _example(scan))
    problems += [
        Problem(str(path), "is a mask, but its study has no image", "give the image or take the mask away")
        for study in masks.keys() - images.keys()
        for path, _ in masks[study]
    ]
    drafts = []
    for study, parts in studies.items():
        chosen, found_problems = pair(images[study], masks.get(study, []))
        problems += found_problems
        if chosen:
            drafts.append(StudyDraft(study, scan.root, chosen, parts[0].vendor, parts[0].patient))
    return Draft("files", tuple(drafts), tuple(problems))


def are_named_files(files: Iterable[Path]) -> bool:
    """Whether some of these file names are study and phase together."""
    return any(_by_ending(_mask_target(path) or path) is not None for path in files)


def _mask_target(path: Path) -> Path | None:
    """The path that the image of a mask would have by its name, or ``None`` if this is no mask."""
    if path.parent.name.lower() in table("phases.yaml")["masks"]["folders"]:
        return path
    target = mask_target(image_stem(path))
    return None if target is None else path.with_name(target + path.name[len(image_stem(path)) :])


def _by_ending(path: Path) -> _Parts | None:
    """Study and phase of ``<study><separator><phase>``: the shortest study after which a phase stands."""
    stem = strip_channel(image_stem(path))
    for match in re.finditer(r"[\s._-]+", stem):
        phase = parse_phase(stem[match.end() :])
        if phase is not None and match.start() > 0:
            return _Parts(stem[: match.start()], phase)
    return None


def _by_pattern(root: Path, pattern: str, phase: Phase | None) -> Split:
    fields = re.findall(r"\{(.*?)\}", pattern)
    for field in fields:
        if field not in _FIELDS:
            choices = ", ".join(f"{{{name}}}" for name in _FIELDS)
            raise CohortError(f"{{{field}}} in the pattern {pattern!r} is unknown", None, f"use {choices} and *")
    if "study" not in fields or ("phase" not in fields and phase is None):
        remedy = "write it like {study}_{phase}.nii.gz, or name the phase of all files beside it"
        raise CohortError(f"the pattern {pattern!r} does not say study and phase", None, remedy)
    if len(set(fields)) != len(fields):
        raise CohortError(f"the pattern {pattern!r} names a part twice", None, "write * the second time")
    pieces = re.split(r"(\{.*?\}|\*)", pattern)
    has_suffix = image_stem(Path(pattern)) != Path(pattern).name
    fixed = None if phase is None else PhaseName(phase)

    def expression(length: int) -> str:
        known = {"*": "[^/]*?", "{study}": f"(?P<study>[^/]{{{length}}})"}
        known |= {f"{{{name}}}": f"(?P<{name}>[^/]+?)" for name in _FIELDS[1:]}
        return "".join(known.get(piece) or re.escape(piece) for piece in pieces)

    def split(path: Path) -> _Parts | None:
        name = path.relative_to(root).as_posix()
        if not has_suffix:
            name = name[: len(name) - len(path.name)] + strip_channel(image_stem(path))
        # Where a separator also occurs inside a study's name, the shortest study after which a phase stands.
        for length in range(1, min(len(name), _LONGEST_NAME) + 1):
            match = re.fullmatch(expression(length), name)
            if match is None:
                continue
            found = match.groupdict()
            named = parse_phase(found["phase"]) if "phase" in found else fixed
            if named is not None:
                return _Parts(found["study"], named, found.get("vendor", ""), found.get("patient", ""))
        return None

    return split


def _example(scan: Scan) -> str:
    files = [path for folder in scan.folders for path in folder.files]
    return f"a file found there is {files[0].relative_to(scan.root).as_posix()}" if files else "there is no image file"
