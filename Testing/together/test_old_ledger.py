"""A ledger from a backup is put in place of a newer one: it knows less than the label files, which must stay."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import delete

from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.labels.address import VARIABLE
from LiverSegSSLLib.labels.ledger import LEDGER, DecisionRow, LabelRow, Ledger, ReviewRow, ScoreRow
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.labels.upkeep import MOST_KILLED
from LiverSegSSLLib.rounds.checks import check_workspace
from Testing.together.server import Server
from Testing.together.soundness import require_sound
from Testing.together.workspace import PHASES, fill, propose

STUDIES = MOST_KILLED // len(PHASES) + 2


def files(workspace: Path) -> list[str]:
    """Names of all label files."""
    return sorted(path.name for path in (workspace / "labels").rglob("*") if path.is_file())


def test_an_old_file_is_not_used_and_doctor_makes_it_whole(tmp_path: Path) -> None:
    workspace, backup = tmp_path / "work", tmp_path / "backup.sqlite"
    with LabelStore.open(workspace) as store:
        propose(store, "P9999__T1")
    shutil.copy(workspace / LEDGER, backup)
    with LabelStore.open(workspace) as store:
        fill(store, STUDIES)
        labels, decisions = store.labels(), store.decisions()
    shutil.copy(backup, workspace / LEDGER)
    before = files(workspace)
    with pytest.raises(WorkspaceError, match=rf"does not know {STUDIES * len(PHASES)} of the labels.*doctor"):
        LabelStore.open(workspace)
    assert files(workspace) == before
    (found,) = [each for each in check_workspace(workspace) if each.what == "Ledger"]
    assert found.repaired and "older than" in found.found
    with LabelStore.open(workspace) as store:
        assert (store.labels(), store.decisions()) == (labels, decisions)
        require_sound(store)
    assert files(workspace) == before


def test_an_old_database_is_not_used_and_doctor_fills_an_empty_one(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "work"
    monkeypatch.setenv(VARIABLE, server.database())
    with LabelStore.open(workspace) as store:
        fill(store, STUDIES)
        labels, decisions = store.labels(), store.decisions()
        with Ledger(store._ledger.url).writing() as session:
            for table in (ScoreRow, DecisionRow, ReviewRow):
                session.execute(delete(table).where(table.label_id != "P0000__T1.v1"))
            session.execute(delete(LabelRow).where(LabelRow.id != "P0000__T1.v1"))
    before = files(workspace)
    for look in (LabelStore.open, check_workspace):
        with pytest.raises(WorkspaceError, match=rf"does not know .* name an empty database in {VARIABLE}"):
            look(workspace)
    assert files(workspace) == before
    monkeypatch.setenv(VARIABLE, server.database())
    assert not any(each.broken for each in check_workspace(workspace))
    with LabelStore.open(workspace) as store:
        assert (store.labels(), store.decisions()) == (labels, decisions)
