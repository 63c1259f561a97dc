"""The logic's first part: one cohort, its workspace, its labels. Free of Qt."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from LiverSegSSLLib.errors import CohortError
from LiverSegSSLPanel.cohort_rows import StudyRow, filtered, study_rows
from LiverSegSSLPanel.task import Steps, Task

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Case, Cohort
    from LiverSegSSLLib.labels.store import LabelStore


@dataclass(frozen=True)
class Source:
    """Where a cohort comes from, as a person says it: folder or CSV table; workspace and pattern may be empty."""

    data: str
    workspace: str = ""
    pattern: str = ""

    @property
    def is_table(self) -> bool:
        """Whether the data are named in a table."""
        return self.data.lower().endswith(".csv")


@dataclass(frozen=True, eq=False)
class OpenedCohort:
    """A cohort that has been read, with its ledger, and not yet taken over."""

    cohort: Cohort
    store: LabelStore
    data: Path
    workspace: Path
    pattern: str | None
    rows: list[StudyRow]


class CohortLogic:
    """A cohort that is open, and the workspace that belongs to it."""

    def __init__(self) -> None:
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="cohort")
        self._cohort: Cohort | None = None
        self._workspace: Path | None = None
        self._pattern: str | None = None
        self._data: Path | None = None
        self._store: LabelStore | None = None

    def openCohort(self, folder: str | Path, workspace: str | Path = "", pattern: str = "") -> list[StudyRow]:
        """Open a cohort; the one that was open before is closed, and what was drawn in it kept as work in progress.

        :param folder: of the studies, or a CSV table of the images.
        :param workspace: where all is written; empty: beside the data.
        :param pattern: how flat files are named, as ``{study}_{phase}.nii.gz``.
        :raises CohortError: there is nothing that could be a cohort.
        :raises WorkspaceError: the workspace cannot be used.
        """
        return self.beginOpening(folder, workspace, pattern).wait()

    def beginOpening(self, folder: str | Path, workspace: str | Path = "", pattern: str = "") -> Task[list[StudyRow]]:
        """See :meth:`openCohort`; the cohort that was open stays so until the other one has been read."""

        def steps() -> Steps[list[StudyRow]]:
            opened = yield lambda: _read_cohort(folder, workspace, pattern)
            self._takeOver(opened)
            return opened.rows

        return Task(steps(), self._opener)

    def _takeOver(self, opened: OpenedCohort) -> None:
        self.closeCohort()
        self._cohort, self._workspace, self._data = opened.cohort, opened.workspace, opened.data
        self._pattern, self._store = opened.pattern, opened.store

    def closeCohort(self) -> None:
        """Let go of the cohort; jobs go on."""
        if self._store is not None:
            self._store.close()
        self._cohort = self._workspace = self._store = self._data = None

    def rows(self, state: str = "", phase: str = "", vendor: str = "", text: str = "") -> list[StudyRow]:
        """The cohort as a table, a row for each study; filtered by what is given."""
        return filtered(_rows(self.cohort, self.store), state, phase, vendor, text)

    def beginRows(self) -> Task[list[StudyRow]]:
        """All rows, read in a thread: with thousands of labels that takes a moment."""
        cohort, store = self.cohort, self.store

        def steps() -> Steps[list[StudyRow]]:
            rows = yield lambda: _rows(cohort, store)
            return rows

        return Task(steps(), self._opener)

    def problems(self) -> list[str]:
        """What is wrong with the data, in sentences."""
        return [str(problem) for problem in self.cohort.problems]

    @property
    def hasCohort(self) -> bool:
        """Whether a cohort is open."""
        return self._cohort is not None

    @property
    def data(self) -> Path:
        """The folder (or table) of the cohort that is open."""
        assert self.cohort is not None and self._data is not None
        return self._data

    @property
    def source(self) -> Source:
        """What the cohort that is open was opened from; the workspace is empty where it is the usual one."""
        usual = places(self.data, "")[1] == self.workspace
        return Source(str(self.data), "" if usual else str(self.workspace), self._pattern or "")

    @property
    def cohort(self) -> Cohort:
        """The cohort that is open.

        :raises CohortError: none is.
        """
        if self._cohort is None:
            raise CohortError("no cohort is open", None, "choose a folder")
        return self._cohort

    @property
    def workspace(self) -> Path:
        """The folder that all is written into."""
        assert self.cohort is not None and self._workspace is not None
        return self._workspace

    @property
    def store(self) -> LabelStore:
        """The labels of the workspace."""
        assert self.cohort is not None and self._store is not None
        return self._store

    def case(self, caseId: str) -> Case:
        """A case of the cohort.

        :raises CohortError: there is none of this id.
        """
        try:
            return self.cohort.case(caseId)
        except (KeyError, ValueError):
            raise CohortError("is no case of this cohort", caseId, "ids are <study>__<phase>") from None


def places(folder: str | Path, workspace: str | Path) -> tuple[Path, Path]:
    """The data and the workspace that a user means.

    :raises CohortError: there are no such data.
    """
    from LiverSegSSLLib.rounds.places import default_workspace

    data = Path(folder).expanduser().absolute()
    if not data.exists():
        raise CohortError("is not there", data, "choose a folder of studies, or a CSV table of the images")
    return data, Path(workspace).expanduser().absolute() if str(workspace) else default_workspace(data)


def _read_cohort(folder: str | Path, workspace: str | Path, pattern: str) -> OpenedCohort:
    from LiverSegSSLLib.cohort.index import open_cohort
    from LiverSegSSLLib.labels.store import LabelStore
    from LiverSegSSLLib.rounds.places import Places

    data, place = places(folder, workspace)
    cohort = open_cohort(data, pattern=pattern or None, cache=Places(place, "").index)
    store = LabelStore.open(place)
    return OpenedCohort(cohort, store, data, place, pattern or None, _rows(cohort, store))


def _rows(cohort: Cohort, store: LabelStore) -> list[StudyRow]:
    return study_rows(cohort, store.labels(), store.decisions())
