"""The ledger: tables of labels, reviews, decisions and scores in SQLite, or in PostgreSQL by its URL."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    ForeignKey,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

from LiverSegSSLLib.errors import WorkspaceError
from LiverSegSSLLib.labels.share import on_share

LEDGER = "ledger.sqlite"
"""Name of the database in a workspace."""

SCHEMA_VERSION = 2
"""Of the tables below; 2: everything in them also stands in sidecars. A higher one was written by a newer program."""

OLDEST_VERSION = 1
"""Which is brought up to date when it is opened."""

REBUILD = "make it again from the label files: liversegssl doctor --workspace WORKSPACE"
"""What to do about a ledger that is lost."""

BUSY_SECONDS = 120.0
"""How long one process waits for another that is writing. A write takes milliseconds."""

_ABOUT = ("journal_mode", "page_count")

_FROZEN_SECONDS = 60
"""After which PostgreSQL ends the transaction of a process that was frozen, or whose computer was cut off."""

_POSTGRESQL = {
    "connect_timeout": 15,
    "options": f"-c lock_timeout={BUSY_SECONDS:.0f}s -c idle_in_transaction_session_timeout={_FROZEN_SECONDS}s",
}
"""For libpq."""


class Utc(TypeDecorator[datetime]):
    """Times with a zone outside, UTC without one in the table: SQLite keeps no zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: Utc}  # noqa: RUF012


class WorkspaceRow(Base):
    """One row: which workspace the ledger belongs to, and how its tables are laid out."""

    __tablename__ = "workspace"
    id: Mapped[str] = mapped_column(primary_key=True)
    schema_version: Mapped[int]
    created: Mapped[datetime]


