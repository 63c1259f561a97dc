"""What studies are called in reports: by their keys, or by pseudonyms that only the workspace can turn back.

A pseudonym is a number drawn by chance (``Study 417``). Neither the order of the keys nor the time when a study came
shows in it, so keys that are dates or numbers given in order stay hidden; what is listed is listed in the order of the
pseudonyms. The table of both, ``pseudonyms.csv``, lies in the workspace itself and not in the folder of a run or a
comparison, whose files people send on.
"""

from __future__ import annotations

import csv
import io
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from LiverSegSSLLib.atomic import write_text
from LiverSegSSLLib.cohort.study import SEPARATOR, Cohort, Phase, Problem, split_case_id
from LiverSegSSLLib.errors import WorkspaceError, one_line
from LiverSegSSLLib.types import NOTHING

TABLE = "pseudonyms.csv"
"""In the workspace: study key and pseudonym of every study that was ever in a report with pseudonyms."""

UNSAID = "a fault whose words name files or studies (inspect tells it)"
ANOTHER = "another study"

_COLUMNS = ["study", "pseudonym"]
_ROOM = 4
"""Numbers to draw from for each study: a number says nothing of how many there are."""
_LOCK_SECONDS = 20.0
_FILE = re.compile(r"(?<![\w>])[/\\]\w|\w[/\\]\w+[/\\]|[A-Za-z]:\\|\.(nii|nrrd|mha|mhd|gz|csv)\b", re.IGNORECASE)
"""What may be the name of a file."""
_ID = re.compile(rf"([A-Za-z0-9._-]+?){SEPARATOR}({'|'.join(phase.value for phase in Phase)})(?![\w-])")


@dataclass(frozen=True)
class Names:
    """What a report calls studies and cases, and which words it may hold.

    :param pseudonyms: study key → pseudonym; empty: everything is called what it is.
    :param places: what a problem of the cohort may be about, a file or a folder → its study and phase.
    :param words: names of files and folders below the cohort's.
    """

    pseudonyms: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    places: Mapping[str, tuple[str, Phase | None]] = field(default_factory=lambda: NOTHING)
    words: frozenset[str] = frozenset()

    @property
    def hidden(self) -> bool:
        """Whether there are pseudonyms."""
        return bool(self.pseudonyms)

    def study(self, key: str) -> str:
        """A study."""
        return self.pseudonyms.get(key, ANOTHER) if self.hidden else key

    def case(self, case_id: str) -> str:
        """A case: ``Study 417__T2``."""
        if not self.hidden:
            return case_id
        key, phase = split_case_id(case_id)
        return f"{self.study(key)}{SEPARATOR}{phase.value}"

    def cases(self, case_ids: Iterable[str]) -> list[str]:
        """Several, in the order of what they are called; as they came where that is their own ids."""
        return sorted(map(self.case, case_ids)) if self.hidden else list(case_ids)

    def studies(self, keys: Iterable[str]) -> list[str]:
        """The same for studies."""
        return sorted(map(self.study, keys)) if self.hidden else list(keys)

    def text(self, text: str) -> str:
        """Words of the program, which name cases by their ids and files by their paths.

        Other words stay what they are, whatever the studies are called ("1", "T2").
        """
        if not self.hidden:
            return text
        replaced = _ID.sub(lambda found: self.case(found.group()), text)
        return UNSAID if _FILE.search(replaced) else replaced

    def own_words(self, text: str) -> str:
        """Words of the user, such as the description of a recipe: left out if they hold the name of a study."""
        return "" if self.hidden and self._holds_name(text) else text

    def problems(self, problems: Iterable[Problem]) -> tuple[str, ...]:
        """A line a problem; with pseudonyms equal lines once, with their number."""
        if not self.hidden:
            return tuple(map(str, problems))
        counts = Counter(sorted(map(self._problem, problems)))
        return tuple(line if count == 1 else f"{line} ({count} times)" for line, count in counts.items())

    def _problem(self, problem: Problem) -> str:
        around = (problem.where, *map(str, Path(problem.where).parents))
        key, phase = next((self.places[place] for place in around if place in self.places), ("", None))
        where = f"{self.study(key)}{f', {phase.value}' if phase else ''}" if key else "The cohort"
        # What is quoted comes from the user's files.
        what = UNSAID if "'" in problem.what or '"' in problem.what else self.own_words(problem.what) or UNSAID
        remedy = self.own_words(problem.remedy)
        return one_line(f"{where}: {what}" + (f" – {remedy}" if remedy else ""))

    def _holds_name(self, text: str) -> bool:
        return bool(_FILE.search(text) or self._words.search(text))

    @cached_property
    def _words(self) -> re.Pattern[str]:
        """Any key, file or folder as a word of its own."""
        every = "|".join(map(re.escape, sorted({*self.pseudonyms, *self.words}, key=len, reverse=True)))
        return re.compile(rf"(?<![^\W_])({every})(?![^\W_])", re.IGNORECASE)


