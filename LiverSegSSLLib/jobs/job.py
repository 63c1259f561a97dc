"""A job as data, and its events as lines of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import one_line
from LiverSegSSLLib.events import Event

VERBS = "LiverSegSSLLib.rounds.verbs"
"""Module whose functions are the verbs; the child imports it, so that jobs know nothing of the loop."""


@dataclass(frozen=True)
class Job:
    """One verb with its parameters (plain JSON values).

    :param verb: name of a function in ``module``, called as ``verb(parameters, reporter) -> dict``.
    :param folder: where the job keeps ``job.json``, ``events.jsonl`` and ``log.txt``; ``None``: nowhere.
    :param detached: the job goes on when the process that started it ends, and can be found again by its folder
        (:mod:`~LiverSegSSLLib.jobs.found`). It needs one.
    """

    verb: str
    parameters: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    module: str = VERBS
    detached: bool = False

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({**asdict(self), "folder": None if self.folder is None else str(self.folder)})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The job that :meth:`to_json` wrote.

        :raises ValueError: it is something else.
        """
        try:
            data = json.loads(text)
        except RecursionError:
            raise ValueError("is nested without end") from None
        if not isinstance(data, dict) or not isinstance(data.get("parameters"), dict):
            raise ValueError("is no job")
        folder = data.get("folder")
        detached = data.get("detached", False)
        return cls(data["verb"], data["parameters"], Path(folder) if folder else None, data["module"], detached)


def event_line(event: Event) -> str:
    """An event as one line of JSON, without the line feed; its message can be shown anywhere."""
    plain = {**event.as_dict(), "message": one_line(event.message)}
    # Names of files need not be UTF-8.
    return json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def parse_event(line: str) -> Event | None:
    """The event in a line; ``None`` when the line is none."""
    if not line.startswith("{"):
        return None
    try:
        data = json.loads(line)
        return Event(data["kind"], data["stage"], data["message"], data["data"])
    except (ValueError, KeyError, TypeError):
        return None


def read_events(path: Path) -> list[Event]:
    """The events of a finished or running job; a last line cut by a kill is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [event for line in lines if (event := parse_event(line)) is not None]
