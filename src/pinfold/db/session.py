"""The open database: queries run in threads, reads side by side, writes grouped so that many share one commit."""

from __future__ import annotations

import asyncio
import functools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from pinfold.core.errors import DatabaseDamaged, PinfoldError, StoreError, StoreFull
from pinfold.db import dialect, schema, scope
from pinfold.db.asks import Ask, tell
from pinfold.db.failures import failures_told, told, unopened
from pinfold.db.grouping import carry_out
from pinfold.db.lanes import PATIENT, Lanes
from pinfold.db.reserve import Reserve

P = ParamSpec("P")
T = TypeVar("T")

DATABASE_FAILURES: Final = (SQLAlchemyError, StoreError)
"""What a query may raise that says nothing about what was asked: the database is away, locked or full."""

# Queries are short, and each needs the interpreter for most of its time: threads that compete for it take longer
# together than one by itself (935 lists a second with four of them, 1,355 with one).
_READERS: Final = 1
_READERS_OVER_NETWORK: Final = 2  # PostgreSQL works on the query of one while the other has the interpreter
_HELPERS: Final = 3  # for what would have to wait behind a long query
_PATIENCE_S: Final = 0.02
_MOST_TOLD_TOGETHER: Final = 8  # so that one wake-up of the event loop serves several callers
_WRITERS: Final = 4  # on PostgreSQL; SQLite has room for one, and a queue here is fairer than its busy loop


