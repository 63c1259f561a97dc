"""What must hold after every kill: looked at by a process that knows nothing of the one that was killed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import unfinished
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.checks import check_workspace
from Testing.crash.outcome import Rows, checksums, ledger_rows, sha256
from Testing.crash.verbs import Place, lose_ledger

Said = list[dict[str, Any]]
"""What was acknowledged, in order."""


def acknowledge_to(path: Path) -> None:
    """From now on every label, verdict and decision that the store has taken is written down there, by all processes
    that are forked from this one. (It is out of reach of the faults.)"""

    def said(name: str, describe: Callable[[Any, tuple[Any, ...]], Said]) -> None:
        real = getattr(LabelStore, name)

        def method(self: LabelStore, *positional: Any, **named: Any) -> Any:
            answer = real(self, *positional, **named)
            lines = "".join(json.dumps(line) + "\n" for line in describe(answer, positional))
            with path.open("a") as file:
                file.write(lines)
            return answer

        setattr(LabelStore, name, method)

    def label(answer: Any, _: tuple[Any, ...]) -> Said:
        return [{"label": answer.id, "sha256": answer.sha256}]

    for name in ("add", "add_expert", "correct"):
        said(name, label)
    said("review", lambda answer, _: [{"review": answer.id, "state": answer.state.value}])
    said("record", lambda _, made: [{"decision": each.label_id, "keep": each.keep} for each in made])


def acknowledged(path: Path) -> Said:
    """What was acknowledged so far. A line that a kill has cut was not."""
    if not path.is_file():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [json.loads(line) for line in lines]


def faults_after(place: Place, said: Said, given: dict[str, str], *, rebuild: bool) -> list[str]:
    """What is wrong; empty: nothing.

    :param said: what was acknowledged.
    :param given: checksums of the user's own files.
    :param rebuild: also lose the ledger, have it made again and compare.
    """
    faults = [f"{path}: not as it was given" for path in changed(given, checksums(place.data, place.truth))]
    work = place.workspace
    if not (work / "ledger.sqlite").is_file() and not said:
        return faults
    with LabelStore.open(work) as store:
        faults += [f"{path}: its sidecar did not say what the ledger says" for path in store.repair_sidecars()]
    rows = ledger_rows(work)
    faults += [*_files_and_rows(work, rows), *_versions(rows), *_lost(rows, said)]
    left = unfinished([*work.glob(".*"), *work.glob("labels/*/.*")])
    faults += [f"{path}: half-written, and not removed" for path in left]
    if rebuild and rows["labels"]:
        lose_ledger(work)
        findings = check_workspace(work)
        faults += [f"doctor: {each.what}: {each.found}" for each in findings if each.broken]
        again = ledger_rows(work)
        faults += [f"the ledger that was made again differs: {table}" for table in rows if rows[table] != again[table]]
        faults += [f"{path}: half-written, and not removed" for path in unfinished(work.rglob(".*"))]
    return faults


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The files that are not the same in both."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _files_and_rows(work: Path, rows: Rows) -> list[str]:
    faults, known = [], set[str]()
    for row in rows["labels"]:
        known |= {row["path"], row["probability_path"]}
        if not (work / row["path"]).is_file():
            faults.append(f"{row['id']}: a row without its file")
        elif sha256(work / row["path"]) != row["sha256"]:
            faults.append(f"{row['id']}: its file has another checksum")
        if row["probability_path"] and not (work / row["probability_path"]).is_file():
            faults.append(f"{row['id']}: a row without its probability map")
    for path in work.glob("labels/*/*.nii.gz"):
        if path.relative_to(work).as_posix() not in known:
            faults.append(f"{path}: a file without a row")
    return faults


def _versions(rows: Rows) -> list[str]:
    versions = defaultdict(list)
    for row in rows["labels"]:
        versions[row["case_id"]].append(row["version"])
    return [
        f"{case}: versions {there}" for case, there in versions.items() if sorted(there) != [*range(1, len(there) + 1)]
    ]


def _lost(rows: Rows, said: Said) -> list[str]:
    labels = {row["id"]: row["sha256"] for row in rows["labels"]}
    reviews = {(row["label_id"], row["state"]) for row in rows["reviews"]}
    decisions = {(row["label_id"], bool(row["keep"])) for row in rows["decisions"]}
    faults = []
    for each in said:
        there = (
            labels.get(each["label"]) == each["sha256"]
            if "label" in each
            else (each["review"], each["state"]) in reviews
            if "review" in each
            else (each["decision"], each["keep"]) in decisions
        )
        if not there:
            faults.append(f"{each}: was acknowledged and is lost")
    return faults
