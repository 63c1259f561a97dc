"""What a person does in Cohort, and what its table shows: shared by the tests of that section."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PATIENCE_S = 60.0


def wait_for_table(host: Any, cohort: Any, studies: int) -> None:
    """Until the table shows so many studies."""
    host.process(
        lambda: cohort.panel.has_cohort and len(cohort.table.rows) == studies and not cohort.table.filling, PATIENCE_S
    )


def open_folder(host: Any, cohort: Any, folder: Path, workspace: Path, studies: int = 4) -> None:
    """Choose a folder and a workspace, press Open, wait."""
    host.choose_folder(cohort.ui.folderPath, folder)
    if cohort.ui.advancedBox.collapsed:
        cohort.ui.advancedBox.collapsed = False
    host.choose_folder(cohort.ui.workspacePath, workspace)
    host.click(cohort.ui.openButton)
    wait_for_table(host, cohort, studies)


def show_cohort(host: Any, cohort: Any, folder: Path, workspace: Path) -> None:
    """A cohort that has been opened elsewhere: no job has to be waited for."""
    from LiverSegSSLPanel.notices import Notice  # now: Reload makes another one

    cohort.panel.logic.openCohort(folder, workspace)
    cohort.panel.tell(Notice.COHORT)
    wait_for_table(host, cohort, 4)


def seen(cohort: Any) -> list[list[str]]:
    """What the table shows; a badge as what it says to a screen reader."""
    import qt

    model = cohort.ui.studyTable.model()

    def text(row: int, column: int) -> str:
        index = model.index(row, column)
        return str(model.data(index, qt.Qt.AccessibleTextRole) or model.data(index, qt.Qt.DisplayRole) or "")

    return [[text(row, column) for column in range(model.columnCount())] for row in range(model.rowCount())]


def studies_seen(cohort: Any) -> list[str]:
    return [row[0] for row in seen(cohort)]
