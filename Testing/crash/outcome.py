"""What a workspace holds, as plain data: two are compared by it, however often their verbs were killed."""

from __future__ import annotations

import csv
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from Testing.crash.verbs import Place

Row = dict[str, Any]
Rows = dict[str, list[Row]]

TABLES = ("labels", "reviews", "decisions", "scores")
_JSON = ("parents", "parameters", "grid")
"""Columns in which the order of names says nothing."""


def sha256(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checksums(*folders: Path) -> dict[str, str]:
    """Of all files below folders."""
    return {str(path): sha256(path) for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}


def ledger_rows(workspace: Path) -> Rows:
    """All rows of the ledger, read without our own code; empty: there is no ledger."""
    if not (workspace / "ledger.sqlite").is_file():
        return {}
    connection = sqlite3.connect(workspace / "ledger.sqlite")
    connection.row_factory = sqlite3.Row
    try:
        return {
            table: [_plain(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1")] for table in TABLES
        }
    finally:
        connection.close()


def outcome(place: Place) -> dict[str, Any]:
    """Everything that must be the same after a verb that was killed and one that was not: no times, no numbers of
    reviews, and a correction that was given twice counts once."""
    work = place.workspace
    found: dict[str, Any] = {"labels": _labels(work)}
    for state in sorted(work.glob("runs/*/state.json")):
        stages = json.loads(state.read_text())["stages"]
        found[f"state of {state.parent.name}"] = {name: stage["output"] for name, stage in sorted(stages.items())}
    for path in sorted(work.glob("runs/*/manifest.json")):
        found[f"manifest of {path.parent.name}"] = json.loads(path.read_text())
    for path in sorted(work.glob("runs/*/metrics.csv")):
        rows = list(csv.DictReader(path.open()))
        found["metrics"] = [{name: row[name] for name in row if name not in ("seconds", "peak_mb")} for row in rows]
    found["reports"] = [path.read_text().rstrip().endswith("</html>") for path in work.glob("runs/*/report.html")]
    found["pictures"] = [sha256(path) for path in work.glob("runs/*/overview.png")]
    found["masks"] = _masks(*work.glob("runs/*/predictions"), place.output)
    found["weights"] = {
        str(path.relative_to(work)): _weights(path) for path in sorted(work.glob("nnunet/**/checkpoint_final.pth"))
    }
    found["shelf"] = _shelf(place.shelf)
    index = work / "cache" / "index.json"
    found["index"] = json.loads(index.read_text()) if index.is_file() else None
    return json.loads(json.dumps(found))


def _plain(row: sqlite3.Row) -> Row:
    return {name: json.loads(row[name]) if name in _JSON else row[name] for name in row.keys()}  # noqa: SIM118


def _labels(work: Path) -> list[list[Any]]:
    rows = ledger_rows(work)
    if not rows:
        return []
    newest = {row["label_id"]: row for row in rows["decisions"]}
    kept = {label_id: (row["keep"], row["reason"], row["need"]) for label_id, row in newest.items()}
    scores: dict[str, list[Any]] = {}
    for row in rows["scores"]:
        if row["decision"] == newest[row["label_id"]]["number"]:
            scores.setdefault(row["label_id"], []).append((row["name"], row["value"], row["ok"], row["reason"]))
    columns = ("case_id", "source", "round", "made_as", "state", "sha256", "seed", "parameters")
    for row in rows["labels"]:
        row["parameters"].pop("model", None)  # the checksum of a file in which times stand; its weights are compared
    found = {
        json.dumps([*(row[name] for name in columns), kept.get(row["id"]), scores.get(row["id"], [])], sort_keys=True)
        for row in rows["labels"]
    }
    return sorted(json.loads(row) for row in found)


def _masks(*folders: Path) -> dict[str, str]:
    return {
        f"{folder.name}/{path.relative_to(folder)}": sha256(path)
        for folder in folders
        for path in sorted(folder.rglob("*.nii.gz"))
    }


def _weights(path: Path) -> str:
    from LiverSegSSLLib.checkpoint import load_checkpoint

    digest = hashlib.sha256()
    for name, tensor in load_checkpoint(path)["network_weights"].items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _shelf(folder: Path) -> dict[str, Any]:
    from LiverSegSSLLib.models.shelf import Shelf

    shelf = Shelf(folder)
    return {
        place.weights.name: shelf.verify(place.weights.name) for place in shelf.listing() if place.state != "absent"
    }
