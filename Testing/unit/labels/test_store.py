"""LabelStore: what is added stays, and the right label stands for a case."""

import dataclasses
import json
import math
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from ball_masks import GRID, ball, soft
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegSSLLib.cohort.scan import WORKSPACE_MARKER
from LiverSegSSLLib.cohort.study import Case, Phase
from LiverSegSSLLib.errors import GeometryError, LabelError, WorkspaceError
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.labels.label import Label, LabelState, may_become
from LiverSegSSLLib.labels.ledger import LEDGER
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.types import Decision, Score
from LiverSegSSLLib.volume import Geometry, Volume, read_volume, write_volume

CASE = "P1__T2"
NOTHING = Volume(np.zeros(GRID.shape, np.uint8), GRID)


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore.open(tmp_path / "work")


def _propose(store: LabelStore, case_id: str = CASE, radius: float = 3.0, round: int = 1) -> Label:
    return store.add(case_id, ball(radius), source="atlas", round=round)


def _expert_case(
    folder: Path, mask: Volume | None = None, *, singleton: bool = False, liver: int | None = None
) -> Case:
    image = folder / "GED4.nii.gz"
    write_volume(Volume(np.ones(GRID.shape, np.int16), GRID, singleton), image)
    write_volume(mask or ball(), folder / "mask_GED4.nii.gz")
    organs = () if liver is None else (("liver", liver),)
    return Case("P1", Phase.GED4, image, "A", folder / "mask_GED4.nii.gz", organs)


def _file_shape(path: Path) -> tuple[int, ...]:
    """The shape as another library sees it, (x, y, z) or (x, y, z, 1)."""
    image: Any = nibabel.load(path)
    return tuple(image.shape)


# --- adding -----------------------------------------------------------------------------------------------------


def test_a_label_comes_back_with_where_it_came_from(store: LabelStore) -> None:
    parameters = {"metric": "mi", "weights": (np.float32(0.5), 2), "levels": np.array([4, 2])}
    before = datetime.now(UTC) - timedelta(seconds=1)
    label = store.add(
        CASE,
        ball(),
        source="transfer",
        round=2,
        state=LabelState.PROPOSED,
        parents=("P1__GED4.v1",),
        parameters=parameters,
        seed=7,
        author="round 2",
        seconds=3.5,
        probability=soft(),
    )
    assert store.label(label.id) == label
    assert (label.id, label.case_id, label.version) == ("P1__T2.v1", CASE, 1)
    assert (label.study, label.phase, label.source, label.round) == ("P1", Phase.T2, "transfer", 2)
    assert (label.parents, label.seed, label.author, label.seconds) == (("P1__GED4.v1",), 7, "round 2", 3.5)
    assert dict(label.parameters) == {"metric": "mi", "weights": [0.5, 2], "levels": [4, 2]}
    assert label.volume_ml == pytest.approx(ball().array.sum() * 1.5 * 1.5 * 4 / 1000)
    assert label.created.tzinfo is UTC and before < label.created <= datetime.now(UTC)
    assert np.array_equal(store.read_mask(label).array, ball().array)
    assert store.read_mask(label).geometry.same_grid(GRID)
    assert store.verify(label)


def test_probabilities_are_kept_in_steps_of_a_255th(store: LabelStore) -> None:
    label = store.add(CASE, ball(), source="atlas", round=1, probability=soft())
    kept = store.read_probability(label)
    assert kept is not None and kept.array.dtype == np.float32 and kept.geometry.same_grid(GRID)
    assert np.abs(kept.array - soft().array).max() <= 0.5 / 255 + 1e-6
    assert label.probability_path is not None
    assert read_volume(store.workspace / label.probability_path).array.dtype == np.uint8
    assert store.read_probability(_propose(store)) is None


def test_versions_count_for_each_case(store: LabelStore) -> None:
    ids = [_propose(store, case).id for case in (CASE, "P2__T2", CASE, CASE)]
    assert ids == ["P1__T2.v1", "P2__T2.v1", "P1__T2.v2", "P1__T2.v3"]


