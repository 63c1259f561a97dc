"""A workspace has no way out: no link in it leads elsewhere.

Whoever can write into a shared workspace could put a link there. What a run writes or clears away behind it would be
written, or be gone, in another folder of whoever runs it.
"""

from __future__ import annotations

import os
from pathlib import Path

from LiverSegSSLLib.errors import WorkspaceError


def require_no_way_out(workspace: Path) -> None:
    """Raise if a link in a workspace leads out of it. The workspace itself may be one.

    :raises WorkspaceError: names the link and where it leads.
    """
    root = workspace.resolve()
    waiting = [str(root)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:  # not there yet, removed this moment, or not ours to read
            continue
        for entry in entries:
            if entry.is_symlink():
                target = Path(os.path.realpath(entry.path))  # a loop leads nowhere
                if not target.is_relative_to(root):
                    remedy = "remove the link; to keep a workspace on another disk, make the whole folder a link"
                    raise WorkspaceError(f"is a link out of the workspace, to {target}", entry.path, remedy)
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
