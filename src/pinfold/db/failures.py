"""What a database says that failed, as an error of ours: a sentence for whoever asked, its words as the cause."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pinfold.core.errors import (
    DatabaseDamaged,
    DatabaseUnavailable,
    InvalidInput,
    PinfoldError,
    StoreFull,
    StoreUnreadable,
)

_POSTGRESQL_DISK_FULL: Final = "53100"
_SQLITE_HELD: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SQLITE_AWAY: Final = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR})
_SQLITE_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_FAILURES: Final = (StatementError, PoolTimeout, sqlite3.DatabaseError, UnicodeEncodeError)


def told(exc: Exception) -> Exception:
    """The error that whoever asked is to get; ``exc`` itself where it is ours already, or a mistake of the program."""
    failure = _failure(exc) if isinstance(exc, _FAILURES) else None
    if failure is None:
        return exc
    failure.__cause__ = exc.orig if isinstance(exc, StatementError) else exc
    return failure


@contextmanager
def failures_told() -> Iterator[None]:
    """Raise what is ``told`` instead of what the database raises."""
    try:
        yield
    except _FAILURES as exc:
        if (failure := told(exc)) is exc:
            raise
        raise failure from failure.__cause__


def unopened(exc: DatabaseError, url: URL) -> PinfoldError:
    """The error for an operator whose database at ``url`` cannot be opened, with the words of the driver."""
    words = (str(exc.orig).strip() or repr(exc.orig)).splitlines()[0]
    if isinstance(exc.orig, sqlite3.Error):
        if exc.orig.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB:
            return StoreUnreadable(
                f"{url.database} is no database of SQLite, or its beginning is damaged: {words}",
                hint=DatabaseDamaged.hint,
            )
        if isinstance(_of_sqlite(exc.orig), DatabaseDamaged):
            return DatabaseDamaged(f"the database {url.database} is damaged: {words}")
        return _unreadable(words)
    if isinstance(exc, OperationalError):
        return DatabaseUnavailable(
            f"the database cannot be reached: {words}",
            hint="Look whether its server runs, whether the network lets this machine reach it, and whether the "
            "setting database_url names it, its user and its password.",
        )
    return _unreadable(words)


def _unreadable(words: str) -> StoreUnreadable:
    return StoreUnreadable(f"the database cannot be opened: {words}")


def _failure(exc: Exception) -> PinfoldError | None:
    orig = exc.orig if isinstance(exc, StatementError) else exc
    if isinstance(orig, UnicodeEncodeError):
        return InvalidInput("a text holds half of a surrogate pair, which cannot be stored")
    if isinstance(orig, sqlite3.Error):
        return _of_sqlite(orig)
    if isinstance(exc, PoolTimeout):
        return DatabaseUnavailable("the database has no connection to spare")
    if getattr(orig, "sqlstate", None) == _POSTGRESQL_DISK_FULL:
        return StoreFull("the disk is full: the database could not be written")
    if isinstance(exc, DBAPIError) and exc.connection_invalidated and exc.statement is None:
        return DatabaseUnavailable(  # a commit has no statement
            "the connection to the database broke as the change was written down, so that nobody knows whether it was",
            hint="Look whether it was made before you ask for it again.",
        )
    if isinstance(exc, OperationalError | InterfaceError) or (
        isinstance(exc, DBAPIError) and exc.connection_invalidated
    ):
        return DatabaseUnavailable("the database is away, or too busy to answer; nothing was changed")
    return None


def _of_sqlite(orig: sqlite3.Error) -> PinfoldError | None:
    code: int = getattr(orig, "sqlite_errorcode", 0) & 0xFF  # the higher bits say more of it
    if code == sqlite3.SQLITE_FULL:
        return StoreFull("the disk is full: the database could not be written")
    if code in _SQLITE_HELD:
        return DatabaseUnavailable("the database is locked by another program; nothing was changed")
    if code == sqlite3.SQLITE_READONLY:
        return DatabaseUnavailable(
            "the file of the database is read-only", hint="Look at its rights, and its folder's."
        )
    if code in _SQLITE_DAMAGED:
        return DatabaseDamaged("the file of the database is damaged")
    if code in _SQLITE_AWAY:
        return DatabaseUnavailable("the file of the database cannot be read or written")
    return None