def test_the_same_key_is_the_same_label(store: LabelStore) -> None:
    first = store.add(CASE, ball(3), source="atlas", round=1, key="round1/propose/P1__T2")
    again = store.add(CASE, ball(2), source="atlas", round=1, key="round1/propose/P1__T2")
    assert again == first
    assert len(store.labels()) == 1 and len(list((store.workspace / "labels").rglob("*.nii.gz"))) == 1
    with pytest.raises(LabelError, match=r"'round1/propose/P1__T2' belongs to P1__T2"):
        store.add("P2__T2", ball(), source="atlas", round=1, key="round1/propose/P1__T2")


def test_labels_of_a_case_share_its_grid_and_file_shape(store: LabelStore) -> None:
    four = Volume(ball().array, GRID, trailing_singleton=True)
    store.add(CASE, four, source="atlas", round=1)
    label = store.add(CASE, ball(2), source="atlas", round=1, probability=soft())  # a panel that forgot the fourth axis
    assert _file_shape(store.mask_path(label)) == (12, 10, 8, 1)
    with pytest.raises(GeometryError, match="P1__T2"):
        store.add(CASE, ball(geometry=Geometry((12, 10, 8), (1.5, 1.5, 4.1))), source="atlas", round=1)


@pytest.mark.parametrize(
    ("mask", "probability", "case_id", "parameters", "reason"),
    [
        (Volume(ball().array * 2, GRID), None, CASE, {}, "other values than 0 and 1"),
        (soft(), None, CASE, {}, "other values than 0 and 1"),
        (ball(), Volume(soft().array * 2, GRID), CASE, {}, r"leaves \[0, 1\]"),
        (ball(), Volume(soft().array * np.nan, GRID), CASE, {}, r"leaves \[0, 1\]"),
        (ball(), None, "P1", {}, "is not <study>__<phase>"),
        (ball(), None, "P1__T9", {}, "T9"),
        (ball(), None, "../P1__T2", {}, "cannot be part of a file name – use 'P1'"),
        (ball(), None, "a/b__T2", {}, "cannot be part of a file name"),
        (ball(), None, CASE, {"file": Path("x")}, "parameters cannot be kept"),
        (ball(), None, CASE, {"x": math.nan}, "parameters cannot be kept"),
    ],
)
def test_what_is_no_label_is_refused_and_leaves_nothing(
    store: LabelStore,
    mask: Volume,
    probability: Volume | None,
    case_id: str,
    parameters: dict[str, object],
    reason: str,
) -> None:
    with pytest.raises(LabelError, match=reason):
        store.add(case_id, mask, source="atlas", round=1, probability=probability, parameters=parameters)
    assert store.labels() == []
    assert list(store.workspace.rglob("*.nii.gz")) == []


