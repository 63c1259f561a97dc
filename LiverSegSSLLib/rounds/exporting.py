"""Masks for others: the labels that stand, as files ``<study>/<phase>.nii.gz`` or in CARE's submission layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import copy_file
from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.cohort.study import Case
from LiverSegSSLLib.errors import LabelError
from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.places import Places


def export(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """As a job: copy the label that stands for each case of ``data`` to ``output``.

    ``states``: names of the label states to export, all without it; ``care``: CARE's submission layout.
    """
    workspace, output = Path(parameters["workspace"]), Path(parameters["output"])
    cohort = open_cohort(
        Path(parameters["data"]), pattern=parameters.get("pattern"), cache=Places(workspace, "").index, report=report
    )
    states = {LabelState(name) for name in parameters.get("states") or LabelState}
    with LabelStore.open(workspace, report=report) as store:
        standing = store.current_all()
        masks: list[tuple[Case, Path]] = []
        counted: Counter[str] = Counter()
        for case in cohort.cases():
            label = standing.get(case.id)
            if case.expert is not None and (label is None or label.state is not LabelState.EXPERT):
                label = store.add_expert(case)
            if label is not None and label.state in states:
                masks.append((case, store.mask_path(label)))
                counted[label.state.value] += 1
        if not masks:
            wanted = ", ".join(sorted(states))
            raise LabelError(f"there is no label that is {wanted}", workspace, "propose or review first")
        write_masks(masks, output, parameters.get("care", False), report)
    what = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
    return {"lines": [f"{len(masks)} masks: {what}"], "files": {"Masks": str(output)}}


def write_masks(
    masks: Iterable[tuple[Case, Path]], folder: Path, care: bool = False, report: Reporter | None = None
) -> None:
    """Copy masks to ``folder``: ``<study>/<phase>.nii.gz``, or in CARE's submission layout. A file appears whole."""
    if care:
        from LiverSegSSLLib.predict.submission import write_submission

        write_submission(masks, folder)
        return
    there = list(masks)
    for done, (case, mask) in enumerate(there, start=1):
        target = folder / case.study / f"{case.phase.value}.nii.gz"
        copy_file(mask, target)
        if report is not None:
            report.progress("export", done, len(there), case.id)
