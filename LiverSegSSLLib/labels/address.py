"""Where a department's ledger is, if it is not in the workspace: the one thing about it that only the environment says.

An address in a file of the workspace would travel with the data, and one in a job's settings would be kept and shown.
The environment reaches the panel, the command line and their child processes alike.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from LiverSegSSLLib.labels.ledger import LEDGER
from LiverSegSSLLib.labels.marker import Marker

VARIABLE = "LIVERSEGSSL_LEDGER"
"""The URL of a database, as SQLAlchemy writes it. A password need not be in it: libpq looks into ``~/.pgpass``."""


def url_of(workspace: Path, marker: Marker | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The URL of the ledger of a workspace that is new, or whose marker says that it is in no file.

    ``None``: it is the file in the workspace, or the environment names none.
    """
    in_file = (workspace / LEDGER).exists() if marker is None else marker.ledger == "sqlite"
    return None if in_file else environment.get(VARIABLE, "").strip() or None
