"""The processes in which nnU-Net runs: their environment, what they say, and that they end with their parent.

nnU-Net is steered by environment variables; they are set for the child only. A child is
``python -m <module> <specification>.json``. A line on its standard output that starts with :data:`EVENT_MARK` is
an event; everything else it or nnU-Net prints goes to the log file.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LiverSegSSLLib.atomic import LogFile
from LiverSegSSLLib.errors import LiverSegError, TrainingError, place_error
from LiverSegSSLLib.events import Event, Reporter

EVENT_MARK = "@liversegssl "
"""Begins a line of standard output that carries an event as JSON."""

TRAINERS = Path(__file__).resolve().parent / "learn" / "nnunet_trainers"
"""The folder in which nnU-Net finds our trainer by name (``nnUNet_extTrainer``), in training and in inference."""

_TAIL_LINES = 30
_LIBRARY = Path(__file__).resolve().parents[1]
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True)
class Folders:
    """Where nnU-Net keeps its three kinds of files."""

    root: Path

    @property
    def raw(self) -> Path:
        """``dataset.json`` files; the images stay where they are."""
        return self.root / "raw"

    @property
    def preprocessed(self) -> Path:
        """Resampled and normalised copies, plans, splits. May be deleted when no training is under way."""
        return self.root / "preprocessed"

    @property
    def results(self) -> Path:
        """The models."""
        return self.root / "results"


def environment(folders: Folders, threads: int, augmentation_workers: int = 0) -> dict[str, str]:
    """The variables of a child.

    :param threads: threads for arithmetic in one process.
    :param augmentation_workers: processes that augment training data; 0: none, which is repeatable.
    """
    return {
        "nnUNet_raw": str(folders.raw),
        "nnUNet_preprocessed": str(folders.preprocessed),
        "nnUNet_results": str(folders.results),
        "nnUNet_extTrainer": str(TRAINERS),
        "nnUNet_n_proc_DA": str(augmentation_workers),
        "nnUNet_def_n_proc": str(max(1, threads)),
        "nnUNet_compile": "f",
        "nnUNet_wandb_enabled": "0",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        # Threads that spin while they wait cost ten times the computation when cores are shared.
        "OMP_WAIT_POLICY": "PASSIVE",
        "MPLBACKEND": "agg",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # no module comes from the folder that the command was given in
        "PYTHONIOENCODING": "utf-8",
    }


def resolved_device(device: str) -> str:
    """``auto`` becomes the best there is.

    :raises TrainingError: ``cuda`` was asked for and there is none.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("there is no usable GPU", "device cuda", "use --device cpu, or repair the driver")
    return device


# --- the parent's side ------------------------------------------------------------------------------------------


class Child:
    """A running child. It stays in this process's group and dies with it."""

    def __init__(
        self,
        module: str,
        specification: Path,
        log: Path,
        variables: dict[str, str],
        on_event: Callable[[Event], None],
    ) -> None:
        paths = [str(_LIBRARY), *filter(None, [os.environ.get("PYTHONPATH", "")])]
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self.result: dict[str, Any] | None = None
        """What the child's result event held."""
        self.error: Event | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._on_event = on_event
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, str(specification), str(os.getpid())],
            stdin=subprocess.PIPE,  # its closing tells the child that the parent is gone
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def running(self) -> bool:
        """Whether it still works or its last words are unread."""
        return self.process.poll() is None or self._reader.is_alive()

    def wait(self) -> int:
        """Block until it ends; its exit code."""
        code = self.process.wait()
        self._reader.join()
        return code

    def stop(self) -> None:
        """End it now."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    def complaint(self) -> str:
        """What it said last, for an error message."""
        if self.error is not None:
            return self.error.message
        lines = [line for line in self._tail if line.strip()]
        reason = lines[-1].strip() if lines else "it said nothing"
        return f"the process ended with status {self.process.returncode}: {reason}"

    def _read(self) -> None:
        assert self.process.stdout is not None
        log = LogFile(self.log)
        for line in self.process.stdout:
            event = _parse(line)
            if event is None:
                self._tail.append(line.rstrip())
                log.write(line)
            elif event.kind == "result":
                self.result = event.data
            elif event.kind == "error":
                self.error = event
            else:
                self._on_event(event)


def _parse(line: str) -> Event | None:
    if not line.startswith(EVENT_MARK):
        return None
    try:
        return Event(**json.loads(line[len(EVENT_MARK) :]))
    except (ValueError, TypeError):
        return None


# --- the child's side -------------------------------------------------------------------------------------------


def child_specification() -> dict[str, Any]:
    """First call of a child: make sure that it dies with its parent, then read its specification."""
    path, parent = Path(sys.argv[1]), int(sys.argv[2])
    _die_with(parent)
    specification: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return specification


def child_reporter() -> Reporter:
    """Sends events to the parent, one line each."""
    lock = threading.Lock()

    def send(event: Event) -> None:
        with lock:
            sys.stdout.write(EVENT_MARK + json.dumps(event.as_dict(), ensure_ascii=False) + "\n")
            sys.stdout.flush()

    return Reporter(send)


def trainer_class(name: str) -> Any:
    """The trainer with this name: ours first, then nnU-Net's.

    nnU-Net alone would import all of its own trainers before it looks at ours, among them some that need packages
    which neither of us needs.
    """
    from nnunetv2.utilities.find_class_by_name import recursive_find_python_class
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

    own = recursive_find_python_class(
        str(TRAINERS), name, None, base_folder=str(TRAINERS), cleanup_imports_from_base_folder=True
    )
    return own if own is not None else recursive_find_trainer_class_by_name(name)


def child_failed(report: Reporter, stage: str, error: Exception) -> int:
    """Tell the parent why the child ends; a defect of ours also leaves its traceback in the log. The exit code."""
    if isinstance(error, OSError) and error.errno is not None:  # a file system that refuses: full, read-only, gone
        traceback.print_exc()
        error = place_error(error)
    if isinstance(error, LiverSegError):
        data = {"where": error.where, "remedy": error.remedy, "what": error.what, "kind": type(error).__name__}
        report.send(Event("error", stage, str(error), {**data, "exit_code": error.exit_code}))
        return error.exit_code
    traceback.print_exc()
    report.send(Event("error", stage, f"unexpected {type(error).__name__}: {error}", {"exit_code": 1}))
    return 1


def _die_with(parent: int) -> None:
    """End this process when its parent is gone, however that happened."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)
        return

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
