"""Program of the test of the same name: kills a process with SIGKILL before each line of our code that it runs.

``python killed_at_every_line.py FOLDER all`` forks a child for every line that a piece of work passes through, lets the
child kill itself there, and then looks with a fresh process at what is left. Prints the number of lines as JSON.
With ``add`` instead of ``all`` only the functions that put a label in place are looked at.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

# Loaded here, because every child would load it again.
import nibabel  # noqa: F401
import SimpleITK  # noqa: F401
from ball_masks import ball, soft
from sqlalchemy.orm import configure_mappers

from LiverSegSSLLib import atomic, volume
from LiverSegSSLLib.labels import store as store_module
from LiverSegSSLLib.labels.label import Label, LabelState, Review
from LiverSegSSLLib.labels.ledger import LEDGER
from LiverSegSSLLib.labels.rebuild import rebuild
from LiverSegSSLLib.labels.store import LabelStore
from LiverSegSSLLib.types import Decision, Score

OURS = (str(Path(store_module.__file__).parent), str(Path(volume.__file__).parent), atomic.__file__)
SCOPES = {"all": frozenset[str](), "add": frozenset({"_add", "publish", "write_sidecar", "sync_folder"})}
SURVIVED = 0


def work(workspace: Path, all_of_it: bool) -> None:
    """What is interrupted: opening, adding, and if all of it: reviewing, correcting, deciding; closing."""
    with LabelStore.open(workspace) as store:
        label = store.add("P1__T2", ball(), source="atlas", round=1, probability=soft(), key="work/P1__T2")
        if not all_of_it:
            return
        if len(store.labels(case_id="P1__T2")) == 1:
            store.review(label.id, LabelState.ACCEPTED, author="A", seconds=1)
            store.correct(label.id, ball(2), author="A")
        store.record(Decision("P1__T2", label.id, (Score("entropy", 0.1, True, ""),), True, "", 0.0))


def look(workspace: Path, all_of_it: bool) -> None:
    """What must hold after any kill, before and after the work is done again."""
    for again in (False, True):
        if again:
            work(workspace, all_of_it)
        with LabelStore.open(workspace) as store:
            labels = store.labels()
            files = {path.relative_to(workspace).as_posix() for path in (workspace / "labels").rglob("*.nii.gz")}
            assert files == {path for label in labels for path in (label.path, label.probability_path) if path}
            assert store.repair_sidecars() == []
            assert all(store.verify(label) and store.read_mask(label).array.any() for label in labels)
            assert [label.version for label in labels] == list(range(1, len(labels) + 1))
            history = store.history("P1__T2")
            for label in labels:  # the state is the last line of the history, whenever the kill came
                assert [entry.state for entry in history if entry.label_id == label.id][-1] is label.state
            if again:
                assert [label.source for label in labels][:1] == ["atlas"]
                assert store.current("P1__T2") is not None
                assert not all_of_it or store.decision(labels[0].id) is not None
        assert not (workspace / "staging").exists()
        lost = list((workspace / "lost+found").iterdir()) if (workspace / "lost+found").exists() else []
        for path in lost:  # whole files only: they were renamed, not copied
            assert json.loads(path.read_text()) if path.suffix == ".json" else volume.read_volume(path).array.any()
        look_at_rebuilt(workspace)


def look_at_rebuilt(workspace: Path) -> None:
    """A ledger made again from the sidecars says what the first said."""
    before = said_by(workspace)
    if before.labels:
        (workspace / LEDGER).unlink()
        assert rebuild(workspace).left_out == ()
        assert said_by(workspace) == before


@dataclass(frozen=True)
class Said:
    """All that a ledger says."""

    labels: list[Label]
    reviews: list[Review]
    decisions: dict[str, Decision]


def said_by(workspace: Path) -> Said:
    """What the ledger of a workspace says."""
    with LabelStore.open(workspace) as store:
        return Said(store.labels(), store.history("P1__T2"), store.decisions())


def killing(line: int, functions: frozenset[str]) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that kills the process before the line of this number."""
    seen = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal seen
        if event == "line":
            if seen == line:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        return local if code.co_filename.startswith(OURS) and (not functions or code.co_name in functions) else None

    return enter


def interrupted(workspace: Path, line: int, functions: frozenset[str]) -> None:
    """The work, killed."""
    sys.settrace(killing(line, functions))
    work(workspace, not functions)


def forked(action: Callable[[], None]) -> int:
    """Run something in a child; its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = SURVIVED
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(folder: Path, functions: frozenset[str]) -> None:
    """Kill at one line after the other until the work comes to its end."""
    configure_mappers()  # once, and not in every child
    line = 0
    while True:
        workspace = folder / f"killed-{line:04d}"

        end = forked(partial(interrupted, workspace, line, functions))
        if forked(partial(look, workspace, not functions)) != 0:
            sys.exit(f"after a kill before line {line} of the work the workspace is not in order")
        if end == SURVIVED:
            break
        if end != -signal.SIGKILL:
            sys.exit(f"the work failed by itself ({end}) while it was to be killed at line {line}")
        line += 1
    sys.stdout.write(json.dumps({"lines": line}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), SCOPES[sys.argv[2]])
