"""A department keeps its ledger in PostgreSQL: how it is named, what is said without it, how it is filled again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.cohort.scan import WORKSPACE_MARKER
from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.labels import ledger as ledger_module
from LiverSegSSLLib.labels.address import VARIABLE
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.ledger import SCHEMA_VERSION, DecisionRow, LabelRow, Ledger, WorkspaceRow
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.rounds.checks import check_workspace
from Testing.together.server import Server
from Testing.together.workspace import fill, judged, propose


@pytest.fixture
def named(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, which the environment names."""
    url = server.database()
    monkeypatch.setenv(VARIABLE, url)
    return url


@pytest.fixture
def workspace(tmp_path: Path, named: str) -> Path:
    """Seven labels, with decisions and a verdict, whose ledger is in that database."""
    with LabelStore.open(tmp_path / "work") as store:
        fill(store, 1)
    return tmp_path / "work"


def said(workspace: Path) -> list[object]:
    """All that the ledger says."""
    with LabelStore.open(workspace) as store:
        return [store.labels(), [store.history(label.case_id) for label in store.labels()], store.decisions()]


def test_the_environment_names_the_database_and_nothing_in_the_workspace_does(
    workspace: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", str(workspace.parent), "--workspace", str(workspace)]) == 0
    assert "Review first" in capsys.readouterr().out
    assert not (workspace / "ledger.sqlite").exists()
    for path in (path for path in workspace.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert server.password.encode() not in content and b"127.0.0.1" not in content, path


def test_a_workspace_with_a_file_keeps_it_whatever_the_environment_says(tmp_path: Path, named: str) -> None:
    with pytest.MonkeyPatch.context() as without:
        without.delenv(VARIABLE)
        with LabelStore.open(tmp_path / "old") as store:
            propose(store, "P1__T1")
    with LabelStore.open(tmp_path / "old") as store:
        assert len(store.labels()) == 1
    with pytest.raises(WorkspaceError, match=rf"is in sqlite – unset {VARIABLE}"):
        LabelStore.open(tmp_path / "old", named)
    assert Ledger(named).is_empty()


def _of_another_workspace(server: Server, url: str, folder: Path) -> str:
    other = server.database()
    LabelStore.open(folder, other).close()  # nothing in it yet, and taken all the same
    return other


def _of_a_newer_program(server: Server, url: str, folder: Path) -> str:
    with Ledger(url).writing() as session:
        session.execute(update(WorkspaceRow).values(schema_version=SCHEMA_VERSION + 1))
    return url


WRONG: dict[str, tuple[Callable[[Server, str, Path], str], str]] = {
    "not named": (lambda server, url, folder: "", rf"is in postgresql – set {VARIABLE} to the URL of its database"),
    "server down": (
        lambda server, url, folder: url.replace(f":{server.port}/", ":1/"),
        "refused.* – check that the server runs",
    ),
    "wrong password": (
        lambda server, url, folder: url.replace(server.password, "another-secret"),
        "authentication failed",
    ),
    "no such database": (lambda server, url, folder: f"{url}_", "does not exist"),
    "an empty one": (
        lambda server, url, folder: server.database(),
        rf"the ledger is empty, though labels were written before – .*{VARIABLE}.*doctor",
    ),
    "another workspace's": (_of_another_workspace, rf"belongs to another workspace – .*{VARIABLE}"),
    "a newer program's": (_of_a_newer_program, "newer LiverSegSSL.* – update"),
    "a file": (lambda server, url, folder: f"sqlite:///{folder}/a.sqlite", "is in postgresql"),
    "no driver": (lambda server, url, folder: url.replace("+psycopg", "+asyncpg"), "driver.*not installed"),
    "no URL": (lambda server, url, folder: f"postgresql://user:{server.password}@host:port/x", "URL cannot be used"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_without_the_password(
    wrong: str,
    workspace: Path,
    server: Server,
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    make, message = WRONG[wrong]
    monkeypatch.setenv(VARIABLE, make(server, named, tmp_path / "other"))
    before = sorted(workspace.rglob("*"))
    assert main(["review", str(tmp_path), "--workspace", str(workspace)]) == 1
    shown = capfd.readouterr().err
    assert re.search(message, shown) and len(shown.splitlines()) == 1, shown
    assert server.password not in shown and "another-secret" not in shown
    assert sorted(workspace.rglob("*")) == before


def test_a_password_file_will_do(workspace: Path, server: Server, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = workspace.parent / "pgpass"
    file.write_text(f"127.0.0.1:{server.port}:*:*:{server.password}\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    monkeypatch.setenv(VARIABLE, named.replace(f":{server.password}@", "@").replace("+psycopg", ""))
    with LabelStore.open(workspace) as store:
        assert len(store.labels()) == 7


def test_a_new_workspace_cannot_take_the_database_of_another(workspace: Path, named: str) -> None:
    with pytest.raises(WorkspaceError, match="labels of another workspace"):
        LabelStore.open(workspace.parent / "second")
    assert not (workspace.parent / "second" / "ledger.sqlite").exists()


def test_a_marker_that_is_lost_is_made_again(workspace: Path) -> None:
    before = said(workspace)
    (workspace / WORKSPACE_MARKER).write_text("{")
    assert not any(each.broken for each in check_workspace(workspace))
    assert said(workspace) == before


def test_doctor_fills_an_empty_database_from_the_label_files(
    workspace: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = said(workspace)
    monkeypatch.setenv(VARIABLE, server.database())
    (found,) = [each for each in check_workspace(workspace) if each.what == "Ledger"]
    assert found.repaired and "made again from the label files: 7 labels, 7 decisions" in found.found
    assert said(workspace) == before
    assert not any(each.repaired or each.broken for each in check_workspace(workspace))
    with LabelStore.open(workspace) as store:  # counting goes on
        label = propose(store, "P0000__GED4", 2)
        assert label.version == 2
        store.review(label.id, LabelState.ACCEPTED, author="A")
        store.record(judged(label))
    assert not any(each.repaired or each.broken for each in check_workspace(workspace))


def test_doctor_leaves_alone_what_it_cannot_reach(
    workspace: Path, server: Server, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(workspace.rglob("*"))
    monkeypatch.setenv(VARIABLE, named.replace(f":{server.port}/", ":1/"))
    with pytest.raises(WorkspaceError, match="check that the server runs"):
        check_workspace(workspace)
    assert sorted(workspace.rglob("*")) == before


def test_a_reading_sees_one_moment_of_the_ledger(workspace: Path, named: str) -> None:
    """Several questions in a row get answers of the same moment, though another process decides in between."""
    ledger = Ledger(named)
    with LabelStore.open(workspace) as store, ledger.reading() as session:
        count = select(func.count(DecisionRow.number))
        before = session.scalars(count).one()
        store.record(*(judged(label, 0.9) for label in store.labels()))
        assert session.scalars(count).one() == before
    with ledger.reading() as session:
        assert session.scalars(count).one() == 2 * before


def test_who_is_frozen_while_he_writes_is_let_go_of(
    workspace: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that was closed in the middle of a write must not keep all others waiting."""
    monkeypatch.setitem(ledger_module._POSTGRESQL, "options", "-c idle_in_transaction_session_timeout=200ms")
    frozen = Ledger(named)
    with pytest.raises(WorkspaceError, match="cannot be used"), frozen.writing() as session:
        session.execute(update(LabelRow).values(author="frozen"))
        with LabelStore.open(workspace) as store:  # waits for less than a second, then writes
            store.review("P0000__T1.v1", LabelState.ACCEPTED, author="A")
        session.execute(select(LabelRow.id))
    with LabelStore.open(workspace) as store:
        assert {label.author for label in store.labels()} == {""}
