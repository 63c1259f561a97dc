"""Following a job: progress bars for a person, plain lines for a log, JSON for a program."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from LiverSegSSLLib.events import Event
from LiverSegSSLLib.jobs.job import Job, event_line
from LiverSegSSLLib.jobs.runner import Handle, start

CANCELLED = 130


def run_job(verb: str, parameters: dict[str, Any], folder: Path | None, as_json: bool) -> tuple[int, dict[str, Any]]:
    """Run a verb as a job and show how it goes; returns exit code and result."""
    view = viewer(as_json)
    handle = start(Job(verb, parameters, folder))
    result: dict[str, Any] = {}
    try:
        with view:
            while handle.running:
                event = handle.next(timeout_s=0.1)
                while event is not None:
                    if event.kind == "result":
                        result = event.data
                    view.show(event)
                    event = handle.next(timeout_s=0)
    except KeyboardInterrupt:
        handle.cancel()
        click.echo("Stopped. The same command goes on from here.", err=True)
        return CANCELLED, result
    return _end(handle, result)


def _end(handle: Handle, result: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    code = handle.wait()
    if code < 0 or code == 137:
        click.secho(f"Error: the job's process was ended by signal {-code if code < 0 else 9}", err=True, fg="red")
        click.echo("The same command goes on from here.", err=True)
        return 1, result
    if code and not result and handle.tail and handle.job.folder is not None:
        click.echo(f"More in {handle.job.folder / 'log.txt'}", err=True)
    return code, result


def viewer(as_json: bool) -> _Lines:
    """What draws events: JSON for programs, bars on a terminal, plain lines in a log. A context manager."""
    return _Json() if as_json else _Bars() if sys.stderr.isatty() else _Lines()


class _Lines:
    """One line an event, for logs; progress at most every five seconds a stage."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *exception: object) -> None:
        return None

    def show(self, event: Event) -> None:
        text = self._text(event)
        if text:
            click.echo(f"{datetime.now():%H:%M:%S} {text}", err=True)

    def _text(self, event: Event) -> str:
        stage = f"{event.stage}: " if event.stage else ""
        if event.kind == "progress":
            done, total = event.data["done"], event.data["total"]
            now = time.monotonic()
            if done < total and now - self._last.get(event.stage, -10.0) < 5.0:
                return ""
            self._last[event.stage] = now
            return f"{stage}{done}/{total} {event.message}".rstrip()
        return _sentence(event)


class _Json(_Lines):
    """Every event as it is, on standard output."""

    def show(self, event: Event) -> None:
        click.echo(event_line(event))


class _Bars(_Lines):
    """A bar for each stage under way, with the time left."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("[dim]{task.fields[item]}"),
            console=Console(stderr=True),
            expand=True,
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        if event.kind != "progress":
            text = _sentence(event)
            if text:
                self._progress.console.print(text, highlight=False, markup=False)
            return
        done, total = event.data["done"], event.data["total"]
        task = self._tasks.get(event.stage)
        if task is None:
            task = self._tasks[event.stage] = self._progress.add_task(event.stage, total=total, item="")
        self._progress.update(task, completed=done, total=total, item="" if done >= total else event.message)


def _sentence(event: Event) -> str:
    """Events other than progress in words; empty: not for people."""
    stage = f"{event.stage}: " if event.stage else ""
    if event.kind == "log":
        return f"{'Warning: ' if event.data.get('level') == 'warning' else ''}{stage}{event.message}"
    if event.kind == "error":
        return f"Error: {event.message}"
    return ""