class LabelRow(Base):
    """A label; only ``state`` ever changes, and each change is a :class:`ReviewRow`."""

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("case_id", "version"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    study: Mapped[str] = mapped_column(index=True)
    phase: Mapped[str] = mapped_column(index=True)
    source: Mapped[str]
    round: Mapped[int]
    made_as: Mapped[str]
    state: Mapped[str]
    parents: Mapped[list[Any]]
    parameters: Mapped[dict[str, Any]]
    seed: Mapped[int]
    sha256: Mapped[str]
    author: Mapped[str]
    created: Mapped[datetime]
    path: Mapped[str] = mapped_column(unique=True)
    probability_path: Mapped[str | None]
    volume_ml: Mapped[float]
    seconds: Mapped[float]
    grid: Mapped[list[Any]]
    key: Mapped[str | None] = mapped_column(unique=True)


class ReviewRow(Base):
    """One change of state of a label; rows are only added."""

    __tablename__ = "reviews"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    state: Mapped[str]
    author: Mapped[str]
    seconds: Mapped[float]
    comment: Mapped[str]
    time: Mapped[datetime]


class DecisionRow(Base):
    """Whether a label is kept for training; rows are only added, the newest counts."""

    __tablename__ = "decisions"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    keep: Mapped[bool]
    reason: Mapped[str]
    need: Mapped[float | None]
    time: Mapped[datetime]


class ScoreRow(Base):
    """One score of a decision. ``value`` is null for "not a number", which SQL has none of."""

    __tablename__ = "scores"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    decision: Mapped[int] = mapped_column(ForeignKey("decisions.number"), index=True)
    label_id: Mapped[str] = mapped_column(ForeignKey("labels.id"), index=True)
    name: Mapped[str]
    value: Mapped[float | None]
    ok: Mapped[bool]
    reason: Mapped[str]


class Ledger:
    """The database with its two kinds of transactions.

    Connections are not kept between them, so that a ledger may pass through ``fork`` and be used from threads.

    :param url: as SQLAlchemy takes it.
    :raises WorkspaceError: the URL cannot be used.
    """

    def __init__(self, url: str | URL) -> None:
        try:
            self.url = make_url(url)
            if self.url.drivername in ("postgresql", "postgres"):  # as libpq writes it; this is the driver we install
                self.url = self.url.set(drivername="postgresql+psycopg")
            sqlite = self.url.get_backend_name() == "sqlite"
            arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False} if sqlite else _POSTGRESQL
            self._engine: Engine = create_engine(self.url, poolclass=NullPool, connect_args=arguments)
        except ModuleNotFoundError as error:
            what = f"the driver of the ledger's database is not installed ({error.name})"
            raise WorkspaceError(what, None, "pip install 'psycopg[binary]', and write postgresql://") from None
        except (ArgumentError, NoSuchModuleError, ValueError):  # which may quote it, password and all
            what = "the ledger's URL cannot be used"
            raise WorkspaceError(what, None, "write it like postgresql+psycopg://user@host/database") from None
        self._sqlite = sqlite
        if sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)

    @property
    def is_file(self) -> bool:
        """Whether it is a file, not a database of a server."""
        return self._sqlite

    @property
    def where(self) -> str:
        """The database in words: no user, no password."""
        if self._sqlite:
            return str(self.url.database)
        return " on ".join(filter(None, [f"database {self.url.database or 'of this user'}", self.url.host]))

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that sees one moment of the ledger."""
        engine = self._engine if self._sqlite else self._engine.execution_options(isolation_level="REPEATABLE READ")
        with self._kind_errors(), Session(engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that has the ledger to itself: no other process writes until it ends. So it must be short.

        It commits at the end of the block and is undone by an exception.
        """
        engine = self._engine.execution_options(liversegssl_write=True)
        with self._kind_errors(), Session(engine, expire_on_commit=False) as session, session.begin():
            connection = session.connection()  # SQLite is locked as the transaction begins
            if not self._sqlite:
                _lock_postgresql(connection)
            yield session

    def owner(self) -> str | None:
        """The id of the workspace that the ledger belongs to; ``None``: there are no tables yet.

        :raises WorkspaceError: the tables are of another version of the program.
        """
        if self._sqlite:
            self._set_journal()
        with self.reading() as session:
            there = inspect(session.connection()).has_table(WorkspaceRow.__tablename__)
            row = session.scalars(select(WorkspaceRow)).first() if there else None
        if row is None:
            return None
        if row.schema_version > SCHEMA_VERSION:
            what = f"was written by a newer LiverSegSSL (ledger {row.schema_version}, this knows {SCHEMA_VERSION})"
            raise WorkspaceError(what, self.where, "update LiverSegSSL to open it")
        if row.schema_version < OLDEST_VERSION:
            what = f"was written by an older LiverSegSSL (ledger {row.schema_version}, this knows {SCHEMA_VERSION})"
            raise WorkspaceError(what, self.where, "open it with the version that wrote it")
        return row.id

    def create(self, workspace_id: str, also: Callable[[Session], None]) -> str:
        """Make the tables, if no other process was faster; returns the id of the workspace that they belong to.

        :param also: what else belongs to it, in the same transaction.
        """
        with self.writing() as session:
            Base.metadata.create_all(session.connection())
            row = session.scalars(select(WorkspaceRow)).first()
            if row is not None:
                return row.id
            session.add(WorkspaceRow(id=workspace_id, schema_version=SCHEMA_VERSION, created=now()))
            also(session)
            return workspace_id

    def fault(self) -> str | None:
        """What is wrong with the database, in its own words; ``None``: nothing, as far as it can tell."""
        try:
            with self.reading() as session:
                session.scalars(select(WorkspaceRow)).one()
                for table in Base.metadata.sorted_tables:
                    session.execute(select(table).limit(1)).all()
                if self._sqlite:
                    said = session.scalars(text("PRAGMA integrity_check(1)")).one()
                    return None if said == "ok" else str(said)
        except (WorkspaceError, SQLAlchemyError, ValueError) as error:
            return str(getattr(error, "orig", error)).splitlines()[0]
        return None

    def is_empty(self) -> bool:
        """Whether it has no label, or not even tables."""
        with self.reading() as session:
            there = inspect(session.connection()).has_table(LabelRow.__tablename__)
            return not there or session.scalars(select(LabelRow.id).limit(1)).first() is None

    def go_on_counting(self, session: Session) -> None:
        """After rows were added with numbers of their own: the next number is one more than the highest.

        SQLite does so by itself; PostgreSQL counts apart from the rows.
        """
        if self._sqlite:
            return
        for table in (ReviewRow, DecisionRow, ScoreRow):
            name = table.__tablename__
            highest = select(func.max(table.number)).scalar_subquery()
            session.execute(select(func.setval(func.pg_get_serial_sequence(name, "number"), highest)))

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _set_journal(self) -> None:
        """Write-ahead logging lets others read while one writes. Over a network it would damage the ledger
        (sqlite.org/wal.html), so one that is begun or found on a share keeps the older journal."""
        share = on_share(Path(self.url.database or ""))
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                with self._kind_errors(), self._engine.connect() as connection:
                    driver: Any = connection.connection.driver_connection
                    (mode,), (pages,) = (driver.execute(f"PRAGMA {name}").fetchone() for name in _ABOUT)
                    wanted = "delete" if share else mode if pages else "wal"
                    if mode != wanted:
                        driver.execute(f"PRAGMA journal_mode={wanted}")
                return
            except sqlite3.DatabaseError as error:  # the driver's own: the switch itself does not wait for a lock
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise self._in_words(str(error)) from error
                time.sleep(0.02)

    @contextmanager
    def _kind_errors(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DatabaseError as error:
            raise self._in_words(str(error.orig)) from error

    def _in_words(self, said: str) -> WorkspaceError:
        """What the database said, for people."""
        if not self._sqlite:
            remedy = "check that the server runs and this user may make and write tables"
            return WorkspaceError(f"the ledger cannot be used ({said})", self.where, remedy)
        if "not a database" in said or "malformed" in said:
            return WorkspaceError(f"the ledger is damaged ({said})", self.where, REBUILD)
        if "locked" in said:
            what = f"another process has not let go of the ledger for {BUSY_SECONDS:.0f} seconds"
            return WorkspaceError(what, self.where, "look whether one hangs, and stop it")
        remedy = "check that the disk is not full, the folder can be written"
        return WorkspaceError(f"the ledger cannot be used ({said})", self.where, remedy)


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")  # a committed row survives a power cut, like its synced file


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("liversegssl_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _lock_postgresql(connection: Connection) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": zlib.crc32(b"liversegssl")})


def sqlite_url(path: Path) -> URL:
    """The URL of a ledger in a file."""
    return URL.create("sqlite+pysqlite", database=str(path))
