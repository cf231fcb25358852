"""Writes that are carried out in one transaction, so that they share one commit, each on its own to fail."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from pinfold.core.errors import StoreFull
from pinfold.db import ledger, scope
from pinfold.db.asks import Ask
from pinfold.db.failures import told

_TRIES: Final = 5
_TRY_AGAIN: Final = frozenset({"40001", "40P01"})  # PostgreSQL: serialisation failure, deadlock
_UNDER_WAY: Final = frozenset({"INTRANS", "INERROR"})  # states of a transaction, in the driver's words
_MOST_SPOILT: Final = 2  # where more writes break the transaction of all, each goes alone


class _Broken(Exception):
    """A write ended the transaction, before anything of it could be committed."""

    def __init__(self, ask: Ask, error: Exception) -> None:
        super().__init__()
        self.ask = ask
        self.error = error


def carry_out(engine: Engine, asks: list[Ask]) -> None:
    """Give every ask its result, once that is durable, or its error; nothing of one with an error is kept."""
    broken = 0
    while asks:
        if broken > _MOST_SPOILT and len(asks) > 1:
            for ask in asks:
                carry_out(engine, [ask])
            return
        try:
            asks = _in_one_transaction(engine, asks)
        except _Broken as exc:
            broken += 1
            if not _may_try_again(exc.error, exc.ask):
                exc.ask.error = told(exc.error)
                asks = [ask for ask in asks if ask is not exc.ask]
        except Exception as exc:  # noqa: BLE001 - around a job: whoever asked is told
            if len(asks) > 1 and not isinstance(exc, OperationalError | StoreFull):
                broken = _MOST_SPOILT + 1  # one of them wrote what the database does not take: find it
            elif len(asks) > 1 or not _may_try_again(exc, asks[0], sent=True):
                failure = told(exc)
                for ask in asks:
                    ask.error = failure
                return


def _in_one_transaction(engine: Engine, asks: list[Ask]) -> list[Ask]:
    """Those that have to be tried again, as another transaction was in their way.  Raises: _Broken."""
    failed: list[tuple[Ask, Exception]] = []
    with engine.connect() as connection, connection.begin() as transaction:
        held = ledger.Ledger(connection)
        for number, ask in enumerate(asks):
            if len(asks) > 1:
                _savepoint(connection, number)
            held.begin_write()
            try:
                with Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session:
                    scope.bind(session, ask.organisation_id)
                    ledger.give(session, held)
                    ask.result = ask.query(session)
                    session.flush()
            except Exception as exc:  # around a job, one of several: whoever asked is told, and the others go on
                if len(asks) == 1 or not (transaction.is_active and _is_open(connection)):
                    raise _Broken(ask, exc) from exc
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one")
                held.undo_write()
                failed.append((ask, exc))
        held.write_out()
    again = []
    for ask, error in failed:
        if _may_try_again(error, ask):
            again.append(ask)
        else:
            ask.error = told(error)
    return again


def _savepoint(connection: Connection, number: int) -> None:
    # By hand: the toolkit's nested transactions cost four times as much.
    if number and connection.dialect.name == "postgresql":
        connection.exec_driver_sql("RELEASE SAVEPOINT one; SAVEPOINT one")  # one message there and back
        return
    if number:
        connection.exec_driver_sql("RELEASE SAVEPOINT one")
    connection.exec_driver_sql("SAVEPOINT one")


def _is_open(connection: Connection) -> bool:
    """Whether the database still has the transaction: some errors end it, a full disk on SQLite for one."""
    if connection.invalidated or connection.closed:
        return False
    raw = connection.connection.driver_connection
    if raw is None:
        return False
    if connection.dialect.name == "sqlite":
        return bool(raw.in_transaction)
    return raw.info.transaction_status.name in _UNDER_WAY


def _may_try_again(exc: Exception, ask: Ask, *, sent: bool = False) -> bool:
    # After a commit that was sent and not answered nobody knows, so a lost connection counts only before it.
    if not isinstance(exc, DBAPIError):
        return False
    ask.tries += 1
    was_lost = exc.connection_invalidated and not sent
    return ask.tries < _TRIES and (was_lost or getattr(exc.orig, "sqlstate", None) in _TRY_AGAIN)
