"""A ledger that is lost or damaged, made again from the sidecars: it says what the old one said."""

import errno
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ball_masks import ball, soft
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.errors import PlaceError, WorkspaceError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.ledger import LEDGER, SCHEMA_VERSION
from LiverSegSSLLib.labels.rebuild import rebuild
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.types import Decision, Score

CASES = ("P1__T1", "P1__T2", "P2__GED4")


def said_by(workspace: Path) -> list[Any]:
    """All that a ledger says, parameters too, as text: not-a-number differs from itself."""
    with LabelStore.open(workspace) as store:
        labels = [(label, dict(label.parameters)) for label in store.labels()]
        return [repr(part) for part in (labels, [store.history(case) for case in CASES], store.decisions())]


def write_some(workspace: Path) -> None:
    """A workspace with every kind of row."""
    with LabelStore.open(workspace) as store:
        store.add("P2__GED4", ball(2), source="expert", round=0, state=LabelState.EXPERT, author="Dr. Ä", key="e")
        first = store.add("P1__T1", ball(), source="atlas", round=1, probability=soft(), parameters={"a": [1, 2.5]})
        second = store.add("P1__T2", ball(), source="atlas", round=1, parents=[first.id], seed=3, seconds=1.25)
        scores = (Score("entropy", 0.1, True, ""), Score("stability", float("nan"), False, "no earlier label"))
        store.record(*(Decision(label.case_id, label.id, scores, True, "", 0.5) for label in (first, second)))
        store.review(first.id, LabelState.ACCEPTED, author="A", seconds=4, comment="good")
        store.correct(second.id, ball(2), author="B", seconds=30)
        store.review(first.id, LabelState.REJECTED, author="B")
        store.record(Decision("P1__T1", first.id, scores[:1], False, "entropy", 1.0))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("written") / "work"
    write_some(workspace)
    return workspace


@pytest.fixture
def workspace(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "work")


def test_it_says_what_the_old_one_said_and_goes_on(workspace: Path, written: Path) -> None:
    (workspace / LEDGER).unlink()
    made = rebuild(workspace)
    assert (made.labels, made.decisions, made.left_out, made.old) == (4, 3, (), None)
    assert said_by(workspace) == said_by(written)
    with LabelStore.open(workspace) as store:
        assert all(store.verify(label) for label in store.labels())
        assert store.repair_sidecars() == []
        assert store.add("P1__T1", ball(), source="atlas", round=2).version == 2
        # The numbers go on: no sidecar takes the place of another.
        store.review("P1__T1.v2", LabelState.ACCEPTED, author="A")
    assert not (workspace / "lost+found").exists()


def test_the_damaged_ledger_is_kept(workspace: Path, written: Path) -> None:
    damaged = b"not a database at all" * 100
    (workspace / LEDGER).write_bytes(damaged)
    made = rebuild(workspace)
    assert made.old is not None and made.old.read_bytes() == damaged
    assert said_by(workspace) == said_by(written)


Operation = tuple[str, int, int]
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["add", "review", "correct", "record"]), st.integers(0, 2), st.integers(0, 9)),
    max_size=14,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_whatever_was_done_before(operations: list[Operation], tmp_path_factory: pytest.TempPathFactory) -> None:
    workspace = tmp_path_factory.mktemp("any") / "work"
    with LabelStore.open(workspace) as store:
        for what, which, number in [("add", 0, 0), *operations]:
            _do(store, what, CASES[which], number)
    before = said_by(workspace)
    (workspace / LEDGER).unlink()
    assert rebuild(workspace).left_out == ()
    assert said_by(workspace) == before


def _do(store: LabelStore, what: str, case_id: str, number: int) -> None:
    labels = store.labels(case_id=case_id)
    if what == "add" or not labels:
        store.add(case_id, ball(), source="atlas", round=number, probability=soft() if number % 2 else None)
        return
    label = labels[number % len(labels)]
    if what == "correct":
        store.correct(label.id, ball(1), author="A", seconds=number)
    elif what == "record":
        store.record(Decision(case_id, label.id, (Score("s", number / 7, number > 4, ""),), number > 4, "why", 0.1))
    elif label.state is not LabelState.REJECTED:
        store.review(label.id, LabelState.REJECTED, author="B", comment=str(number))


