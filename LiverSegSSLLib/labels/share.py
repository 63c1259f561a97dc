"""Whether a folder lies on another computer, where SQLite must not use memory that it shares with other processes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

SHARES = frozenset(
    {"afpfs", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb2"}
)
SHARES |= {"9p", "fuse.ceph", "fuse.davfs", "fuse.glusterfs", "fuse.rclone", "gpfs", "smb3", "smbfs", "webdav"}
"""Kinds of file systems that several computers may have mounted."""


class Mount(Protocol):
    """Where a file system begins, its kind, and with which options (as psutil tells)."""

    @property
    def mountpoint(self) -> str: ...
    @property
    def fstype(self) -> str: ...
    @property
    def opts(self) -> str: ...


def on_share(path: Path, mounts: Iterable[Mount] | None = None) -> bool:
    """Whether a path lies on a file system that other computers may use too.

    :param mounts: what is mounted; ``None``: here.
    """
    if mounts is None:
        import psutil

        mounts = psutil.disk_partitions(all=True)
    place = os.path.realpath(path)
    if place.startswith("\\\\"):  # Windows: a server's name and no drive
        return True
    above = [mount for mount in mounts if Path(place).is_relative_to(mount.mountpoint)]
    if not above:
        return False
    nearest = max(above, key=lambda mount: len(Path(mount.mountpoint).parts))
    return nearest.fstype.lower() in SHARES or "remote" in nearest.opts.split(",")
