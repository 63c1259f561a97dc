"""The logic's first part: one cohort, its workspace, its labels. Free of Qt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from LiverSegSSLLib.errors import CohortError
from LiverSegSSLPanel.cohort_rows import StudyRow, filtered, study_rows

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Case, Cohort
    from LiverSegSSLLib.labels.store import LabelStore


class CohortLogic:
    """A cohort that is open, and the workspace that belongs to it."""

    def __init__(self) -> None:
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
        from LiverSegSSLLib.cohort.index import open_cohort
        from LiverSegSSLLib.labels.store import LabelStore
        from LiverSegSSLLib.rounds.places import Places

        data, place = places(folder, workspace)
        cohort = open_cohort(data, pattern=pattern or None, cache=Places(place, "").index)
        store = LabelStore.open(place)
        self.closeCohort()
        self._cohort, self._workspace, self._data, self._pattern = cohort, place, data, pattern or None
        self._store = store
        return self.rows()

    def closeCohort(self) -> None:
        """Let go of the cohort; jobs go on."""
        if self._store is not None:
            self._store.close()
        self._cohort = self._workspace = self._store = self._data = None

    def rows(self, state: str = "", phase: str = "", vendor: str = "", text: str = "") -> list[StudyRow]:
        """The cohort as a table, a row for each study; filtered by what is given."""
        rows = study_rows(self.cohort, self.store.labels(), self.store.decisions())
        return filtered(rows, state, phase, vendor, text)

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
