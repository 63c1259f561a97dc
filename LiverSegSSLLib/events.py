"""How a long computation tells what it does: events, and the reporter that takes them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["state", "progress", "log", "metric", "error", "result"]


@dataclass(frozen=True)
class Event:
    """One thing that a job says; a line of JSON when it crosses a process.

    ``stage`` names the part of the job ("propose", "train fold 0"). ``data`` holds, by kind:
    *state* ``{"state": "running"|"done"|"failed"|"cancelled"}``; *progress* ``{"done": int, "total": int}``;
    *log* ``{"level": "info"|"warning"}``; *metric* name → number (training curves: ``{"epoch": …, "loss": …}``);
    *error* ``{"where": …, "remedy": …, "exit_code": …}``; *result* whatever the verb returns.
    """

    kind: Kind
    stage: str = ""
    message: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return asdict(self)


class Reporter:
    """Receives events; the default one forgets them.

    :param sink: called with every event; must be quick and must not raise.
    """

    def __init__(self, sink: Callable[[Event], None] | None = None) -> None:
        self._sink = sink

    def send(self, event: Event) -> None:
        """Pass an event on."""
        if self._sink is not None:
            self._sink(event)

    def progress(self, stage: str, done: int, total: int, message: str = "") -> None:
        """``done`` of ``total`` items of a stage are finished; ``message`` names the item."""
        self.send(Event("progress", stage, message, {"done": done, "total": total}))

    def info(self, message: str, stage: str = "") -> None:
        """Say something worth a line in the log."""
        self.send(Event("log", stage, message, {"level": "info"}))

    def warn(self, message: str, stage: str = "") -> None:
        """Say that something is wrong and the work goes on."""
        self.send(Event("log", stage, message, {"level": "warning"}))

    def metric(self, stage: str, **values: float) -> None:
        """Numbers worth plotting."""
        self.send(Event("metric", stage, "", dict(values)))


SILENT = Reporter()