def test_a_failure_while_adding_leaves_neither_file_nor_row(store: LabelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", no_space)
        with pytest.raises(OSError, match="No space"):
            _propose(store)
    assert store.labels() == [] and list(store.workspace.rglob("*.nii.gz")) == []
    assert _propose(store).version == 1


# --- expert masks -----------------------------------------------------------------------------------------------


def test_an_expert_mask_is_copied_and_its_source_left_alone(store: LabelStore, tmp_path: Path) -> None:
    case = _expert_case(tmp_path, singleton=True)
    assert case.expert is not None
    before = case.expert.read_bytes(), case.expert.stat().st_mtime_ns
    label = store.add_expert(case, author="Dr. A")
    assert (label.state, label.source, label.author) == (LabelState.EXPERT, "expert", "Dr. A")
    assert _file_shape(store.mask_path(label)) == (12, 10, 8, 1)  # as the image, not as the mask
    assert np.array_equal(store.read_mask(label).array, ball().array)
    assert (case.expert.read_bytes(), case.expert.stat().st_mtime_ns) == before
    assert store.add_expert(case) == label


def test_an_expert_mask_with_several_organs_keeps_the_liver(store: LabelStore, tmp_path: Path) -> None:
    organs = Volume((ball(3).array * 2 + ball(1).array).astype(np.uint8), GRID)  # 2 around, 3 inside
    label = store.add_expert(_expert_case(tmp_path, organs, liver=3))
    assert np.array_equal(store.read_mask(label).array, ball(1).array)


def test_expert_masks_that_cannot_be_used_are_named(store: LabelStore, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"mask_GED4\.nii\.gz: the mask is empty"):
        store.add_expert(_expert_case(tmp_path, NOTHING))
    with pytest.raises(GeometryError, match=r"mask_GED4\.nii\.gz: the mask is not on its image's grid"):
        store.add_expert(_expert_case(tmp_path, ball(geometry=dataclasses.replace(GRID, origin=(0.0, 0.0, 0.0)))))
    with pytest.raises(LabelError, match="no mask of its own"):
        store.add_expert(dataclasses.replace(_expert_case(tmp_path), expert=None))
    with pytest.raises(LabelError, match="expert mask is empty"):
        store.add(CASE, NOTHING, source="x", round=0, state=LabelState.EXPERT)


def test_an_expert_mask_is_never_replaced(store: LabelStore, tmp_path: Path) -> None:
    expert = store.add_expert(_expert_case(tmp_path))
    for _ in range(3):
        _propose(store, "P1__GED4")
    with pytest.raises(LabelError, match="never replaced"):
        store.correct(expert.id, ball(2), author="B")
    for state in LabelState:
        with pytest.raises(LabelError, match="added as expert cannot become"):
            store.review(expert.id, state, author="B")
    assert store.current("P1__GED4") == expert


# --- reviewing --------------------------------------------------------------------------------------------------


def test_a_correction_is_a_new_version_and_the_old_one_stays(store: LabelStore) -> None:
    proposed = _propose(store)
    before = store.mask_path(proposed).read_bytes()
    corrected = store.correct(proposed.id, ball(4), author="Dr. A", seconds=90, comment="dome was missing")
    assert (corrected.version, corrected.parents, corrected.state) == (2, (proposed.id,), LabelState.CORRECTED)
    assert store.mask_path(proposed).read_bytes() == before and store.verify(proposed)
    assert store.current(CASE) == corrected
    entry = store.history(CASE)[-1]
    assert (entry.label_id, entry.author, entry.seconds, entry.comment) == (
        corrected.id,
        "Dr. A",
        90,
        "dome was missing",
    )


def test_the_history_of_a_case_only_grows(store: LabelStore) -> None:
    label = _propose(store)
    store.review(label.id, LabelState.ACCEPTED, author="A", seconds=12)
    store.review(label.id, LabelState.REJECTED, author="B", comment="stomach")
    store.review(label.id, LabelState.PROPOSED, author="A")
    states = [(entry.state.value, entry.author) for entry in store.history(CASE)]
    assert states == [("proposed", ""), ("accepted", "A"), ("rejected", "B"), ("proposed", "A")]
    assert store.label(label.id).state is LabelState.PROPOSED
    assert [entry.time for entry in store.history(CASE)] == sorted(entry.time for entry in store.history(CASE))


def test_reviews_that_are_not_possible_are_refused(store: LabelStore) -> None:
    label = _propose(store)
    with pytest.raises(LabelError, match="cannot become corrected"):
        store.review(label.id, LabelState.CORRECTED, author="A")
    with pytest.raises(LabelError, match="cannot become expert"):
        store.review(label.id, LabelState.EXPERT, author="A")
    with pytest.raises(LabelError, match="no such label"):
        store.review("P9__T2.v1", LabelState.ACCEPTED, author="A")
    assert len(store.history(CASE)) == 1


def test_a_corrected_label_can_be_rejected_and_taken_back(store: LabelStore) -> None:
    proposed = _propose(store)
    corrected = store.correct(proposed.id, ball(2), author="A")
    store.review(corrected.id, LabelState.REJECTED, author="B")
    assert store.current(CASE) == proposed
    assert store.review(corrected.id, LabelState.CORRECTED, author="A").state is LabelState.CORRECTED
    with pytest.raises(LabelError, match="cannot become proposed"):
        store.review(corrected.id, LabelState.PROPOSED, author="B")


@settings(max_examples=12, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["add", "correct", *LabelState])), max_size=12))
def test_the_label_that_stands_is_the_best_of_all_that_happened(
    steps: list[tuple[int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Against a plain model: expert > corrected > accepted > proposed, then the newest; rejected never."""
    with LabelStore.open(tmp_path_factory.mktemp("work")) as store:
        states: list[str] = []
        made: list[str] = []
        for number, step in steps:
            target = f"{CASE}.v{number % len(states) + 1}" if states else ""
            if step == "add" or not states:
                _propose(store)
                states.append("proposed")
                made.append("proposed")
            elif step == "correct":
                store.correct(target, ball(2), author="A")
                states.append("corrected")
                made.append("corrected")
            elif may_become(LabelState(made[number % len(states)]), LabelState(step)):
                store.review(target, LabelState(step), author="A")
                states[number % len(states)] = LabelState(step).value
        order = ["proposed", "accepted", "corrected"]
        standing = [(order.index(state), index + 1) for index, state in enumerate(states) if state != "rejected"]
        current = store.current(CASE)
        assert (current.version if current else None) == (max(standing)[1] if standing else None)
        assert store.current_all() == ({CASE: current} if current else {})
        assert all(store.verify(label) for label in store.labels())


def test_labels_are_found_by_what_they_are(store: LabelStore) -> None:
    first = _propose(store, "P1__T2", round=1)
    second = _propose(store, "P1__T1", round=2)
    third = store.review(_propose(store, "P2__T2", round=2).id, LabelState.REJECTED, author="A")
    assert store.labels() == [second, first, third]
    assert store.labels(phase=Phase.T2) == [first, third]
    assert store.labels(study="P1", round=2) == [second]
    assert store.labels(state=LabelState.REJECTED) == [third]
    assert store.labels(source="atlas", case_id="P2__T2") == [third]
    assert store.labels(source="network") == []
    assert store.current("P2__T2") is None and store.current("P7__T2") is None


# --- decisions --------------------------------------------------------------------------------------------------


def test_decisions_and_scores_come_back_and_the_newest_counts(store: LabelStore) -> None:
    label = _propose(store)
    scores = (Score("entropy", 0.25, True, "sure"), Score("stability", math.nan, False, "no earlier round"))
    first = Decision(CASE, label.id, scores, False, "unstable", 0.75)
    store.record(first)
    assert store.decision(label.id) is not None
    assert repr(store.decision(label.id)) == repr(first)
    assert [score.name for score in store.scores(label.id)] == ["entropy", "stability"]
    second = Decision(CASE, label.id, (Score("entropy", 0.5, False, "unsure"),), True, "kept all the same", math.inf)
    store.record(second)
    store.record(second)  # a resumed round says it again
    assert store.decision(label.id) == second and store.decisions() == {label.id: second}
    with sqlite3.connect(store.workspace / LEDGER) as ledger:
        assert ledger.execute("select count(*) from decisions").fetchone() == (2,)
        assert ledger.execute("select count(*) from scores").fetchone() == (3,)


def test_decisions_on_no_label_are_refused_all_together(store: LabelStore) -> None:
    label = _propose(store)
    good = Decision(CASE, label.id, (), True, "", 0.0)
    with pytest.raises(LabelError, match="no such label"):
        store.record(good, Decision("P2__T2", label.id, (), True, "", 0.0))
    assert store.decision(label.id) is None and store.scores(label.id) == ()


# --- the workspace ----------------------------------------------------------------------------------------------


def test_a_workspace_can_be_moved(store: LabelStore, tmp_path: Path) -> None:
    label = store.add(CASE, ball(), source="atlas", round=1, probability=soft())
    store.close()
    shutil.move(store.workspace, tmp_path / "elsewhere" / "new name")
    with LabelStore.open(tmp_path / "elsewhere" / "new name") as moved:
        assert moved.labels() == [label]
        assert moved.verify(label) and moved.read_probability(label) is not None
    assert str(tmp_path).encode() not in (tmp_path / "elsewhere" / "new name" / LEDGER).read_bytes()


def test_a_closed_workspace_holds_nothing_but_what_belongs(store: LabelStore) -> None:
    label = _propose(store)
    store.close()
    files = sorted(
        path.relative_to(store.workspace).as_posix() for path in store.workspace.rglob("*") if path.is_file()
    )
    sidecar = label.path.replace(".nii.gz", ".json")
    assert files == sorted([WORKSPACE_MARKER, label.path, sidecar, LEDGER])


def test_verify_notices_a_changed_and_a_lost_file(store: LabelStore) -> None:
    label = _propose(store)
    write_volume(ball(2), store.mask_path(label))
    assert not store.verify(label)
    store.mask_path(label).unlink()
    assert not store.verify(label)
    said: list[Event] = []
    LabelStore.open(store.workspace, report=Reporter(said.append))
    assert [event.data["level"] for event in said] == ["warning"]
    assert "P1__T2.v1.nii.gz: the file of this label is gone" in said[0].message


def test_a_file_of_the_user_among_the_labels_is_left_there(store: LabelStore) -> None:
    note = store.mask_path(_propose(store)).parent / "my notes.txt"
    note.write_text("look at segment 7")
    other = note.with_name("my own segmentation.nii.gz")
    write_volume(ball(), other)
    LabelStore.open(store.workspace)
    assert note.read_text() == "look at segment 7" and other.is_file()


def test_a_ledger_from_the_future_is_refused(store: LabelStore) -> None:
    store.close()
    with sqlite3.connect(store.workspace / LEDGER) as ledger:
        ledger.execute("update workspace set schema_version = 99")
    with pytest.raises(WorkspaceError, match=r"newer LiverSegSSL \(ledger 99, this knows 2\).*update"):
        LabelStore.open(store.workspace)


def test_a_damaged_or_lost_ledger_is_said_and_no_label_moves(store: LabelStore) -> None:
    label = _propose(store)
    store.close()
    ledger = store.workspace / LEDGER
    content = ledger.read_bytes()
    for damage, reason in ((b"rubbish" * 1000, "ledger is damaged.*doctor"), (b"", "ledger is empty.*doctor")):
        ledger.write_bytes(damage)
        with pytest.raises(WorkspaceError, match=reason):
            LabelStore.open(store.workspace)
    ledger.unlink()
    with pytest.raises(WorkspaceError, match=r"ledger is missing.*doctor"):
        LabelStore.open(store.workspace)
    ledger.write_bytes(content)
    with LabelStore.open(store.workspace) as again:
        assert again.verify(label)


def test_the_marker_is_made_again_if_it_is_lost(store: LabelStore) -> None:
    label = _propose(store)
    store.close()
    marker = store.workspace / WORKSPACE_MARKER
    content = json.loads(marker.read_text())
    marker.unlink()
    with LabelStore.open(store.workspace) as again:
        assert again.labels() == [label]
    assert json.loads(marker.read_text()) == content


def test_ledger_and_folder_must_belong_together(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'department.sqlite'}"
    with LabelStore.open(tmp_path / "one", url) as store:
        _propose(store)
    with pytest.raises(WorkspaceError, match="labels of another workspace"):
        LabelStore.open(tmp_path / "two", url)
    with LabelStore.open(tmp_path / "three"):
        pass
    with pytest.raises(WorkspaceError, match="belongs to another workspace"):
        LabelStore.open(tmp_path / "three", url)


def test_urls_and_folders_that_cannot_be_used(tmp_path: Path) -> None:
    for url in ("no url", "oracle+nothing://host/db"):
        with pytest.raises(WorkspaceError, match=r"URL cannot be used.*postgresql\+psycopg://"):
            LabelStore.open(tmp_path / "work", url)
    with pytest.raises(WorkspaceError, match="ledger cannot be used"):
        LabelStore.open(tmp_path / "work", f"sqlite:///{tmp_path}/no/such/folder.sqlite")
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be made"):
        LabelStore.open(tmp_path / "file" / "work")