AS_THEY_ARE = Names()


def hidden_names(workspace: Path, cohort: Cohort, others: Iterable[str] = ()) -> Names:
    """Pseudonyms for the studies of a cohort: those that they have, and new ones for new studies.

    :param others: keys of studies that are not in the cohort any more.
    :raises WorkspaceError: the table of the workspace cannot be read or written.
    """
    keys = {*others, *(study.key for study in cohort.studies)}
    return Names(pseudonyms_of(keys, workspace / TABLE), _places(cohort), _words(cohort))


def pseudonyms_of(
    keys: Iterable[str], table: Path, draw: Callable[[int], int] = secrets.randbelow
) -> Mapping[str, str]:
    """Study key → pseudonym, from a table that gets those that are new.

    :param draw: a number by chance from 0 to below the one it is given.
    :raises WorkspaceError: the table cannot be read or written.
    """
    import filelock

    wanted = set(keys)
    try:
        table.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(table.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            known = _read(table)
            new = [key for key in sorted(wanted) if key not in known]
            if new:
                known |= _drawn(new, set(known.values()), draw)
                _write(known, table)
    except filelock.Timeout:
        raise WorkspaceError("is being written by another process", table, "try again") from None
    except OSError as error:
        raise WorkspaceError(f"cannot be written ({error.strerror})", table, "make room, or get the right") from None
    return {key: known[key] for key in wanted}


def _drawn(keys: Iterable[str], taken: set[str], draw: Callable[[int], int]) -> dict[str, str]:
    """New pseudonyms, none of which is taken."""
    keys, found = list(keys), dict[str, str]()
    low = 100
    while 9 * low < _ROOM * (len(keys) + len(taken)):
        low *= 10
    for key in keys:
        while key not in found:
            name = f"Study {low + draw(9 * low)}"
            if name not in taken:
                taken.add(name)
                found[key] = name
    return found


def _read(table: Path) -> dict[str, str]:
    if not table.is_file():
        return {}
    try:
        head, *rows = csv.reader(io.StringIO(table.read_text(encoding="utf-8")))
        known = {key: name for key, name in rows}
        if head != _COLUMNS or not all(re.fullmatch(r"Study \d+", name) for name in known.values()):
            raise ValueError(table)
    except (csv.Error, ValueError):  # text that is no UTF-8 is a ValueError too
        remedy = "restore it, or delete it: the studies then get other pseudonyms"
        raise WorkspaceError("is no table of pseudonyms", table, remedy) from None
    if len(set(known.values())) < len(known):
        raise WorkspaceError("gives two studies one pseudonym", table, "put it right, or delete it")
    return known


def _write(known: Mapping[str, str], table: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_COLUMNS, *sorted(known.items())])
    write_text(table, text.getvalue())


def _places(cohort: Cohort) -> dict[str, tuple[str, Phase | None]]:
    """Every image and mask, the folder that holds one study, ``study <key>``."""
    places: dict[str, tuple[str, Phase | None]] = {}
    folders: dict[Path, set[str]] = {}
    for study in cohort.studies:
        places[f"study {study.key}"] = (study.key, None)
        for case in study.cases.values():
            folders.setdefault(case.image.parent, set()).add(study.key)
            places |= {str(path): (study.key, case.phase) for path in (case.image, case.expert) if path is not None}
    for folder, keys in folders.items():
        if len(keys) == 1 and folder != cohort.root:
            places.setdefault(str(folder), (next(iter(keys)), None))
    return places


def _words(cohort: Cohort) -> frozenset[str]:
    """Names of files and folders that may be those of studies: of images, and of what there are problems with."""
    paths = [case.image for case in cohort.cases()] + [Path(problem.where) for problem in cohort.problems]
    below = [path.relative_to(cohort.root) if path.is_relative_to(cohort.root) else path for path in paths]
    return frozenset(part for path in below for part in path.parts) - {"/", "\\"} | {cohort.root.name}