class Database:
    """A database of this version's schema.

    ``of`` and ``everybody`` give what queries run through: a query is a function whose first argument is the session,
    and all of it is committed, durably, or nothing is.  Rows that come back are detached and can be read freely.
    """

    def __init__(self, url: str, *, may_upgrade: bool | None = None) -> None:
        """Open it; an SQLite file is brought to this version's schema, another database only if it ``may_upgrade``.

        Raises:  InvalidSetting, StoreNewer, StoreUnreadable, DatabaseOutdated.
        """
        self._server = dialect.server_of(url)
        self.engine = dialect.connect(url, server=self._server)
        self._for_writes = self.engine.execution_options(**{dialect.WRITES: True})
        self._is_sqlite = self.engine.dialect.name == "sqlite"
        try:
            if self._is_sqlite if may_upgrade is None else may_upgrade:
                _upgrade(url, self.engine)
            else:
                schema.require_newest(self.engine)
        except DatabaseError as exc:
            self.engine.dispose()
            raise unopened(exc, self.engine.url) from exc
        except PinfoldError:  # of what was looked at here, or of the upgrade, which has an engine of its own
            self.engine.dispose()
            raise
        self._for_reads = dialect.connect(url, only_reads=True, server=self._server)
        self.is_damaged = False
        """Whether a query has met damage of an SQLite file since this process opened it."""
        self._lanes = Lanes()
        self._reserve: Reserve | None = None
        self._reads: queue.SimpleQueue[Ask | None] = queue.SimpleQueue()
        self._readers = [
            _Reading(self._for_reads, self._take_note)
            for _ in range(_READERS if self._is_sqlite else _READERS_OVER_NETWORK)
        ]
        self._help_wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._looked_after_by: asyncio.AbstractEventLoop | None = None
        self._closing = threading.Lock()
        self._closed = False
        works: list[tuple[str, Callable[[], None]]] = [
            *[("db-write", self._write_for_ever)] * (1 if self._is_sqlite else _WRITERS),
            *[("db-read", functools.partial(self._read_for_ever, one)) for one in self._readers],
            *[("db-help", self._help_to_read)] * _HELPERS,
        ]
        self._threads = [
            threading.Thread(target=work, name=f"{name}-{n}", daemon=True) for n, (name, work) in enumerate(works)
        ]
        for thread in self._threads:
            thread.start()
        self.everybody = Bound(self, scope.EVERYBODY)
        """For what serves all organisations: workers, administrators, and finding out whose a token is."""
        self.background = Bound(self, scope.EVERYBODY, is_patient=True)
        """The same where nobody waits: its writes let those of others go first, for a while."""

    def of(self, organisation_id: str) -> Bound:
        """What reaches the rows of one organisation, and of no other."""
        return Bound(self, organisation_id)

    def hold_reserve(self) -> None:
        """Hold some room on the disk of an SQLite file from now on, for ``give_back``; a server looks after its own."""
        if self.file is not None:
            self._reserve = Reserve(self.file)

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for a server."""
        return Path(self.engine.url.database or "").absolute() if self._is_sqlite else None

    def hurry(self) -> None:
        """Wait only briefly for a server that does not answer, from now on: the process is about to end."""
        if self._server is not None:
            self._server.stop()

    def close(self) -> None:
        """Finish what was asked, refuse what is asked from now on, and let go of the files.  Twice is once."""
        with self._closing:
            self._closed = True
            self._lanes.close()
            for _ in self._readers:
                self._reads.put(None)
            for _ in range(_HELPERS):
                self._help_wanted.put(False)
        for thread in self._threads:
            thread.join()
        self._for_reads.dispose()
        self.engine.dispose()

    # -- what Bound calls --------------------------------------------------------------------------------------------

    def _ask_to_read(self, ask: Ask) -> None:
        with self._closing:  # behind the end of the queue nobody would ever look
            if self._closed:
                raise StoreError("the database is closed")
            self._reads.put(ask)
        if ask.loop is not None:
            self._look_after_later(ask.loop)

    def _ask_to_write(self, ask: Ask, *, is_patient: bool = False) -> None:
        # On PostgreSQL a transaction holds the totals of one organisation at most, so none of two waits for the other.
        lane = PATIENT if is_patient else "" if self._is_sqlite else ask.organisation_id
        if not self._lanes.put(lane, ask):
            raise StoreError("the database is closed")

    def _read_now(self, organisation_id: str, query: Callable[[Session], T]) -> T:
        with failures_told(), self._for_reads.connect() as connection:
            return _read(connection, organisation_id, query)

    # -- threads -----------------------------------------------------------------------------------------------------

    def _write_for_ever(self) -> None:
        while (taken := self._lanes.take()) is not None:
            lane, asks = taken
            try:
                carry_out(self._for_writes, list(asks))
                if self._reserve is not None:
                    self._give_back(self._reserve, asks)
            finally:
                self._lanes.release(lane)
            for ask in asks:
                self._take_note(ask.error)
            tell(asks)

    def _take_note(self, error: BaseException | None) -> None:
        if isinstance(error, DatabaseDamaged):
            self.is_damaged = True

    def _give_back(self, reserve: Reserve, asks: list[Ask]) -> None:
        """Carry those that give room back out again, by means of the reserve, where the disk was full."""
        refused = [ask for ask in asks if isinstance(ask.error, StoreFull)]
        if not refused:
            reserve.renew()
            return
        late = [ask for ask in refused if ask.gives_back]
        if late and reserve.let_go():
            for ask in late:
                ask.error = None
            carry_out(self._for_writes, late)

    def _read_for_ever(self, reading: _Reading) -> None:
        while (ask := self._reads.get()) is not None:
            reading.answer(ask)
            del ask  # what was read is the caller's now
            if len(reading.answered) >= _MOST_TOLD_TOGETHER or self._reads.empty():
                reading.tell()
        reading.tell()
        reading.close()

    def _help_to_read(self) -> None:
        reading = _Reading(self._for_reads, self._take_note)
        while self._help_wanted.get():
            with suppress(queue.Empty):
                while (ask := self._reads.get_nowait()) is not None:
                    reading.answer(ask)
                    del ask
                    reading.tell()
                self._reads.put(None)  # the end is another thread's to see
            reading.close()

    def _look_after_reads(self, loop: asyncio.AbstractEventLoop) -> None:
        """Where all readers are at long queries, have what waits behind these told and read by others."""
        self._looked_after_by = None
        late = time.monotonic() - _PATIENCE_S
        if all(0 < one.since < late for one in self._readers):
            for one in self._readers:
                one.tell()
            if not self._reads.empty():
                self._help_wanted.put(True)
        if any(one.since for one in self._readers) or not self._reads.empty():
            self._look_after_later(loop)

    def _look_after_later(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._looked_after_by is not loop:  # another one may have been closed meanwhile
            self._looked_after_by = loop
            loop.call_later(_PATIENCE_S, self._look_after_reads, loop)


class _Reading:
    """One thread's reads, over a connection and through a session that it keeps: making them takes longer than a read.

    To the toolkit all reads are in one transaction that never ends; each has one of its own, begun and ended below it.
    """

    def __init__(self, engine: Engine, take_note: Callable[[BaseException | None], None]) -> None:
        self._engine = engine
        self._take_note = take_note
        self._connection: Connection | None = None
        self._session: Session | None = None
        self._driver: Any = None
        self.since = 0.0
        """When the query that runs was begun, by the monotonic clock; 0 where none runs."""
        self.answered: deque[Ask] = deque()
        """Those whose callers are not told yet."""

    def tell(self) -> None:
        """Tell the callers; from any thread."""
        asks = []
        with suppress(IndexError):
            while True:
                asks.append(self.answered.popleft())
        tell(asks)

    def answer(self, ask: Ask) -> None:
        """Give the ask its result or its error; a connection that broke is made anew, once."""
        if ask.is_given_up:
            return
        self.since = time.monotonic()
        for may_retry in (True, False):
            try:
                ask.result = self._read(ask)
                break
            except Exception as exc:  # noqa: BLE001 - around a job: whoever asked is told
                self.close()
                if not (may_retry and isinstance(exc, DBAPIError) and exc.connection_invalidated):
                    ask.error = told(exc)
                    break
        self._take_note(ask.error)
        self.answered.append(ask)
        self.since = 0.0

    def close(self) -> None:
        """Give the connection back, which a database that went away may refuse."""
        with suppress(SQLAlchemyError):
            if self._session is not None:
                self._session.close()
        with suppress(SQLAlchemyError):
            if self._connection is not None:
                self._connection.close()
        self._session = self._connection = self._driver = None

    def _read(self, ask: Ask) -> Any:
        session = self._session or self._open()
        scope.bind(session, ask.organisation_id)
        if self._driver is None:
            return self._carried_out(session, ask)
        self._driver.execute("BEGIN")
        try:
            return self._carried_out(session, ask)
        finally:
            self._driver.rollback()

    @staticmethod
    def _carried_out(session: Session, ask: Ask) -> Any:
        result = ask.query(session)
        if session.identity_map:
            session.expunge_all()
        return result

    def _open(self) -> Session:
        self._connection = self._engine.connect()
        self._connection.begin()
        if self._engine.dialect.name == "sqlite":  # on PostgreSQL these connections commit each statement by itself
            self._driver = self._connection.connection.driver_connection
            self._driver.rollback()
        self._session = Session(self._connection, expire_on_commit=False, join_transaction_mode="rollback_only")
        return self._session


class Bound:
    """A database as one organisation, or everybody, may use it."""

    __slots__ = ("_database", "_is_patient", "_organisation_id")

    def __init__(self, database: Database, organisation_id: str, *, is_patient: bool = False) -> None:
        self._database = database
        self._organisation_id = organisation_id
        self._is_patient = is_patient

    async def read(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a query that changes nothing; it may be run again after a broken connection."""
        return await self.start_to_read(query, *args, **kwargs)

    def start_to_read(
        self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """``read`` for several callers that share what comes of it."""
        ask = self._ask(query, args, kwargs)
        self._database._ask_to_read(ask)
        return ask.waiting  # type: ignore[return-value]  # a future of the loop: this is no thread's ask

    async def write(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a query that changes something, once the change is durable.

        A caller that is cancelled meanwhile does not stop it.  The query may be run again, after a deadlock or when a
        write beside it broke their transaction, so it changes nothing but the database.  Raises: StoreFull, StoreError.
        """
        ask = self._ask(query, args, kwargs)
        self._database._ask_to_write(ask, is_patient=self._is_patient)
        return await ask.waiting  # type: ignore[misc, no-any-return]  # as in start_to_read; the result is the query's

    async def give_back(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``write`` for a delete: where the disk is full it may use the last room, which is held for it."""
        ask = self._ask(query, args, kwargs)
        ask.gives_back = True
        self._database._ask_to_write(ask, is_patient=self._is_patient)
        return await ask.waiting  # type: ignore[misc, no-any-return]  # as in write

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


def _upgrade(url: str, engine: Engine) -> None:
    """Bring the database to this version's schema; what migrates is loaded only where there is something to do."""
    with engine.connect() as connection:
        if not schema.is_behind(connection):
            return
    from pinfold.db import upgrade

    upgrade.run(url)


def _read(connection: Connection, organisation_id: str, query: Callable[[Session], T]) -> T:
    with (
        connection.begin(),
        Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session,
    ):
        scope.bind(session, organisation_id)
        return query(session)
