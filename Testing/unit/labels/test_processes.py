"""LabelStore among processes that are killed. Several that write at once: Testing/together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ball_masks import ball

from LiverSegSSLLib.events import Event, Reporter
from LiverSegSSLLib.labels.store import LabelStore

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def _start(script: Path | str, *arguments: str) -> subprocess.Popen[str]:
    program = [str(script)] if isinstance(script, Path) else ["-c", script]
    paths = os.pathsep.join([str(ROOT), str(HERE), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _require_whole(workspace: Path) -> LabelStore:
    """Files and rows belong together, each label's versions have no gap, each file is as it was written."""
    store = LabelStore.open(workspace)
    labels = store.labels()
    files = {path.relative_to(workspace).as_posix() for path in (workspace / "labels").rglob("*.nii.gz")}
    assert files == {path for label in labels for path in (label.path, label.probability_path) if path}
    assert all(store.verify(label) for label in labels)
    by_case: dict[str, list[int]] = {}
    for label in labels:
        by_case.setdefault(label.case_id, []).append(label.version)
    assert all(versions == list(range(1, len(versions) + 1)) for versions in by_case.values())
    return store


# --- killed -----------------------------------------------------------------------------------------------------


def _kill_at(scope: str, folder: Path) -> int:
    process = _start(HERE / "killed_at_every_line.py", str(folder), scope)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return int(json.loads(out)["lines"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_before_every_line_that_puts_a_label_in_place(tmp_path: Path) -> None:
    assert _kill_at("add", tmp_path) > 20


@pytest.mark.slow
@pytest.mark.timeout(3600)  # a thousand lines, two processes for each
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_before_every_line_of_everything(tmp_path: Path) -> None:
    assert _kill_at("all", tmp_path) > 300


WRITE_FOREVER = """
import sys
from pathlib import Path
from ball_masks import ball, soft
from LiverSegSSLLib.labels.store import LabelStore
with LabelStore.open(Path(sys.argv[1])) as store:
    print("open", flush=True)
    for number in range(10**6):
        store.add(f"P{number % 3}__T2", ball(), source="atlas", round=1, probability=soft())
"""


def test_killed_at_any_moment_while_writing(tmp_path: Path) -> None:
    """Between lines too, inside SQLite and ITK; what was there before stays."""
    workspace = tmp_path / "work"
    before = 0
    # On a busy machine nothing may be written in time: then longer, until a kill has come after a label.
    for delay in (0.02, 0.06, 0.11, 0.2, 0.6, 2.0, 6.0, 20.0):
        if before and delay > 0.2:
            break
        writer = _start(WRITE_FOREVER, str(workspace))
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        with _require_whole(workspace) as store:
            assert len(store.labels()) >= before
            before = len(store.labels())
        assert not (workspace / "staging").exists()
    assert before > 0


def test_a_file_without_a_row_is_set_aside_and_told(tmp_path: Path) -> None:
    workspace = tmp_path / "work"
    with LabelStore.open(workspace) as store:
        label = store.add("P1__T2", ball(), source="atlas", round=1)
        orphan = store.mask_path(label).with_name("P1__T2.v2.nii.gz")
        content = store.mask_path(label).read_bytes()
    for name in ("P1__T2.v2.nii.gz", "2-P1__T2.v2.nii.gz"):
        orphan.write_bytes(content)
        said: list[Event] = []
        LabelStore.open(workspace, report=Reporter(said.append)).close()
        assert not orphan.exists()
        assert (workspace / "lost+found" / name).read_bytes() == content
        assert len(said) == 1 and name in said[0].message
    # The next version takes that name, also when the file came after the store was opened.
    with LabelStore.open(workspace) as store:
        orphan.write_bytes(b"left by another process that was killed just now")
        assert store.verify(store.add("P1__T2", ball(2), source="atlas", round=1))
        assert (workspace / "lost+found" / "3-P1__T2.v2.nii.gz").is_file()


def test_staging_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    workspace = tmp_path / "work"
    program = WRITE_FOREVER.replace("10**6", "1") + "    staged = store._files.stage(ball(), None)\n"
    program += "    print('staged', flush=True)\n    sys.stdin.read()\n"
    living = _start(program, str(workspace))
    assert living.stdout is not None
    assert [living.stdout.readline() for _ in range(2)] == ["open\n", "staged\n"]
    try:
        LabelStore.open(workspace).close()
        assert len(list((workspace / "staging").rglob("*.nii.gz"))) == 1
    finally:
        living.kill()
        living.communicate()
    LabelStore.open(workspace).close()
    assert not (workspace / "staging").exists()
