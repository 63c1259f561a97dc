"""The ledgers to try: a file, and a database of a server of our own where PostgreSQL is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from Testing.together.server import Server, missing, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """PostgreSQL, started once; a test makes its own database in it."""
    if reason := missing():
        pytest.skip(reason)
    with running() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Of an empty ledger; ``None``: the file in the workspace."""
    if request.param == "sqlite":
        return None
    found: Server = request.getfixturevalue("server")
    return found.database()
