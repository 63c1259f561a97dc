"""Memory: what is predicted is not exceeded, and a job takes fewer processes where there is little."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.cohort.index import open_cohort
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.jobs.job import Job
from LiverSegSSLLib.jobs.runner import start
from LiverSegSSLLib.rounds import memory
from LiverSegSSLLib.rounds.memory import NEEDS, PREDICT, TRANSFER, available_mib, memory_table, processes_for, voxels_of
from Testing.bad_input.place import Place, write_sound_cohort
from Testing.benchmarks.meter import MemoryMeter
from Testing.untrained_model import write_untrained_model

steps = st.sampled_from(sorted(NEEDS))
voxels = st.integers(0, 2**29)
processes = st.integers(1, 64)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    write_sound_cohort(Place(tmp_path).data)
    return Place(tmp_path)


@given(steps, voxels, voxels, processes, processes)
def test_more_voxels_or_processes_never_need_less(step: str, few: int, many: int, one: int, other: int) -> None:
    need = NEEDS[step]
    few, many = sorted((few, many))
    one, other = sorted((one, other))
    assert 0 < need.mib(few, one) <= need.mib(many, one) <= need.mib(many, other)
    assert need.mib(few, one) < need.mib(few, one + 1)


@given(steps, voxels, st.floats(0, 1e6), processes)
def test_what_is_chosen_fits_and_one_more_would_not(step: str, size: int, free: float, wanted: int) -> None:
    need = NEEDS[step]
    chosen = need.fitting(size, free, wanted)
    assert 1 <= chosen <= wanted
    assert chosen == 1 or need.mib(size, chosen) <= free * (1 + 1e-9)
    assert chosen == wanted or need.mib(size, chosen + 1) > free * (1 - 1e-9)


def test_a_job_takes_fewer_processes_where_memory_is_short_and_says_so(place: Place) -> None:
    images = [case.image for case in open_cohort(place.data).cases()]
    need, size = NEEDS[TRANSFER], voxels_of(images)
    assert size == 36 * 30 * 12
    said: list[Event] = []
    report = Reporter(said.append)
    three = need.mib(size, 3) + 1
    assert processes_for(TRANSFER, images, 3, report=report, available=three) == 3 and not said
    assert processes_for(TRANSFER, images, 8, report=report, available=three) == 3
    assert processes_for(TRANSFER, images, 8, report=report, available=10.0) == 1
    assert processes_for("few-shot", images, 8, report=report, available=10.0) == 8, "has a rule of its own"
    assert [event.data["level"] for event in said] == ["info", "info"]
    assert "8 processes may need" in said[0].message and said[0].message.endswith(": 3 at once")
    assert processes_for(TRANSFER, images, 8, asked=True, report=report, available=three) == 8
    assert said[-1].data["level"] == "warning" and "--workers 3 would fit" in said[-1].message


def test_a_container_has_what_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    free = available_mib()
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1\n")
    assert available_mib() == pytest.approx(free, rel=0.2)
    (tmp_path / "memory.max").write_text(f"{300 * 2**20}\n")
    (tmp_path / "memory.current").write_text(f"{100 * 2**20}\n")
    assert available_mib() == 200


def test_doctor_tells_what_jobs_need_and_what_to_do(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    cohort = open_cohort(place.data)
    table = memory_table(cohort, available=900.0, cores=8)
    assert "36 × 30 × 12" in table["title"]
    assert [row[0] for row in table["rows"]][:2] == ["propose by transfer", "propose by atlas"]
    advice = {row[0]: row[-1] for row in table["rows"]}
    assert advice["propose by transfer"].startswith("--workers ")
    assert "more memory" in advice["propose by atlas"]
    assert all(row[-1] == "" for row in memory_table(cohort, available=1e6, cores=8)["rows"])

    assert main(["doctor", str(place.data)]) == 2, "there is no workspace yet"
    said = capsys.readouterr().out
    assert "Memory that a job needs for the largest image" in said and not place.workspace.exists()
    (place.root / "empty").mkdir()
    place.workspace.mkdir()
    main(["doctor", str(place.root / "empty"), "--workspace", str(place.workspace)])
    said = capsys.readouterr()
    assert "the cohort cannot be opened" in said.out and "Traceback" not in said.out + said.err


@pytest.mark.parametrize("step", [TRANSFER, pytest.param(PREDICT, marks=pytest.mark.slow)])
def test_a_small_job_stays_below_what_is_predicted(place: Place, tmp_path: Path, step: str) -> None:
    size = voxels_of(case.image for case in open_cohort(place.data).cases())
    parameters = {"data": str(place.data), "workspace": str(place.workspace), "workers": 1, "device": "cpu"}
    if step == TRANSFER:
        job = Job("propose", {**parameters, "method": TRANSFER})
    else:
        (tmp_path / "model").mkdir()
        model = write_untrained_model(tmp_path / "model", 1)
        job = Job("predict", {**parameters, "model": str(model)})
    handle = start(job)
    with MemoryMeter(handle.process.pid, times_a_second=20) as meter:
        assert handle.wait(300) == 0, handle.tail
    assert 50 < meter.peak_mib < NEEDS[step].mib(size, 1)
