"""The open database: queries run in threads, reads side by side, writes grouped so that many share one commit."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from pinfold.core.errors import DatabaseOutdated, StoreError, StoreNewer, StoreUnreadable
from pinfold.db import dialect, scope, upgrade
from pinfold.db.asks import Ask, tell
from pinfold.db.grouping import carry_out, failures_told
from pinfold.db.lanes import Lanes

P = ParamSpec("P")
T = TypeVar("T")

DATABASE_FAILURES: Final = (SQLAlchemyError, StoreError)
"""What a query may raise that says nothing about what was asked: the database is away, locked or full."""

_READERS: Final = 4  # queries are short; more threads would only wait for the interpreter
_WRITERS: Final = 4  # on PostgreSQL; SQLite has room for one, and a queue here is fairer than its busy loop
_MOST_READ_TOGETHER: Final = 8  # reads that a thread takes at once, so that one wake-up serves several callers


class Database:
    """A database of this version's schema.

    ``of`` and ``everybody`` give what queries run through: a query is a function whose first argument is the session,
    and all of it is committed, durably, or nothing is.  Rows that come back are detached and can be read freely.
    """

    def __init__(self, url: str, *, may_upgrade: bool | None = None) -> None:
        """Open it; an SQLite file is brought to this version's schema, another database only if it ``may_upgrade``.

        Raises:  InvalidSetting, StoreNewer, StoreUnreadable, DatabaseOutdated.
        """
        self.engine = dialect.connect(url)
        self._for_writes = self.engine.execution_options(**{dialect.WRITES: True})
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        try:
            if self._is_sqlite if may_upgrade is None else may_upgrade:
                upgrade.to_newest(self._for_writes)
            else:
                upgrade.require_newest(self.engine)
        except DatabaseError as exc:
            self.engine.dispose()
            raise StoreUnreadable(f"the database cannot be opened: {exc.orig}") from exc
        except (StoreNewer, DatabaseOutdated):
            self.engine.dispose()
            raise
        self._for_reads = dialect.connect(url, only_reads=True)
        self._lanes = Lanes()
        self._reads: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._threads = [
            *self._start(self._write_for_ever, "db-write", 1 if self._is_sqlite else _WRITERS),
            *self._start(self._read_for_ever, "db-read", _READERS),
        ]
        self.everybody = Bound(self, scope.EVERYBODY)
        """For what serves all organisations: workers, administrators, and finding out whose a token is."""

    def of(self, organisation_id: str) -> Bound:
        """What reaches the rows of one organisation, and of no other."""
        return Bound(self, organisation_id)

    def close(self) -> None:
        """Finish what was asked, refuse what is asked from now on, and let go of the files.  Twice is once."""
        with self._closing:
            self._closed = True
            self._lanes.close()
            for _ in range(_READERS):
                self._reads.put(None)
        for thread in self._threads:
            thread.join()
        self._for_reads.dispose()
        self.engine.dispose()

    @staticmethod
    def _start(work: Callable[[], None], name: str, number: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=work, name=f"{name}-{n}", daemon=True) for n in range(number)]
        for thread in threads:
            thread.start()
        return threads

    # -- what Bound calls --------------------------------------------------------------------------------------------

    def _ask_to_read(self, ask: Ask) -> None:
        with self._closing:  # behind the end of the queue nobody would ever look
            if self._closed:
                raise StoreError("the database is closed")
            self._reads.put(ask)

    def _ask_to_write(self, ask: Ask) -> None:
        # On PostgreSQL a transaction holds the totals of one organisation at most, so none of two waits for the other.
        if not self._lanes.put("" if self._is_sqlite else ask.organisation_id, ask):
            raise StoreError("the database is closed")

    def _read_now(self, organisation_id: str, query: Callable[[Session], T]) -> T:
        with self._for_reads.connect() as connection:
            return _read(connection, organisation_id, query)

    # -- threads -----------------------------------------------------------------------------------------------------

    def _write_for_ever(self) -> None:
        while (taken := self._lanes.take()) is not None:
            lane, asks = taken
            try:
                carry_out(self._for_writes, list(asks))
            finally:
                self._lanes.release(lane)
            tell(asks)

    def _read_for_ever(self) -> None:
        reading = _Reading(self._for_reads)
        ended = False
        while not ended and (first := self._reads.get()) is not None:
            asks = [first]
            for _ in range(min(_MOST_READ_TOGETHER - 1, self._reads.qsize() // _READERS)):
                try:
                    further = self._reads.get_nowait()
                except queue.Empty:
                    break
                if further is None:
                    ended = True
                    break
                asks.append(further)
            for ask in asks:
                reading.answer(ask)
            tell(asks)
            del asks, first  # what was read is the callers' now
        reading.close()


class _Reading:
    """One thread's reads, over a connection that it keeps."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def answer(self, ask: Ask) -> None:
        """Give the ask its result or its error; a connection that broke is made anew, once."""
        if ask.is_given_up:
            return
        for may_retry in (True, False):
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                ask.result = _read(self._connection, ask.organisation_id, ask.query)
                return
            except Exception as exc:  # noqa: BLE001 - around a job: whoever asked is told
                if not isinstance(exc, DBAPIError) or not exc.connection_invalidated:
                    ask.error = exc
                    return
                self.close()
                if not may_retry:
                    ask.error = exc

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Bound:
    """A database as one organisation, or everybody, may use it."""

    __slots__ = ("_database", "_organisation_id")

    def __init__(self, database: Database, organisation_id: str) -> None:
        self._database = database
        self._organisation_id = organisation_id

    async def read(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a query that changes nothing; it may be run again after a broken connection."""
        ask = self._ask(query, args, kwargs)
        self._database._ask_to_read(ask)
        return await ask.waiting  # type: ignore[misc, no-any-return]

    async def write(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a query that changes something, once the change is durable.

        A caller that is cancelled meanwhile does not stop it.  The query may be run again, after a deadlock or when a
        write beside it broke their transaction, so it changes nothing but the database.  Raises: StoreFull, StoreError.
        """
        ask = self._ask(query, args, kwargs)
        self._database._ask_to_write(ask)
        return await ask.waiting  # type: ignore[misc, no-any-return]

    def read_now(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``read`` in the calling thread."""
        return self._database._read_now(self._organisation_id, lambda session: query(session, *args, **kwargs))

    def write_now(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``write``, waited for in the calling thread."""
        waiting: Future[T] = Future()
        ask = Ask(self._organisation_id, lambda session: query(session, *args, **kwargs), waiting)
        self._database._ask_to_write(ask)
        return waiting.result()

    def _ask(self, query: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Ask:
        loop = asyncio.get_running_loop()
        return Ask(self._organisation_id, lambda session: query(session, *args, **kwargs), loop.create_future(), loop)


def _read(connection: Connection, organisation_id: str, query: Callable[[Session], T]) -> T:
    with (
        failures_told(),
        connection.begin(),
        Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session,
    ):
        scope.bind(session, organisation_id)
        return query(session)
