"""A PostgreSQL server of our own for tests: made from the packages that are installed, on loopback, gone afterwards."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from sqlalchemy import URL

USER = "liversegssl"
UNPRIVILEGED = ("postgres", "nobody")
"""Whom the server runs as where we are root, for whom it refuses to start: the first that there is."""

START_SECONDS = 60.0
"""It takes less than one, on a computer that has nothing else to do."""


@dataclass(frozen=True)
class Server:
    """A server that runs; every database made is empty."""

    port: int
    password: str
    folder: Path
    binaries: Path

    def database(self, name: str | None = None) -> str:
        """Make an empty database; its URL, password and all."""
        import psycopg

        name = name or f"ledger_{secrets.token_hex(4)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name).replace("postgresql:", "postgresql+psycopg:")

    def url(self, database: str) -> str:
        """Of a database that is there, as libpq takes it."""
        url = URL.create("postgresql", USER, self.password, "127.0.0.1", self.port, database)
        return url.render_as_string(hide_password=False)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The server runs for the block, and not a moment longer than this process."""
        # No socket file: its folder may not be ours to write. Not synced: nobody needs these data.
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off")
        words = [str(self.binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        words += [word for setting in settings for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log, _start(words, log) as process:
            try:
                self._wait_until_it_answers(process)
                yield
            finally:
                assert process.stdin is not None
                process.stdin.close()

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        import psycopg

        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def missing() -> str:
    """Why no server can be started here; empty: it can."""
    if os.name == "nt":
        return "not on Windows"
    if _binaries() is None:
        return "PostgreSQL is not installed (apt install postgresql)"
    if find_spec("psycopg") is None:
        return "its driver is not installed (pip install 'liversegssl[postgres]')"
    return ""


@contextmanager
def running() -> Iterator[Server]:
    """A server that runs for the block."""
    binaries = _binaries()
    assert binaries is not None, missing()
    # Not below pytest's folders, into which nobody but their owner may look.
    with tempfile.TemporaryDirectory(prefix="liversegssl-postgresql-") as name:
        folder = Path(name)
        secret = folder / "password"
        secret.write_text(secrets.token_urlsafe(12) + "\n", encoding="utf-8")
        if (other := _other()) is not None:
            for path in (folder, secret):
                shutil.chown(path, other)
        words = ["-D", str(folder / "data"), "-U", USER, "--pwfile", str(secret), "-A", "scram-sha-256", "-E", "UTF8"]
        _run([str(binaries / "initdb"), *words, "--no-sync", "--locale=C"])
        server = Server(_free_port(), secret.read_text(encoding="utf-8").strip(), folder, binaries)
        with server.serving():
            yield server


def _binaries() -> Path | None:
    """The newest of Debian's, or those on the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    folders += [Path(on_path).parent] if on_path else []
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, cwd="/", **_identity())
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode(errors='replace')}")


def _start(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program that is stopped when its standard input closes, by us or because we were killed."""
    guarded = ["/bin/sh", "-c", '"$@" & read -r _; kill -QUIT $!; wait', "sh", *command]
    return subprocess.Popen(guarded, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", **_identity())


def _identity() -> dict[str, Any]:
    """Who is to run the server."""
    user = _other()
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _other() -> str | None:
    """Whom to run the server as; ``None``: as ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
