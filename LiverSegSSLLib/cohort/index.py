"""Open a cohort: find out how it is laid out, look into every header, leave out what cannot be used."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

from LiverSegSSLLib.cohort.care import draft_care, is_care
from LiverSegSSLLib.cohort.draft import Draft, ImageDraft, StudyDraft
from LiverSegSSLLib.cohort.facts import Facts, FactsReader, facts_reader
from LiverSegSSLLib.cohort.files import are_named_files, draft_files
from LiverSegSSLLib.cohort.folder import draft_folders, is_study_folder
from LiverSegSSLLib.cohort.manifest import draft_manifest
from LiverSegSSLLib.cohort.names import safe_key
from LiverSegSSLLib.cohort.scan import Scan, scan
from LiverSegSSLLib.cohort.study import Case, Cohort, Phase, Problem, Study
from LiverSegSSLLib.errors import CohortError, GeometryError
from LiverSegSSLLib.events import SILENT, Reporter
from LiverSegSSLLib.volume import require_same_grid

MANIFEST_NAMES = ("cohort.csv", "manifest.csv")
"""A table of this name in the cohort folder is its manifest."""

WHAT_IS_RIGHT = (
    "give a folder of studies (study/GED4.nii.gz), the CARE layout (Vendor_A/1009-A-S4/GED4.nii.gz), "
    "one folder of files named study_phase.nii.gz, a pattern, or a CSV table with study, phase, image"
)


def open_cohort(
    path: Path,
    *,
    pattern: str | None = None,
    mask_pattern: str | None = None,
    phase: Phase | None = None,
    organs: tuple[tuple[str, int], ...] = (),
    cache: Path | None = None,
    threads: int = 8,
    report: Reporter = SILENT,
) -> Cohort:
    """Index a cohort from the headers of its images; nothing is written but the cache.

    What is wrong with one file, case or study is a :class:`~LiverSegSSLLib.cohort.study.Problem` of the cohort, and
    the others go on. A case whose mask cannot be used stays, without its mask.

    :param path: the cohort folder, or a manifest (CSV).
    :param pattern: how file names say study and phase, see :func:`~LiverSegSSLLib.cohort.files.draft_files`;
        ``mask_pattern`` and ``phase`` as there.
    :param organs: the values in every mask, such as ``(("liver", 63),)``; a manifest says it row by row instead.
    :param cache: file that remembers headers between calls.
    :param threads: files that are read at the same time.
    :raises CohortError: nothing can be found there, or the manifest or pattern makes no sense.
    """
    path = path.absolute()
    root, draft = _find(path, pattern, mask_pattern, phase)
    report.info(f"{len(draft.studies)} studies found ({draft.layout} layout)", "index")
    studies, problems = _with_keys(draft.studies)
    problems = [*draft.problems, *problems]
    with facts_reader(root, cache) as reader:
        checked, found = _look_into(studies, organs, reader, threads, report)
    problems += found
    if draft.needs_ged4:
        checked, found = _require_ged4(checked, draft.studies)
    else:
        found = _ged4_warnings(checked)
    problems += found
    if not checked:
        raise CohortError(*_nothing(path, problems))
    if not any(case.expert for study in checked for case in study.cases.values()):
        what = "no case has a mask"
        remedy = "put a mask such as mask_GED4.nii.gz beside at least one image; without it nothing can be learnt"
        problems.append(Problem(str(path), what, remedy))
    return Cohort(root, draft.layout, tuple(sorted(checked, key=lambda study: study.key)), tuple(problems))


# --- which layout -----------------------------------------------------------------------------------------------


def _find(path: Path, pattern: str | None, mask_pattern: str | None, phase: Phase | None) -> tuple[Path, Draft]:
    if path.is_file() and path.suffix.lower() == ".csv":
        return path.parent, draft_manifest(path)
    if not path.is_dir():
        raise CohortError("there is no such folder" if not path.exists() else "is no folder", path, WHAT_IS_RIGHT)
    if pattern is None:
        for name in MANIFEST_NAMES:
            if (path / name).is_file():
                return path, draft_manifest(path / name)
    found = scan(path)
    if not found.folders:
        raise CohortError("no image was found", path, _advice(found))
    if pattern is not None:
        return path, draft_files(found, pattern, mask_pattern, phase)
    if is_care(found):
        return path, draft_care(found)
    if any(is_study_folder(folder) for folder in found.folders):
        return path, draft_folders(found)
    if are_named_files(file for folder in found.folders for file in folder.files):
        return path, draft_files(found, mask_pattern=mask_pattern, phase=phase)
    example = found.folders[0].files[0].relative_to(path).as_posix()
    raise CohortError(f"no file name says a phase (for example {example})", path, WHAT_IS_RIGHT)


def _advice(found: Scan) -> str:
    if found.dicom:
        return "these are DICOM files: convert them first (for example with dcm2niix or 3D Slicer), one file per series"
    return WHAT_IS_RIGHT


def _nothing(path: Path, problems: list[Problem]) -> tuple[str, Path, str]:
    fatal = [problem for problem in problems if problem.fatal]
    if not fatal:
        return "no case was found", path, WHAT_IS_RIGHT
    more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
    return f"no usable case; {fatal[0].where}: {fatal[0].what}{more}", path, fatal[0].remedy or WHAT_IS_RIGHT


# --- study keys -------------------------------------------------------------------------------------------------


def _with_keys(drafts: Iterable[StudyDraft]) -> tuple[list[tuple[str, StudyDraft]], list[Problem]]:
    """Give every study its key. Studies that a file system or the ledger could confuse are all left out."""
    groups: dict[str, list[StudyDraft]] = defaultdict(list)
    for draft in drafts:
        groups[safe_key(draft.name).casefold()].append(draft)
    studies: list[tuple[str, StudyDraft]] = []
    problems: list[Problem] = []
    for group in groups.values():
        if len(group) == 1:
            studies.append((safe_key(group[0].name), group[0]))
            continue
        names = sorted({draft.name for draft in group})
        places = ", ".join(str(draft.where) for draft in group)
        how = f"{len(group)} studies are called {names[0]!r}"
        if len(names) > 1:
            how = f"the names {', '.join(map(repr, names))} differ only by letter case or special characters"
        problems.append(Problem(places, f"{how}; none of them is used", "give each study a name of its own", True))
    return studies, problems


# --- looking into the files -------------------------------------------------------------------------------------


def _look_into(
    studies: list[tuple[str, StudyDraft]],
    organs: tuple[tuple[str, int], ...],
    reader: FactsReader,
    threads: int,
    report: Reporter,
) -> tuple[list[Study], list[Problem]]:
    drafts = [image for _, study in studies for image in study.images]
    grids = reader.facts((image.path for image in drafts), threads=threads, report=report)
    usable = (image.mask for image in drafts if image.mask is not None and grids[image.path].geometry is not None)
    masks = reader.facts(usable, voxels=True, threads=threads, report=report)
    checked: list[Study] = []
    problems: list[Problem] = []
    for key, draft in studies:
        cases: dict[Phase, Case] = {}
        for image in sorted(draft.images, key=lambda image: list(Phase).index(image.phase)):
            facts = grids[image.path]
            if facts.error:
                problems.append(Problem(str(image.path), facts.error, facts.remedy, fatal=True))
                continue
            if facts.note:
                remedy = "look whether its mask lies on it; export it again if not"
                problems.append(Problem(str(image.path), facts.note, remedy))
            values = image.organs or organs
            problem = _mask_problem(image, facts, masks, values)
            if problem is not None:
                problems.append(problem)
            expert = image.mask if problem is None else None
            cases[image.phase] = Case(
                key, image.phase, image.path, draft.vendor, expert, values if expert else (), image.b_value
            )
        if cases:
            checked.append(Study(key, draft.vendor, draft.patient or key, MappingProxyType(cases)))
    return checked, problems


def _mask_problem(
    image: ImageDraft, facts: Facts, masks: dict[Path, Facts], organs: tuple[tuple[str, int], ...]
) -> Problem | None:
    """Why a mask cannot be used; its case then counts as not labelled."""
    if image.mask is None or facts.geometry is None:
        return None
    mask = masks[image.mask]
    unused = "; the case counts as not labelled"
    if mask.error:
        return Problem(str(image.mask), mask.error + unused, mask.remedy)
    if mask.geometry is not None:
        try:
            require_same_grid(mask.geometry, facts.geometry, image.mask)
        except GeometryError as error:
            return Problem(str(image.mask), error.what + unused, error.remedy)
    values = [value for value, _ in mask.counts or ()]
    if not values:
        return Problem(str(image.mask), "the mask is empty" + unused, "draw the liver or take the file away")
    liver = dict(organs).get("liver")
    covered = sum(count for value, count in mask.counts or () if liver in (None, value))
    if covered == math.prod(facts.geometry.size):
        what = "the mask covers the whole image"
        return Problem(str(image.mask), what + unused, "draw the liver, or say which value is the liver's")
    if liver is not None and liver not in values:
        what = f"the mask has no voxel of the liver's value {liver} (values: {', '.join(map(str, values))})"
        return Problem(str(image.mask), what + unused, "correct the value or the mask")
    return None


# --- the hepatobiliary phase ------------------------------------------------------------------------------------


def _require_ged4(studies: list[Study], drafts: Iterable[StudyDraft]) -> tuple[list[Study], list[Problem]]:
    """Leave out studies without a GED4 file, which CARE promises for each; a damaged one is told of already."""
    having = {draft.where for draft in drafts if any(image.phase is Phase.GED4 for image in draft.images)}
    kept: list[Study] = []
    problems: list[Problem] = []
    for study in studies:
        folder = next(iter(study.cases.values())).image.parent
        if folder in having:
            kept.append(study)
        else:
            what = "the study has no GED4 (hepatobiliary phase); it is left out"
            problems.append(Problem(str(folder), what, "add GED4.nii.gz, which every CARE study has", fatal=True))
    return kept, problems


def _ged4_warnings(studies: list[Study]) -> list[Problem]:
    lacking = [study for study in studies if Phase.GED4 not in study.cases]
    what = "no GED4 (hepatobiliary phase)"
    if lacking and len(lacking) == len(studies):
        return [Problem("every study", what, "fine if your labels are of another phase")]
    return [Problem(f"study {study.key}", what, "its other phases are used all the same") for study in lacking]
