"""Two people review while a round runs: nothing is lost, and the round never holds the ledger for long."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from LiverSegSSLLib.labels import verdicts
from LiverSegSSLLib.labels.label import LabelState
from LiverSegSSLLib.labels.ledger import Ledger
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.types import Decision
from Testing.together.people import Acknowledged, Settings, ended, start
from Testing.together.soundness import require_sound
from Testing.together.waits import Effort, counted
from Testing.together.workspace import PHASES, ball, fill, judged, propose

STUDIES, VERDICTS, PROPOSALS = 3, 10, 20


def at_work(workspace: Path, url: str | None) -> dict[str, Acknowledged]:
    """Two reviewers and two rounds (of two recipes), from their beginning to their end."""
    processes = {}
    for seed, name in enumerate(("Ada", "Ben", "default", "other")):
        role, actions = ("round", PROPOSALS) if seed > 1 else ("reviewer", VERDICTS)
        processes[name] = start(Settings(role, name, str(workspace), url, seed, STUDIES, actions, think_s=0.02))
    return {name: ended(process) for name, process in processes.items()}


def test_two_reviewers_and_two_rounds_lose_nothing(tmp_path: Path, url: str | None) -> None:
    workspace = tmp_path / "work"
    with LabelStore.open(workspace, url) as store:
        first = {label.id for label in fill(store, STUDIES, reviewed=10**6)}
    done = at_work(workspace, url)
    with LabelStore.open(workspace, url) as store:
        require_sound(store)
        ids = [label_id for each in done.values() for label_id in (*each.proposals, *each.corrections)]
        assert len(ids) == len(set(ids)), "two were told of the same label"
        labels = {label.id: label for label in store.labels()}
        assert labels.keys() == first | set(ids)
        assert {labels[label_id].author for label_id in done["Ada"].corrections} <= {"Ada"}
        # Every verdict stands in the history once, in its author's order; the last of a label is its state.
        history = [
            entry for case_id in {label.case_id for label in labels.values()} for entry in store.history(case_id)
        ]
        for name in ("Ada", "Ben"):
            said = [
                (entry.label_id, entry.state.value)
                for entry in sorted(history, key=lambda entry: entry.time)
                if entry.author == name and entry.state is not LabelState.CORRECTED
            ]
            assert said == done[name].verdicts
        assert sum(done[name].actions for name in ("Ada", "Ben")) == 2 * VERDICTS
        newest = store.decisions()
        for label_id in first | set(ids):
            given = [
                done[name].decisions[label_id] for name in ("default", "other") if label_id in done[name].decisions
            ]
            if given:
                assert newest[label_id].need in given and len(newest[label_id].scores) == 5


def test_two_that_do_the_same_work_at_once_do_it_once(tmp_path: Path, url: str | None) -> None:
    """A piece of work that has a name is kept once, whoever comes first."""
    workspace = tmp_path / "work"
    both = [start(Settings("round", "same", str(workspace), url, 0, STUDIES, PROPOSALS)) for _ in range(2)]
    first, second = (ended(process) for process in both)
    assert first.proposals == second.proposals
    with LabelStore.open(workspace, url) as store:
        require_sound(store)
        assert sorted(label.id for label in store.labels()) == sorted(first.proposals)


def test_decisions_that_another_process_has_overtaken_are_worked_out_again(
    tmp_path: Path, url: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process decides between the look and the write: both are kept, the later counts, no number twice."""
    with LabelStore.open(tmp_path / "work", url) as store, LabelStore.open(tmp_path / "work", url) as other:
        label = propose(store, "P1__T1")
        stage = store._files.stage_sidecar
        first = iter([judged(label, 0.1)])

        def staged(content: dict[str, object]) -> Path:
            other.record(*itertools.islice(first, 1))
            return stage(content)

        monkeypatch.setattr(store._files, "stage_sidecar", staged)
        store.record(judged(label, 0.2))
        assert store.decisions()[label.id] == judged(label, 0.2)
        with Ledger(store._ledger.url).reading() as session:
            assert verdicts._last(session) == (2, 10)
        require_sound(store)


def test_decisions_of_a_large_cohort_are_kept_in_pieces_and_each_once(tmp_path: Path, url: str | None) -> None:
    with LabelStore.open(tmp_path / "work", url) as store:
        labels = [propose(store, "P1__T1"), propose(store, "P1__T2")]
        many = [judged(labels[number % 2], number / 1000) for number in range(2 * verdicts._PIECE + 7)]
        store.record(*many)
        store.record(*many[-2:])  # repeats what counts now
        assert store.decisions() == {each.label_id: each for each in many[-2:]}
        sidecars = sorted((store.workspace / "labels" / "decisions").glob("*.json"), key=lambda path: int(path.stem))
        assert [int(path.stem) for path in sidecars] == [1, verdicts._PIECE + 1, 2 * verdicts._PIECE + 1]
        require_sound(store)
        with pytest.raises(Exception, match="no such label"):
            store.record(judged(labels[0], 5.0), Decision("P1__T1", "P1__T1.v9", (), True, "", 0.0))
        assert store.decisions() == {each.label_id: each for each in many[-2:]}, "none of them is kept"


WORK: dict[str, Callable[[LabelStore], object]] = {
    "open": lambda store: LabelStore.open(store.workspace).close(),
    "propose": lambda store: propose(store, "P0000__GED4", 2),
    "propose another case": lambda store: propose(store, "P9999__GED4"),
    "decide on seven": lambda store: store.record(*(judged(label, 0.75) for label in store.labels(study="P0001"))),
    "accept": lambda store: store.review("P0000__T1.v1", LabelState.ACCEPTED, author="A"),
    "correct": lambda store: store.correct("P0000__T2.v1", ball(4), author="A"),
    "repair": lambda store: store.repair_sidecars(),
}


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelStore, LabelStore]:
    """A small workspace, and one seven times as large."""
    stores = []
    for studies in (2, 14):
        store = LabelStore.open(tmp_path_factory.mktemp("sizes") / "work")
        fill(store, studies)
        stores.append(store)
    return stores[0], stores[1]


@pytest.mark.parametrize("work", WORK)
def test_what_is_done_while_others_wait_does_not_grow_with_the_workspace(
    work: str, sizes: tuple[LabelStore, LabelStore]
) -> None:
    """Counted in steps of the database and in files touched, not in seconds: the computer may be busy."""
    small, large = (effort_of(lambda: WORK[work](store)) for store in sizes)  # noqa: B023
    assert large.instructions <= 1.3 * small.instructions + 20
    assert large.files <= small.files


def effort_of(work: Callable[[], object]) -> Effort:
    """Of all transactions that some work takes."""
    with counted() as effort:
        work()
    return effort


def test_a_large_scoring_is_done_in_pieces_of_the_same_size(
    sizes: tuple[LabelStore, LabelStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many decisions a round has, the ledger is held for so many at once."""
    monkeypatch.setattr(verdicts, "_PIECE", 14)
    small, large = sizes
    with counted() as few:
        small.record(*(judged(label, 0.3) for label in small.labels()[:14]))
    with counted() as many:
        large.record(*(judged(label, 0.3) for label in large.labels()[: 14 * len(PHASES)]))
    assert many.instructions > 5 * few.instructions
    assert many.most[0] <= 1.3 * few.most[0] + 20 and many.most[1] <= few.most[1]
