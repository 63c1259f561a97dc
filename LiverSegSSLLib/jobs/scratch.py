"""Temporary folders that do not outlive their process for long, however it ended."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from LiverSegSSLLib.processes import has_ended, this_process

PREFIX = "liversegssl-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is removed at the end of the block. Those of killed processes are removed on the way."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{PREFIX}*"):
        if has_ended(left.name.removeprefix(PREFIX)):
            shutil.rmtree(left, ignore_errors=True)
    folder = place / f"{PREFIX}{this_process()}~{uuid.uuid4().hex[:12]}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