# --- what cannot be used ----------------------------------------------------------------------------------------


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return apply


BAD = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "nested": lambda path: path.write_text("[" * 100_000),
    "another file": _changed(lambda data: data["label"].update(path="../../etc/passwd")),
    "another case": _changed(lambda data: data["label"].update(case_id="P9__T1")),
    "a study with a slash": _changed(lambda data: data["label"].update(case_id="../P1__T1")),
    "no state": _changed(lambda data: data["label"].update(state="good", made_as="good")),
    "text for a number": _changed(lambda data: data["label"].update(version="1")),
    "no time": _changed(lambda data: data["label"].update(created="yesterday")),
    "a column more": _changed(lambda data: data["label"].update(more=1)),
    "newer": _changed(lambda data: data.update(schema=99)),
}


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_sidecar_is_told_and_the_others_are_used(workspace: Path, kind: str) -> None:
    (workspace / LEDGER).unlink()
    BAD[kind](workspace / "labels" / "P1__T1" / "P1__T1.v1.json")
    made = rebuild(workspace)
    assert made.labels == 3 and len(made.left_out) == 1
    assert "P1__T1.v1.json" in made.left_out[0] and "\n" not in made.left_out[0]
    said: list[Event] = []
    with LabelStore.open(workspace, report=Reporter(said.append)) as store:
        assert [label.id for label in store.labels()] == ["P1__T2.v1", "P1__T2.v2", "P2__GED4.v1"]
    # Its mask is not thrown away.
    assert np.asarray((workspace / "lost+found" / "P1__T1.v1.nii.gz").stat().st_size) > 0


def test_without_any_sidecar_nothing_is_touched(workspace: Path) -> None:
    for path in (workspace / "labels").rglob("*.json"):
        path.unlink()
    before = (workspace / LEDGER).read_bytes()
    with pytest.raises(WorkspaceError, match=r"no sidecar of a label.*restore the workspace from a backup"):
        rebuild(workspace)
    assert (workspace / LEDGER).read_bytes() == before


# --- older workspaces -------------------------------------------------------------------------------------------


def test_a_workspace_of_the_first_version_gets_its_sidecars_when_it_is_opened(workspace: Path, written: Path) -> None:
    for path in (workspace / "labels").rglob("*.json"):
        path.unlink()
    with sqlite3.connect(workspace / LEDGER) as ledger:
        ledger.execute("UPDATE workspace SET schema_version = 1")
    ledger.close()
    LabelStore.open(workspace).close()
    with sqlite3.connect(workspace / LEDGER) as ledger:
        assert ledger.execute("SELECT schema_version FROM workspace").fetchone() == (SCHEMA_VERSION,)
    ledger.close()
    (workspace / LEDGER).unlink()
    rebuild(workspace)
    assert said_by(workspace) == said_by(written)


def test_a_sidecar_that_was_changed_is_written_again_and_the_changed_one_kept(workspace: Path) -> None:
    label = workspace / "labels" / "P1__T1" / "P1__T1.v1.json"
    decisions = workspace / "labels" / "decisions" / "1.json"
    right = [label.read_text(), decisions.read_text()]
    label.write_text(label.read_text().replace("atlas", "expert"))
    decisions.write_text("{")
    with LabelStore.open(workspace) as store:
        assert len(store.repair_sidecars()) == 2
        assert store.repair_sidecars() == []
    assert [label.read_text(), decisions.read_text()] == right
    assert "expert" in (workspace / "lost+found" / label.name).read_text()


def test_no_label_is_left_out_because_a_share_is_gone(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / LEDGER).unlink()
    read = Path.read_text

    def fail_once(path: Path, *positional: Any, **named: Any) -> str:
        if path.name == "P1__T1.v1.json":
            raise OSError(errno.ESTALE, "Stale file handle")
        return read(path, *positional, **named)

    with monkeypatch.context() as patch, pytest.raises(PlaceError, match="there again"):
        patch.setattr(Path, "read_text", fail_once)
        rebuild(workspace)
    assert not (workspace / LEDGER).exists()
    assert not rebuild(workspace).left_out
