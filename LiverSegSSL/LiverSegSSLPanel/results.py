"""What has come of a cohort, by phase and vendor: labels by state, and masks against the truth. Free of Qt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from LiverSegSSLPanel.cohort_rows import StudyRow, study_rows
from LiverSegSSLPanel.proposing import TrainedModel, trained_models

if TYPE_CHECKING:
    from LiverSegSSLLib.cohort.study import Cohort
    from LiverSegSSLLib.evaluate.tables import Moments, Summary
    from LiverSegSSLLib.labels.store import LabelStore


@dataclass(frozen=True)
class LabelCount:
    """The labels that stand for the cases of one phase of one vendor.

    ``states``: how many cases in which state (``none``: without a label); ``volume_ml``: of the livers in them.
    """

    phase: str
    vendor: str
    cases: int
    states: Mapping[str, int]
    volume_ml: Moments


@dataclass(frozen=True)
class Evaluation:
    """Masks against the truth.

    ``summaries``: a line for each source of masks (in order of the rounds, the final predictions last), phase and
    vendor; distances in mm.
    """

    run: str
    finished: datetime
    summaries: tuple[Summary, ...]

    @property
    def key(self) -> tuple[str, datetime]:
        """Tells one evaluation from another."""
        return self.run, self.finished

    @property
    def sources(self) -> list[str]:
        """What was measured: proposals of the rounds, final predictions."""
        return list(dict.fromkeys(summary.group["source"] for summary in self.summaries))


@dataclass(frozen=True)
class Results:
    """``evaluation``: the newest of the workspace; ``None``: nothing has been measured; ``models``: newest first;
    ``report``: the newest one."""

    labels: tuple[LabelCount, ...]
    evaluation: Evaluation | None
    models: tuple[TrainedModel, ...]
    report: Path | None


def read_results(cohort: Cohort, store: LabelStore, workspace: Path) -> Results:
    """What has come of a cohort. Reads the ledger once; any thread may ask.

    :raises BadInputError: the table of the evaluation cannot be read.
    """
    labels = store.labels()
    rows = study_rows(cohort, labels, store.decisions())
    runs = workspace / "runs"
    return Results(
        count_labels(rows, {label.id: label.volume_ml for label in labels}),
        newest_evaluation(runs.glob("*/metrics.csv")),
        tuple(trained_models(workspace)),
        newest_report(workspace),
    )


def newest_report(workspace: Path) -> Path | None:
    """The newest report of a workspace, if there is one."""
    reports = (workspace / "runs").glob("*/report.html")
    return max(reports, key=lambda path: path.stat().st_mtime, default=None)


def count_labels(rows: Sequence[StudyRow], volumes_ml: Mapping[str, float]) -> tuple[LabelCount, ...]:
    """A line for each phase and vendor.

    :param volumes_ml: by label id.
    """
    from LiverSegSSLLib.cohort.study import Phase
    from LiverSegSSLLib.evaluate.tables import moments

    counts = []
    for phase in Phase:
        cells = [(row.vendor, cell) for row in rows for cell in row.phases if cell.phase == phase.value]
        for vendor in sorted({vendor for vendor, _cell in cells}):
            group = [cell for one, cell in cells if one == vendor]
            standing = [cell for cell in group if cell.state != "rejected"]
            volumes = [volumes_ml[cell.label_id] for cell in standing if cell.label_id in volumes_ml]
            states = Counter(cell.state for cell in group)
            counts.append(LabelCount(phase.value, vendor, len(group), states, moments(volumes)))
    return tuple(counts)


def newest_evaluation(files: Iterable[Path]) -> Evaluation | None:
    """What the newest of some ``metrics.csv`` says.

    :raises BadInputError: it cannot be read.
    """
    from LiverSegSSLLib.evaluate.tables import read_csv, summarise

    newest = max(files, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        return None
    finished = datetime.fromtimestamp(newest.stat().st_mtime)
    return Evaluation(newest.parent.name, finished, summarise(read_csv(newest), ("source", "phase", "vendor")))
