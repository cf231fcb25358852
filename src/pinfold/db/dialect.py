"""All that differs between databases; today there is SQLite, and PostgreSQL will stand beside it."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from pinfold.core.errors import InvalidSetting

WRITES: Final = "pinfold_writes"
"""Execution option of connections that will write."""
BUSY_TIMEOUT_MS: Final = 10_000  # another process's migration or checkpoint is over long before

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that was answered survives a power cut
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA foreign_keys = ON",
)


def connect(url: str) -> Engine:
    """An SQLAlchemy engine for ``url``, set up so that a commit is durable.  Raises: InvalidSetting."""
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise InvalidSetting("database_url is no SQLAlchemy URL, such as sqlite:////path/to/file") from exc
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise InvalidSetting(f"database_url names {parsed.drivername!r}; this version keeps its rows in an SQLite file")
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by its own rules: _begin does.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # A writer that begins as a reader can fail at its first write although it waited: take the lock at once.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
