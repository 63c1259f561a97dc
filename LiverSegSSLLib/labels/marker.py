"""The small file that makes a folder a workspace and says which ledger belongs to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from LiverSegSSLLib.atomic import write_json
from LiverSegSSLLib.cohort.scan import WORKSPACE_MARKER
from LiverSegSSLLib.errors import WorkspaceError, require_answering


@dataclass(frozen=True)
class Marker:
    """``ledger`` is the kind of database (``sqlite``, ``postgresql``), without its address or password."""

    workspace: str
    ledger: str


def read_marker(workspace: Path) -> Marker | None:
    """The marker of a workspace; ``None`` for a folder that is none yet.

    :raises WorkspaceError: the file cannot be understood.
    """
    path = workspace / WORKSPACE_MARKER
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Marker(str(data["workspace"]), str(data["ledger"]))  # a newer program may say more
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        require_answering(error, path)
        what = f"the workspace's marker is damaged ({type(error).__name__})"
        raise WorkspaceError(what, path, "delete this one file; it is made again from the ledger") from None


def write_marker(workspace: Path, marker: Marker) -> None:
    """Write the marker."""
    write_json(workspace / WORKSPACE_MARKER, asdict(marker))
