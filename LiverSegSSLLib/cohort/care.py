"""The CARE-Liver / LiQA layout (METHODS 2.1): ``Vendor_A/1009-A-S4/GED4.nii.gz``, masks only of GED4.

``Vendor_A``, ``Vendor-A``, ``VendorA`` or a flat folder of cases, at any depth; the fibrosis stage may be missing.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from LiverSegSSLLib.cohort.draft import Draft, StudyDraft
from LiverSegSSLLib.cohort.folder import draft_images
from LiverSegSSLLib.cohort.phase import parse_phase
from LiverSegSSLLib.cohort.scan import ImageFolder, Scan
from LiverSegSSLLib.cohort.study import Phase, Problem

_VENDOR_FOLDER = re.compile(r"vendor[\s_-]*(?P<vendor>[A-Za-z]\d?)", re.IGNORECASE)
_CASE_FOLDER = re.compile(r"(?P<patient>\d+)-(?P<vendor>[A-D]\d?)(?:-S(?P<stage>\d))?", re.IGNORECASE)
_ABSENT = ("", "none", "nan", "no", "-", "n/a", "na", "[]")


def is_care(scan: Scan) -> bool:
    """Whether any folder with images is named as CARE names its cases, or lies in a vendor folder."""
    return any(_CASE_FOLDER.fullmatch(folder.path.name) or _vendor_above(folder, scan.root) for folder in scan.folders)


def draft_care(scan: Scan) -> Draft:
    """Every folder with images is a case; its full name is the study, as patient numbers repeat across vendors."""
    studies: list[StudyDraft] = []
    problems = list(scan.problems)
    for folder in scan.folders:
        study, found = _draft_case(folder, scan.root)
        problems += found
        if study.images:
            studies.append(study)
    problems += _cross_check(studies, scan)
    return Draft("care", tuple(studies), tuple(problems), needs_ged4=True)


def _draft_case(folder: ImageFolder, root: Path) -> tuple[StudyDraft, list[Problem]]:
    images, problems = draft_images(folder)
    name = _CASE_FOLDER.fullmatch(folder.path.name)
    above = _vendor_above(folder, root)
    vendor = (name["vendor"] if name else above).upper()
    if name and above and above.upper() != vendor:
        what = f"the name says vendor {vendor}, the folder above vendor {above}; {vendor} is used"
        problems.append(Problem(str(folder.path), what, "move the case to the folder of its vendor"))
    # Number 1053 of vendor A and number 1053 of vendor B2 are two people.
    patient = f"{name['patient']}-{vendor}" if name else folder.path.name
    return StudyDraft(folder.path.name, folder.path, images, vendor, patient), problems


def _vendor_above(folder: ImageFolder, root: Path) -> str:
    """The vendor that the nearest folder above names; the cohort folder itself may be it. Empty: none."""
    for parent in folder.path.parents:
        match = _VENDOR_FOLDER.fullmatch(parent.name)
        if match:
            return match["vendor"]
        if parent == root:
            break
    return ""


# --- info.csv ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    where: str
    case: str
    vendor: str
    missing: frozenset[Phase]


def _cross_check(studies: list[StudyDraft], scan: Scan) -> list[Problem]:
    """Compare every ``info.csv`` with the cases below its folder. The files are right; the table is only compared."""
    problems: list[Problem] = []
    for path in (path for path in scan.tables if path.name.lower() == "info.csv"):
        below = {study.name: study for study in studies if path.parent in study.where.parents}
        try:
            rows = _read_info(path)
        except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
            what = f"cannot be understood ({error}); it is passed over"
            problems.append(Problem(str(path), what, "it should have the columns Case, Vendor, Missing Modality"))
            continue
        for row in rows:
            study = below.get(row.case)
            if study is None:
                problems.append(Problem(row.where, f"{row.case} is listed but has no folder with images"))
            else:
                problems += [Problem(row.where, what, "the files are used") for what in _contradictions(row, study)]
        unlisted = below.keys() - {row.case for row in rows}
        problems += [Problem(str(below[name].where), f"is not listed in {path}") for name in sorted(unlisted)]
    return problems


def _read_info(path: Path) -> list[_Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        columns = {re.sub(r"[^a-z]", "", (name or "").lower()): name for name in table.fieldnames or []}
        missing = next(
            (columns[name] for name in ("missingmodality", "missingmodalities", "missing") if name in columns), None
        )
        if missing is None or not {"case", "vendor"} <= columns.keys():
            raise KeyError("a column is missing")
        return [
            _Row(
                f"{path} line {table.line_num}",
                (row[columns["case"]] or "").strip(),
                re.sub(r"^vendor[\s_-]*", "", (row[columns["vendor"]] or "").strip(), flags=re.IGNORECASE).upper(),
                _phases_in(row[missing] or ""),
            )
            for row in table
        ]


def _phases_in(text: str) -> frozenset[Phase]:
    names = [part.strip(" '\"[]()") for part in re.split(r"[,;/|+&]|\s+", text)]
    found = [parse_phase(name) for name in names if name.lower() not in _ABSENT]
    return frozenset(name.phase for name in found if name is not None)


def _contradictions(row: _Row, study: StudyDraft) -> list[str]:
    there = {image.phase for image in study.images}
    found = []
    if row.vendor and study.vendor and row.vendor != study.vendor:
        found.append(f"{row.case} is vendor {row.vendor} in the table and {study.vendor} by its folder")
    declared = row.missing & there
    if declared:
        found.append(f"{row.case} lacks {_listed(declared)} in the table, but the files are there")
    expected = {Phase.GED1, Phase.GED2, Phase.GED3, Phase.GED4, Phase.T1, Phase.T2, Phase.DWI}
    undeclared = expected - there - row.missing
    if undeclared:
        found.append(f"{row.case} has {_listed(undeclared)} in the table, but no such file")
    return found


def _listed(phases: set[Phase] | frozenset[Phase]) -> str:
    return ", ".join(phase.value for phase in Phase if phase in phases)
