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

    from pinfold.db.silence import Server

WRITES: Final = "pinfold_writes"
"""Execution option of connections that will write."""
BUSY_TIMEOUT_MS: Final = 10_000  # another process's migration or checkpoint is over long before

# What ends a statement of PostgreSQL that would not end by itself.  Migrations have no such limits.
LOCK_TIMEOUT_S: Final = 10  # as BUSY_TIMEOUT_MS; whoever holds a row of ours holds it for milliseconds
READ_TIMEOUT_S: Final = 60  # the longest search takes seconds, and callers and proxies have gone by then
WRITE_TIMEOUT_S: Final = 300  # deletes of old rows and of all that an organisation has may take a minute
POOL_TIMEOUT_S: Final = 10  # there are more connections than threads, so that nothing waits for one
_ALIVE: Final[dict[str, str]] = {
    # A network that drops packets is noticed within half a minute, on connections that wait and on those that send.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power cut
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys = ON",
    "PRAGMA recursive_triggers = ON",  # REPLACE fires delete triggers: it goes round none of the audit log's
    "PRAGMA cache_size = -32768",  # KiB, a connection: the inner pages of a table of millions of rows
    "PRAGMA temp_store = MEMORY",
)


def server_of(url: str) -> Server | None:
    """The server at ``url``, for all engines that connect to it; None for SQLite.  Raises: InvalidSetting."""
    if _parsed(url).get_backend_name() != "postgresql":
        return None
    from pinfold.db.silence import Server

    return Server()


def connect(url: str, *, only_reads: bool = False, server: Server | None = None, may_take_long: bool = False) -> Engine:
    """An SQLAlchemy engine for ``url``, set up so that a commit is durable.  Raises: InvalidSetting.

    One that ``only_reads`` refuses to write.  Statements of PostgreSQL have time limits, unless they ``may_take_long``,
    and fail where the ``server`` does not answer.
    """
    parsed = _parsed(url)
    backend = parsed.get_backend_name()
    if backend == "postgresql":
        limit_s = 0 if may_take_long else READ_TIMEOUT_S if only_reads else WRITE_TIMEOUT_S
        return _connect_postgresql(parsed, server or server_of(url), only_reads, limit_s)
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


def _connect_postgresql(url: URL, server: Server | None, only_reads: bool, limit_s: int) -> Engine:
    from pinfold.db import silence

    assert server is not None
    # One driver, whatever the URL says after its "+"; a pool that notices connections the server closed.
    url = url.set(drivername="postgresql+psycopg").update_query_dict(
        {
            name: value
            for name, value in {**_ALIVE, "connect_timeout": str(silence.CONNECT_TIMEOUT_S)}.items()
            if name not in url.query
        }
    )
    pool: dict[str, Any] = {
        "pool_size": 8,
        "max_overflow": 8,
        "pool_pre_ping": True,
        "pool_timeout": POOL_TIMEOUT_S,
        **_JSON,
    }
    # A statement sees what was committed when it began, in a transaction or not: so where only reads go, none is begun
    # and none ended.
    engine = create_engine(url, **pool, **({"isolation_level": "AUTOCOMMIT"} if only_reads else {}))

    @event.listens_for(engine, "do_connect")
    def do_connect(_dialect: Any, _entry: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        return server.connect(tuple(arguments), options)

    @event.listens_for(engine, "connect")
    def prepare(connection: silence.Connection, _entry: ConnectionPoolEntry) -> None:
        was, connection.autocommit = connection.autocommit, True
        if limit_s:
            connection.execute(f"SET statement_timeout = '{limit_s}s'; SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
            connection.limit_s = limit_s
        if only_reads:
            _read_only(connection)
        connection.autocommit = was

    return engine


def _read_only(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    # A search may read thousands of pages that are not in memory: asked for together, they come in half the time.
    # Nothing but 0 is taken by a server whose system cannot be asked so.
    with suppress(connection.DataError):
        connection.execute("SET effective_io_concurrency = 200")


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
