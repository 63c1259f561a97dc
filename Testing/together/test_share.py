"""A workspace on a share: several computers may open it, which the ledger's journal must bear."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from LiverSegSSLLib.labels import ledger
from LiverSegSSLLib.labels.share import on_share
from LiverSegSSLLib.labels.store import LabelStore
from Testing.together.soundness import require_sound
from Testing.together.test_together import PROPOSALS, VERDICTS, at_work
from Testing.together.workspace import fill


@dataclass(frozen=True)
class Mounted:
    mountpoint: str
    fstype: str
    opts: str = "rw"


MOUNTS = (
    Mounted("/", "ext4"),
    Mounted("/mnt", "nfs4"),
    Mounted("/mnt/fast", "xfs"),
    Mounted("/home/anna/ward", "fuse.sshfs"),
    Mounted("/volumes/Z", "NTFS", "rw,remote"),
)


@pytest.mark.parametrize(
    ("path", "share"),
    [
        ("/data/work", False),
        ("/mnt/work", True),
        ("/mnt/fast/work", False),
        ("/mnt/faster", True),
        ("/home/anna/ward", True),
        ("/home/anna/warden", False),
        ("/volumes/Z/work", True),
    ],
)
def test_the_nearest_file_system_counts(path: str, share: bool) -> None:
    assert on_share(Path(path), MOUNTS) is share
    assert on_share(Path(path), ()) is False


def journal(workspace: Path) -> str:
    with closing(sqlite3.connect(workspace / "ledger.sqlite")) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_a_ledger_on_a_share_uses_no_shared_memory_and_several_work_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "work"
    LabelStore.open(workspace).close()
    assert journal(workspace) == "wal"
    with monkeypatch.context() as moved:
        moved.setattr(ledger, "on_share", lambda path: True)
        LabelStore.open(workspace).close()
    assert journal(workspace) == "delete"
    with LabelStore.open(workspace) as store:
        fill(store, 2)
    done = at_work(workspace, None)
    assert journal(workspace) == "delete", "from a computer that has it on a disk of its own too"
    with LabelStore.open(workspace) as store:
        require_sound(store)
        given = 2 * (VERDICTS + PROPOSALS)
        assert sum(each.actions for each in done.values()) == given
