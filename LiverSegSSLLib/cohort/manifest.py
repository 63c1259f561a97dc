"""A cohort as a table: one row of a CSV file per image, with paths relative to the table."""

from __future__ import annotations

import csv
import difflib
from pathlib import Path

from LiverSegSSLLib.cohort.draft import Draft, ImageDraft, StudyDraft
from LiverSegSSLLib.cohort.phase import nearest_phase, parse_phase
from LiverSegSSLLib.cohort.study import Phase, Problem
from LiverSegSSLLib.errors import CohortError

NEEDED = ("study", "phase", "image")
OPTIONAL = ("vendor", "patient", "label", "label_value", "organs")


def draft_manifest(path: Path) -> Draft:
    """Read a manifest.

    ``label`` is the mask of the image; ``label_value`` the value of the liver in it, or ``organs`` all of them as
    ``liver=1;right_kidney=2``.

    :raises CohortError: the table as a whole cannot be understood. A bad row is a problem of the cohort.
    """
    rows = _read_rows(path)
    problems: list[Problem] = []
    images: dict[str, dict[Phase, ImageDraft]] = {}
    twice: set[tuple[str, Phase]] = set()
    persons: dict[str, tuple[str, str]] = {}
    for line, row in rows:
        where = f"{path} line {line}"
        try:
            draft = _draft_row(row, path.parent)
        except ValueError as error:
            problems.append(Problem(where, str(error), "correct the row", fatal=True))
            continue
        study = row["study"]
        person = (row.get("vendor", ""), row.get("patient", ""))
        if persons.setdefault(study, person) != person:
            what = f"study {study!r} has another vendor or patient than in an earlier row; the earlier one is used"
            problems.append(Problem(where, what, "make the rows of a study agree"))
        if draft.phase in images.setdefault(study, {}):
            twice.add((study, draft.phase))
            what = f"study {study!r} has {draft.phase.value} in an earlier row too; neither is used"
            problems.append(Problem(where, what, "keep one", fatal=True))
        images[study][draft.phase] = draft
    studies = tuple(
        StudyDraft(study, path, kept, *persons[study])
        for study, by_phase in images.items()
        if (kept := tuple(draft for phase, draft in by_phase.items() if (study, phase) not in twice))
    )
    return Draft("manifest", studies, tuple(problems))


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        return _rows_of(path.read_text(encoding="utf-8-sig"), path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"cannot be read ({error})", path, "save it as CSV in UTF-8") from None


def _rows_of(text: str, path: Path) -> list[tuple[int, dict[str, str]]]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)  # spreadsheets write semicolons where the comma is the decimal point
    reader = csv.reader(text.splitlines(), delimiter=delimiter)
    columns = [name.strip().lower() for name in next(reader, [])]
    lacking = [name for name in NEEDED if name not in columns]
    unknown = [name for name in columns if name and name not in NEEDED + OPTIONAL]
    if lacking:
        remedy = f"a manifest has the columns {', '.join(NEEDED)} and, if you like, {', '.join(OPTIONAL)}"
        raise CohortError(f"the manifest lacks the column {' and '.join(lacking)}", path, remedy)
    for name in unknown:
        near = difflib.get_close_matches(name, OPTIONAL, n=1)
        if near:
            raise CohortError(f"the column {name!r} is unknown", path, f"did you mean {near[0]!r}?")
    rows = []
    for cells in reader:
        if any(cell.strip() for cell in cells):
            row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
            rows.append((reader.line_num, row))
    return rows


def _draft_row(row: dict[str, str], folder: Path) -> ImageDraft:
    for name in NEEDED:
        if not row.get(name):
            raise ValueError(f"has no {name}")
    named = parse_phase(row["phase"])
    if named is None:
        raise ValueError(f"{row['phase']!r} is no known phase (nearest: {nearest_phase(row['phase'])})")
    organs = _organs(row.get("organs", ""), row.get("label_value", ""))
    mask = folder / row["label"] if row.get("label") else None
    return ImageDraft(named.phase, folder / row["image"], named.b_value, mask, organs)


def _organs(organs: str, liver_value: str) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for part in (part.strip() for part in organs.split(";")):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if part and (not sign or not name or not _is_value(value)):
            raise ValueError(f"organs {part!r} is not name=value")
        if part:
            found[name] = int(value)
    if liver_value:
        if not _is_value(liver_value):
            raise ValueError(f"label_value {liver_value!r} is not a whole number above 0")
        if found.setdefault("liver", int(liver_value)) != int(liver_value):
            raise ValueError(f"label_value {liver_value} contradicts organs {organs!r}")
    return tuple(found.items())


def _is_value(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0
