"""The command line in this process, and places to try bad input in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from LiverSegSSLLib.cli import follow
from LiverSegSSLLib.cli.main import main
from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.jobs import child
from LiverSegSSLLib.jobs.job import Job, event_line, parse_event
from LiverSegSSLLib.rounds import session
from Testing.bad_input.place import Place, write_sound_cohort


@dataclass(frozen=True)
class Answer:
    """What a command said, on both streams, and how it ended."""

    code: int
    text: str


class JobHere:
    """A job in this process instead of a child, which would take seconds to start: the verbs are the same."""

    tail: tuple[str, ...] = ()

    def __init__(self, job: Job) -> None:
        self.job = job
        self._events: list[Event] = []
        self._code, _ = child.run(Job.from_json(job.to_json()), Reporter(self._hear))

    def _hear(self, event: Event) -> None:
        heard = parse_event(event_line(event).encode("utf-8").decode("utf-8"))  # as it comes through a pipe
        assert heard is not None
        self._events.append(heard)

    @property
    def running(self) -> bool:
        return bool(self._events)

    def next(self, timeout_s: float) -> Event | None:
        return self._events.pop(0) if self._events else None

    def wait(self) -> int:
        return self._code


@contextmanager
def _threads(where: str, workers: int) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def here(patch: pytest.MonkeyPatch) -> None:
    """Commands run in this process."""
    patch.setattr(follow, "start", JobHere)
    patch.setattr(session, "open_executor", _threads)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[[list[str]], Answer]:
    """Runs a command line in this process."""
    here(monkeypatch)

    def run(arguments: list[str]) -> Answer:
        capfd.readouterr()
        code = main(arguments)
        said = capfd.readouterr()
        return Answer(code, said.out + said.err)

    return run


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A sound cohort without a workspace; only to be copied."""
    place = Place(tmp_path_factory.mktemp("sound"))
    write_sound_cohort(place.data)
    return place


@pytest.fixture(scope="session")
def proposed(tmp_path_factory: pytest.TempPathFactory, sound: Place) -> Place:
    """The same with a workspace in which labels were proposed; only to be copied."""
    place = Place(tmp_path_factory.mktemp("proposed"))
    shutil.copytree(sound.data, place.data)
    with pytest.MonkeyPatch.context() as patch:
        here(patch)
        assert main(["propose", str(place.data), "--method", "transfer"]) == 0
    return place
