"""Trainings as they lie in a workspace: what one said, recorded from a real one of three epochs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from LiverSegSSLLib.events import Event
from LiverSegSSLLib.jobs.job import Job, event_line, read_events

RECORDED = Path(__file__).with_name("training_events.jsonl")
"""Two folds on two expert cases; ``train`` with the smallest options."""


def recorded() -> list[Event]:
    """What the training said, first to last."""
    return read_events(RECORDED)


class TrainingUnderWay:
    """A process that lives, with the folder of a training: the job that an earlier Slicer has left running.

    :param parameters: of the job, beside data and workspace.
    """

    def __init__(self, workspace: Path, verb: str = "train", name: str = "20260101-120000-train", **parameters: Any):
        self.process = subprocess.Popen(
            [sys.executable, "-c", "input()", "LiverSegSSLLib.jobs.child"], stdin=subprocess.PIPE
        )
        self.folder = workspace / "jobs" / name
        self.folder.mkdir(parents=True)
        where = {"workspace": str(workspace), "data": str(workspace.parent / "data")}
        job = Job(verb, {**where, **parameters}, self.folder, detached=True)
        (self.folder / "job.json").write_text(job.to_json() + "\n", encoding="utf-8")
        self._file = (self.folder / "events.jsonl").open("a", encoding="utf-8")

    def say(self, *events: Event) -> None:
        """Write events; the state says that this process is the training's."""
        for event in events:
            if event.data.get("state") == "running" and "time" in event.data:
                who = {"pid": self.process.pid, "host": socket.gethostname(), "time": time.time()}
                event = replace(event, data={**event.data, **who})
            self._file.write(event_line(event) + "\n")
        self._file.flush()

    def end(self) -> None:
        """The process goes."""
        self.process.communicate(b"\n")
        self._file.close()


def change(**options: Any) -> str:
    """Training options as a change of the recipe."""
    return f"learn.options={json.dumps(options)}"
