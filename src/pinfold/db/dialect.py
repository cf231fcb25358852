"""All that differs between SQLite and PostgreSQL: how to connect, to begin and to lease; to search is in ``search``."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import (
    ColumnElement,
    Engine,
    Select,
    and_,
    create_engine,
    event,
    func,
    make_url,
    true,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.pool import ConnectionPoolEntry

from pinfold.core.errors import InvalidSetting

if TYPE_CHECKING:  # on SQLite nothing needs them, and they take a third as long to load as all the rest
    import psycopg
    from sqlalchemy.dialects import postgresql

WRITES: Final = "pinfold_writes"
"""Execution option of connections that will write."""
BUSY_TIMEOUT_MS: Final = 10_000  # another process's migration or checkpoint is over long before

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power cut
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # REPLACE fires delete triggers: it goes round none of the audit log's
    "PRAGMA cache_size = -32768",  # KiB, a connection: the inner pages of a table of millions of rows
    "PRAGMA temp_store = MEMORY",
)


def connect(url: str, *, only_reads: bool = False) -> Engine:
    """An SQLAlchemy engine for ``url``, set up so that a commit is durable.  Raises: InvalidSetting.

    One that ``only_reads`` refuses to write.
    """
    parsed = _parsed(url)
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        return _connect_postgresql(parsed, only_reads)
    if backend != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise InvalidSetting(f"database_url names {parsed.drivername!r}; it takes an SQLite file or postgresql://…")
    if not only_reads:
        _make_private(str(parsed.database))
    engine = create_engine(parsed, **_JSON)
    event.listen(engine, "connect", _prepare)
    if only_reads:
        event.listen(engine, "connect", _refuse_writes)
    event.listen(engine, "begin", _begin)
    return engine


def _dumped(value: Any) -> str:
    """JSON that can be read again.  Raises: UnicodeEncodeError for half of a surrogate pair, which JSON can write."""
    text = json.dumps(value)
    if "\\ud" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return text


_JSON: Final[dict[str, Any]] = {"json_serializer": _dumped, "json_deserializer": orjson.loads}


def _make_private(path: str) -> None:
    """Make the file before SQLite does: only its owner may read the keys of webhooks, here and in its log."""
    with suppress(OSError):  # there already, or SQLite will say what is wrong
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _connect_postgresql(url: URL, only_reads: bool) -> Engine:
    # One driver, whatever the URL says after its "+"; a pool that notices connections the server closed.
    url = url.set(drivername="postgresql+psycopg")
    pool: dict[str, Any] = {"pool_size": 8, "max_overflow": 8, "pool_pre_ping": True, **_JSON}
    if not only_reads:
        return create_engine(url, **pool)
    # A statement sees what was committed when it began, in a transaction or not: so none is begun and none ended.
    engine = create_engine(url, isolation_level="AUTOCOMMIT", **pool)
    event.listen(engine, "connect", _read_only)
    return engine


def _read_only(connection: psycopg.Connection[Any], _entry: ConnectionPoolEntry) -> None:
    was, connection.autocommit = connection.autocommit, True
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    # A search may read thousands of pages that are not in memory: asked for together, they come in half the time.
    # Nothing but 0 is taken by a server whose system cannot be asked so.
    with suppress(connection.DataError):
        connection.execute("SET effective_io_concurrency = 200")
    connection.autocommit = was


def _refuse_writes(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA query_only = ON")


def is_missing_file(url: str) -> bool:
    """Whether ``url`` names a file of SQLite that is not there; opening it would make it.  Raises: InvalidSetting."""
    parsed = _parsed(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        # libpq takes this name as well, and most hosts of databases give it out.
        return parsed.set(drivername="postgresql") if parsed.drivername == "postgres" else parsed
    except ArgumentError as exc:
        raise InvalidSetting("database_url is no SQLAlchemy URL, such as sqlite:////path/to/file") from exc


def is_sqlite(session: Session) -> bool:
    """Whether the session talks to SQLite."""
    return session.get_bind().dialect.name == "sqlite"


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by its own rules: _begin does.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # A writer that begins as a reader can fail at its first write although it waited: take the lock at once.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def insert(session: Session, table: Any) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that takes ``on_conflict_do_update`` and ``on_conflict_do_nothing``, which both spell alike."""
    return insert_into(table, on_sqlite=is_sqlite(session))


def insert_into(table: Any, *, on_sqlite: bool) -> sqlite.Insert | postgresql.Insert:
    """``insert`` for a statement that is kept for more than one session."""
    if on_sqlite:
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def for_update(statement: Select[Any], *, skip_locked: bool = False, of: Any = None) -> Select[Any]:
    """The rows (only ``of`` one table, where several are joined) locked until the end.

    On SQLite a writer is alone anyway, and its dialect leaves this out.
    """
    return statement.with_for_update(skip_locked=skip_locked, of=of)


def has_meta(column: InstrumentedAttribute[dict[str, str]], wanted: dict[str, str]) -> ColumnElement[bool]:
    """Whether a JSON object holds all these keys with these values."""
    return and_(true(), *(column[key].as_string() == value for key, value in wanted.items()))


def has_part(session: Session, column: InstrumentedAttribute[str], part: str) -> ColumnElement[bool]:
    """Whether a column has ``part`` in it, as it is written; row by row, so beside a search that an index serves."""
    position = func.instr(column, part) if is_sqlite(session) else func.strpos(column, part)
    return position > 0
